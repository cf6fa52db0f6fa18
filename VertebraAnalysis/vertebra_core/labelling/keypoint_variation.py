"""Variations of scans' detections: as other patients or another run of the detector differ."""

from __future__ import annotations

import numpy as np

from .keypoint_emission import region_logits
from .keypoint_rows import UNKNOWN, KeypointRows

_CUT_SHARE, _MISSED_SHARE, _SPURIOUS_SHARE = 0.05, 0.12, 0.12
_SHORTEST = 4
_TILT_SD_RAD = 0.03
_LOG_SIZE_SD = 0.04
_PLACE_SD_MM = 0.9
_LOGIT_SD = 0.25


def varied(rows: KeypointRows, rng: np.random.Generator) -> KeypointRows:
    """Return a variation of every scan.

    Some scans get a shorter field of view, a missed or a spurious detection; all get a tilt, a
    size, a side and noise.
    """
    rows = _with_spurious(_with_less(rows, rng), rng)
    n_scans = len(rows.lengths)
    tilt = rng.normal(0, _TILT_SD_RAD, (n_scans, 1))
    x, y, z = np.moveaxis(rows.lps_mm, 2, 0)
    turned = [
        x * rng.choice([-1.0, 1.0], (n_scans, 1)),
        y * np.cos(tilt) - z * np.sin(tilt),
        y * np.sin(tilt) + z * np.cos(tilt),
    ]
    size = np.exp(rng.normal(0, _LOG_SIZE_SD, (n_scans, 1, 1)))
    lps = np.stack(turned, axis=2) * size + rng.normal(0, _PLACE_SD_MM, rows.lps_mm.shape)
    logits = region_logits(rows.regions) + rng.normal(0, _LOGIT_SD, rows.regions.shape)
    return KeypointRows(lps, 1 / (1 + np.exp(-logits)), rows.target, rows.lengths)


def _with_less(rows: KeypointRows, rng: np.random.Generator) -> KeypointRows:
    kept = rows.present
    for i in np.nonzero((rng.random(len(kept)) < _CUT_SHARE) & (rows.lengths > _SHORTEST))[0]:
        size = rng.integers(_SHORTEST, rows.lengths[i] + 1)
        start = rng.integers(0, rows.lengths[i] - size + 1)
        kept[i, :start] = kept[i, start + size :] = False
    missed = (rng.random(len(kept)) < _MISSED_SHARE) & (kept.sum(1) > _SHORTEST)
    for i in np.nonzero(missed)[0]:
        kept[i, rng.choice(np.nonzero(kept[i])[0])] = False
    order = np.argsort(~kept, axis=1, kind="stable")
    lps, regions = (
        np.take_along_axis(a, order[..., None], axis=1) for a in (rows.lps_mm, rows.regions)
    )
    lengths = kept.sum(1)
    target = np.take_along_axis(rows.target, order, axis=1)
    target[np.arange(target.shape[1]) >= lengths[:, None]] = UNKNOWN
    return KeypointRows(lps, regions, target, lengths)


def _with_spurious(rows: KeypointRows, rng: np.random.Generator) -> KeypointRows:
    lps, regions = (np.pad(a, ((0, 0), (0, 1), (0, 0))) for a in (rows.lps_mm, rows.regions))
    target = np.pad(rows.target, ((0, 0), (0, 1)), constant_values=UNKNOWN)
    lengths = rows.lengths.copy()
    chosen = (rng.random(len(lengths)) < _SPURIOUS_SHARE) & (lengths > 0)
    for i in np.nonzero(chosen)[0]:
        place = lps[i, rng.integers(lengths[i])] + rng.normal(0, [40, 40, 60])
        shares = rng.uniform(0.02, 0.2, 3)
        if rng.random() < 0.5:
            shares[rng.integers(3)] = rng.uniform(0.3, 0.99)
        at = int((lps[i, : lengths[i], 2] > place[2]).sum())
        lps[i] = np.insert(lps[i, :-1], at, place, axis=0)
        regions[i] = np.insert(regions[i, :-1], at, shares, axis=0)
        target[i] = np.insert(target[i, :-1], at, UNKNOWN)
        lengths[i] += 1
    return KeypointRows(lps, regions, target, lengths)
