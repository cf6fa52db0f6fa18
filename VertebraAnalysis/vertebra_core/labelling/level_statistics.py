"""What a spine looks like: distances and directions between body centres, and where scans end.

The bundled ``level_statistics.json`` is the result of::

    python -m vertebra_core.labelling.level_statistics vid_keypoints.jsonl.gz OUT.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..alone import run_alone
from ..levels import LEVELS, MOBILE_LEVELS
from .keypoint_scans import KeypointScan, read_keypoint_scans

N_LEVELS = len(MOBILE_LEVELS)
SACRUM = N_LEVELS
"""State of a detection that is the first sacral body: no vertebra, but it has its place."""

N_STATES = N_LEVELS + 1
_RESOURCE = Path(__file__).with_name("level_statistics.json")

_ORDER = {level.name: level.order for level in MOBILE_LEVELS}
T11, T12, T13, L1, L5, L6 = (_ORDER[n] for n in ("T11", "T12", "T13", "L1", "L5", "L6"))

NEIGHBOURS: tuple[tuple[int, int], ...] = tuple(
    pair
    for upper in range(N_LEVELS)
    for pair in {
        T11: ((T11, T12), (T11, L1)),
        T12: ((T12, T13), (T12, L1)),
        L5: ((L5, L6), (L5, SACRUM)),
    }.get(upper, ((upper, upper + 1),))
)
"""Levels that can lie next to each other, as pairs of `Level.order`; T11-L1 where T12 is absent."""

_NAMES = [f"{LEVELS[a].name}-{LEVELS[b].name}" for a, b in NEIGHBOURS]

UNUSUAL: dict[tuple[int, int], str] = {
    (T11, L1): "absent T12",
    (T12, T13): "T13",
    (L5, L6): "L6",
}
"""Neighbours that make a spine unusual, and what that is called."""

_SACRUM_MM = 55.0

_DEFAULT_RATES = {"absent T12": 0.01, "T13": 0.01, "L6": 0.03}
"""Share of people, where the data do not tell: VerSe counts of Sekuboyina et al. (2021), rounded
down because VerSe was enriched with such spines."""


@dataclass(frozen=True)
class LevelStatistics:
    """Statistics of neighbouring bodies; arrays follow `NEIGHBOURS` or the 26 mobile levels.

    Attributes
    ----------
    log_distance_mean, log_distance_sd : tuple of float
        Logarithm of the distance in mm, the patient's own scale taken out.
    angle_mean_rad, angle_sd_rad : tuple of float
        Sagittal direction from the upper to the lower centre: 0 straight down, positive down and
        to the back.
    scale_sd : float
        Standard deviation of the logarithm of the patient's scale.
    first_log_prior, last_log_prior : tuple of float
        How often a scan's first and last vertebra is of each level.
    unusual_rates : tuple of float
        Share of spines with what `UNUSUAL` lists, in its order.
    sacrum_rate : float
        Share of scans down to the last lumbar vertebra in which the sacrum was detected too.
    source : str
        Data and licence.
    """

    log_distance_mean: tuple[float, ...]
    log_distance_sd: tuple[float, ...]
    angle_mean_rad: tuple[float, ...]
    angle_sd_rad: tuple[float, ...]
    scale_sd: float
    first_log_prior: tuple[float, ...]
    last_log_prior: tuple[float, ...]
    unusual_rates: tuple[float, ...]
    sacrum_rate: float
    source: str = ""

    def to_json(self) -> str:
        """Return the statistics as JSON text, with the names of pairs and levels."""
        head = {"source": self.source, "neighbours": _NAMES}
        head["levels"] = [level.name for level in MOBILE_LEVELS]
        return json.dumps(head | asdict(self), indent=1) + "\n"


def sagittal_angle_rad(step_lps_mm: np.ndarray) -> np.ndarray:
    """Direction of steps (..., 3) between bodies in the sagittal plane, see `LevelStatistics`."""
    return np.arctan2(step_lps_mm[..., 1], -step_lps_mm[..., 2])


def load_level_statistics(path: Path | None = None) -> LevelStatistics:
    """Return the bundled statistics, or those of `path`.

    Raises
    ------
    ValueError
        If the file's pairs or levels are not those of this version.
    """
    return _load(Path(path) if path else _RESOURCE)


@lru_cache(maxsize=4)
def _load(path: Path) -> LevelStatistics:
    entry = json.loads(path.read_text())
    if entry["neighbours"] != _NAMES:
        raise ValueError(f"{path.name} lists other neighbours than this version knows")
    values = {f.name: entry[f.name] for f in fields(LevelStatistics)}
    return LevelStatistics(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def fit_level_statistics(
    scans: Sequence[KeypointScan], source: str = "", assumed_scans: int = 50
) -> LevelStatistics:
    """Fit statistics to the true bodies of `scans`.

    Medians and interquartile ranges are used, so that mistakes of annotators do not count much;
    pairs that few scans show (T13, absent T12) are filled in from their neighbours.

    Parameters
    ----------
    scans : sequence of KeypointScan
    source : str
        Where they come from, with the licence.
    assumed_scans : int
        Weight, in scans, of the rates of unusual spines found in the literature; 0 relies on
        `scans` alone, also for names that their annotators may not have used.

    Raises
    ------
    ValueError
        If there are no scans.
    """
    if not scans:
        raise ValueError("there are no scans to fit statistics to")
    n_pairs, place = len(NEIGHBOURS), {pair: i for i, pair in enumerate(NEIGHBOURS)}
    log_distance = np.full((len(scans), n_pairs), np.nan)
    angle = np.full((len(scans), n_pairs), np.nan)
    first, last = np.full(N_LEVELS, 1.0), np.full(N_LEVELS, 1.0)
    to_last = with_sacrum = 0
    for row, scan in enumerate(scans):
        orders, centers = scan.true_orders, scan.true_lps_mm
        sacral = sacral_detection(scan)
        to_last += bool(len(orders)) and orders[-1] in (L5, L6)
        if sacral is not None:
            with_sacrum += 1
            orders = np.append(orders, SACRUM)
            centers = np.vstack([centers, scan.lps_mm[sacral]])
        steps = np.diff(centers, axis=0)
        pairs = zip(orders[:-1], orders[1:], strict=True)
        for (upper, lower), step in zip(pairs, steps, strict=True):
            column = place.get((int(upper), int(lower)))
            if column is not None:
                log_distance[row, column] = np.log(np.linalg.norm(step))
                angle[row, column] = sagittal_angle_rad(step)
        if len(scan.true_orders):
            first[scan.true_orders[0]] += 1
            last[scan.true_orders[-1]] += 1
    mean, sd, scale_sd = _fit_scaled(log_distance)
    angle_mean, angle_sd = _robust(angle, minimum_sd=0.06)
    mean, sd, angle_mean, angle_sd = _fill(mean, sd, angle_mean, angle_sd, log_distance)
    counts = {name: np.isfinite(log_distance[:, place[p]]).sum() for p, name in UNUSUAL.items()}
    rates = [_rate(int(c), len(scans), _DEFAULT_RATES[n], assumed_scans) for n, c in counts.items()]
    return LevelStatistics(
        *(tuple(np.round(v, 4).tolist()) for v in (mean, sd, angle_mean, angle_sd)),
        round(scale_sd, 4),
        *(tuple(np.round(np.log(v / v.sum()), 3).tolist()) for v in (first, last)),
        tuple(round(rate, 4) for rate in rates),
        round((with_sacrum + 2.5) / (to_last + 50), 4),
        source,
    )


def sacral_detection(scan: KeypointScan) -> int | None:
    """Return the detection that lies where the sacrum follows the last lumbar body, if any."""
    if not len(scan.true_orders) or scan.true_orders[-1] not in (L5, L6):
        return None
    step = scan.lps_mm - scan.true_lps_mm[-1]
    distance = np.linalg.norm(step, axis=1)
    below = (scan.matches() < 0) & (step[:, 2] < 0) & (distance > 15) & (distance < _SACRUM_MM)
    return int(np.where(below, distance, np.inf).argmin()) if below.any() else None


def _rate(count: int, n_scans: int, assumed: float, assumed_scans: int) -> float:
    if not assumed_scans:
        return (count + 0.5) / (n_scans + 1)
    # None at all says that the annotators did not use the name, not that it does not occur.
    return (count + assumed_scans * assumed) / (n_scans + assumed_scans) if count else assumed


def _robust(values: np.ndarray, minimum_sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Return median and spread of each column with at least four values, else NaN."""
    enough = np.isfinite(values).sum(0) >= 4
    center, spread = np.full((2, values.shape[1]), np.nan)
    low, middle, high = np.nanpercentile(values[:, enough], [10, 50, 90], axis=0)
    center[enough] = middle
    # 2.563 standard deviations lie between the 10th and 90th percentile of a normal distribution.
    spread[enough] = np.maximum((high - low) / 2.563, minimum_sd)
    return center, spread


def _fit_scaled(log_distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Take every scan's own scale out, in turns with the mean of the pairs."""
    counted = np.isfinite(log_distance).sum(1)
    usable = log_distance[counted >= 3]
    mean, sd = _robust(usable, 0.04)
    scale = np.zeros(len(usable))
    for _ in range(6):
        residual = usable - mean
        weight = np.where(np.isfinite(residual), 1 / np.nan_to_num(sd, nan=1.0) ** 2, 0)
        scale = (np.nan_to_num(residual) * weight).sum(1) / (weight.sum(1) + 1 / 0.08**2)
        scale -= np.median(scale)
        mean, sd = _robust(usable - scale[:, None], 0.04)
    return mean, sd, float(np.std(scale))


def _fill(mean, sd, angle_mean, angle_sd, log_distance):
    """Fill pairs too rare to be measured from the pair whose place they take."""
    place = {pair: i for i, pair in enumerate(NEIGHBOURS)}
    stand_ins = {(T11, L1): (T12, L1), (T12, T13): (T12, L1), (T13, L1): (T12, L1)}
    stand_ins |= {(L5, L6): (L5 - 1, L5), (L5, SACRUM): (L5, L6), (L6, SACRUM): (L5, SACRUM)}
    for pair, other in stand_ins.items():
        i, j = place[pair], place[other]
        if np.isnan(mean[i]):
            mean[i], sd[i] = mean[j], 1.5 * sd[j]
        if np.isnan(angle_mean[i]):
            angle_mean[i], angle_sd[i] = angle_mean[j], 1.5 * angle_sd[j]
    for values, fallback in ((mean, np.log(25.0)), (sd, 0.12), (angle_mean, 0.0), (angle_sd, 0.3)):
        known = np.isfinite(values)
        if known.any():
            values[~known] = np.interp(np.nonzero(~known)[0], np.nonzero(known)[0], values[known])
        else:
            values[:] = fallback
    return mean, sd, angle_mean, angle_sd


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit statistics to a keypoint file and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keypoints", type=Path, help="JSON lines, plain or gzipped")
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--source",
        default="Fitted to the expert body centres of the VID vertebra identification data set "
        "(ImFusion GmbH; CT of VerSe'19, VerSe'20, CT Colonography and Pancreas-CT), training "
        "part, 1655 scans; CC BY-SA 4.0, and this file is under the same licence.",
    )
    args = parser.parse_args(arguments)
    statistics = fit_level_statistics(read_keypoint_scans(args.keypoints), args.source)
    args.out.write_text(statistics.to_json())
    return 0


if __name__ == "__main__":
    raise SystemExit(run_alone(main))
