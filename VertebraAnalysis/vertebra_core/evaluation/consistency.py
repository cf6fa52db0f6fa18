"""How far the analysis of a perturbed scan agrees with that of the scan as it is.

No truth is needed, so that it can be measured on any scan. Agreement is not accuracy: what is wrong
in the same way on both is not seen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..volume import CtVolume
from .localisation_metrics import match_centres
from .perturbations import PERTURBATIONS, slices_reached
from .prediction import Predict
from .records import FoundVertebra, TrueVertebra
from .tables import Table, decimals, percent, scan_count
from .truth import CaseTruth

NOTE = (
    "Every scan is compared with itself as it is. Vertebrae that the field of view cuts count for "
    "no height and no grade. Agreement is not accuracy."
)


@dataclass(frozen=True)
class Agreement:
    """Agreement of one perturbed scan with the same scan as it is.

    Attributes
    ----------
    scan : str
        Tells it from all other scans.
    perturbation : str
    n_vertebrae : int
        Vertebrae found as it is whose centre is still in view.
    n_found : int
        Those of them that were found again.
    n_new : int
        Vertebrae found only on the perturbed scan.
    n_same_level : int
        Vertebrae found again under the same name.
    center_mm : tuple of float
        Distances of the centres found again.
    height_mm : tuple of float
        Absolute differences of the anterior, middle and posterior heights that both state, mm.
    n_graded : int
        Vertebrae that both grade.
    n_same_grade : int
    n_new_fractures, n_lost_fractures : int
        Vertebrae of grade 0 that are fractured after the perturbation, and the reverse.
    slice_mm : float or None
        Slice distance of the perturbed scan.
    notes : tuple of str
        Why the perturbed scan was refused, if it was; all its vertebrae are lost then.
    """

    scan: str
    perturbation: str
    n_vertebrae: int
    n_found: int
    n_new: int
    n_same_level: int
    center_mm: tuple[float, ...]
    height_mm: tuple[float, ...]
    n_graded: int
    n_same_grade: int
    n_new_fractures: int
    n_lost_fractures: int
    slice_mm: float | None = None
    notes: tuple[str, ...] = ()


def consistency(
    name: str, ct: CtVolume, predict: Predict, perturbations: Sequence[str], seed: int = 0
) -> list[Agreement]:
    """Analyse a scan as it is and under every perturbation.

    One that leaves the scan as it is, as its slices are that thick already, is left out. A scan
    that is refused as it is cannot be compared with itself.

    Parameters
    ----------
    name : str
    ct : CtVolume
    predict : callable
        See `predictor.predictor`.
    perturbations : sequence of str
        Keys of `perturbations.PERTURBATIONS`.
    seed : int
        Of what is random in them.

    Raises
    ------
    InputError
        ``not_analysed``, if the scan is refused as it is.
    """
    first = predict(name, ct)
    if first.notes and not first.found:
        raise InputError("not_analysed", f"{name}: {first.notes[0]}")
    as_it_is = first.found
    # The perturbations carry along what they are told is true, so that places can be compared.
    truth = CaseTruth(tuple(TrueVertebra(v.level, v.center_lps_mm) for v in as_it_is))
    by_level = {v.level: v for v in as_it_is}
    agreements = []
    for which in perturbations:
        perturbed, moved = PERTURBATIONS[which](ct, truth, np.random.default_rng(seed))
        if perturbed is ct:
            continue
        kept = [replace(by_level[v.level], center_lps_mm=v.center_lps_mm) for v in moved.vertebrae]
        again = predict(f"{name}, {which}", perturbed)
        agreement = compare(name, which, kept, again.found)
        notes = () if again.found else again.notes
        agreements.append(replace(agreement, slice_mm=perturbed.spacing_xyz_mm[2], notes=notes))
    return agreements


def compare(
    scan: str,
    perturbation: str,
    before: Sequence[FoundVertebra],
    after: Sequence[FoundVertebra],
) -> Agreement:
    """Compare what was found on a scan as it is with what was found after a perturbation.

    Parameters
    ----------
    scan, perturbation : str
    before : sequence of FoundVertebra
        Centres where the perturbation moved them.
    after : sequence of FoundVertebra
    """
    matching = match_centres(
        np.array([v.center_lps_mm for v in before]), np.array([v.center_lps_mm for v in after])
    )
    pairs = [(before[i], after[j]) for i, j, _ in matching.pairs]
    heights = [
        abs(a - b)
        for one, other in pairs
        if one.heights_mm and other.heights_mm
        for a, b in zip(one.heights_mm, other.heights_mm, strict=True)
    ]
    grades = [(a.grade, b.grade) for a, b in pairs if a.grade is not None and b.grade is not None]
    return Agreement(
        scan,
        perturbation,
        n_vertebrae=len(before),
        n_found=len(pairs),
        n_new=len(matching.spurious),
        n_same_level=sum(a.level == b.level for a, b in pairs),
        center_mm=tuple(distance for _, _, distance in matching.pairs),
        height_mm=tuple(heights),
        n_graded=len(grades),
        n_same_grade=sum(a == b for a, b in grades),
        n_new_fractures=sum(a == 0 < b for a, b in grades),
        n_lost_fractures=sum(a > 0 == b for a, b in grades),
    )


def consistency_table(agreements: Sequence[Agreement]) -> Table:
    """Return one row for each perturbation, all scans together."""
    columns = (
        "perturbation", "scans", "vertebrae", "found again", "new", "same level", "centre mm",
        "height mm", "largest", "graded", "same grade", "new fractures", "lost fractures",
    )  # fmt: skip
    rows = [
        _row(which, [a for a in agreements if a.perturbation == which])
        for which in dict.fromkeys(a.perturbation for a in agreements)
    ]
    scans = scan_count(len({a.scan for a in agreements}))
    title = f"Consistency under perturbation, {scans}"
    distances = {
        which: [a.slice_mm for a in agreements if a.perturbation == which and a.slice_mm]
        for which in PERTURBATIONS
    }
    return Table(title, columns, tuple(rows), f"{NOTE} {slices_reached(distances)}".strip())


def _row(perturbation: str, own: Sequence[Agreement]) -> tuple:
    def total(key: str) -> int:
        return sum(getattr(a, key) for a in own)

    centres = [mm for a in own for mm in a.center_mm]
    heights = [mm for a in own for mm in a.height_mm]
    return (
        perturbation,
        len({a.scan for a in own}),
        total("n_vertebrae"),
        _share(total("n_found"), total("n_vertebrae")),
        total("n_new"),
        _share(total("n_same_level"), total("n_found")),
        decimals(float(np.mean(centres)) if centres else None),
        decimals(float(np.mean(heights)) if heights else None),
        decimals(max(heights, default=None), 1),
        total("n_graded"),
        _share(total("n_same_grade"), total("n_graded")),
        total("n_new_fractures"),
        total("n_lost_fractures"),
    )


def _share(count: int, of: int) -> str | None:
    return percent(count / of if of else None)
