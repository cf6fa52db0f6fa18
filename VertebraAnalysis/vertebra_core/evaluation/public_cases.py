"""The real scans of the project's public data folder, and what must be reached on them.

Each is a single scan: a figure measured here is "n = 1 real scan", never a clinical accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..analysis import Vertebra
from ..errors import InputError
from ..levels import level_named
from ..reading import read_ct
from ..volume import CtVolume
from .case_evaluation import CaseEvaluation
from .case_files import CaseFiles
from .case_loading import load_case
from .labelling_metrics import level_shift
from .localisation_metrics import found_outside_spine, match_case
from .output import progress
from .prediction import NO_ANALYSIS
from .records import CaseRecord
from .summary import mask_means, masks_of
from .tables import Table
from .truth import CaseTruth

ABDOMEN = CaseFiles(
    "ts_example",
    Path("ct/ts_example_ct.nii.gz"),
    labels=Path("ct/ts_example_labels_totalseg.nii.gz"),
    bodies=Path("ct/ts_example_vertebral_bodies_by_level.nii.gz"),
)
ABDOMEN_LEVELS = ("T12", "L1", "L2", "L3", "L4", "L5")
"""What must be found in it."""

CHEST = CaseFiles(
    "lidc_0314",
    Path("ct/lidc_0314_ct.nii.gz"),
    truth=Path("ct/lidc_0314_centers.json"),
)
CHEST_CROP = CaseFiles("ts_pulmonary_crop", Path("ct/ts_pulmonary_crop_ct.nii.gz"))

CHEST_LIMIT_MM = 8.0
"""The chest's centres were read by eye, +-4 mm; a found one must lie within twice that."""

CROP_SPINE_LPS_MM = ((-20.0, -122.0), (12.0, 0.0))
"""Low and high corner (x, y) of where the spine lies in the crop at every height, read by eye: its
back edge cuts the bodies; the aorta lies in front of and to the left of this box."""

EXPERT_MASKS = Path("masks/sub-verse004_seg-vert_msk.nii.gz")
EXPERT_FRACTURED = ("T9", "T10", "L1")
EXPERT_GRADE_3 = "L1"
"""Real expert masks, with Genant grades T9 2, T10 2, L1 3 and 0 elsewhere."""

GradeMasks = Callable[[Path], Sequence[Vertebra]]
"""Grades the vertebrae of a segmentation file, as ``grade --segmentation`` does."""


@dataclass(frozen=True)
class Requirement:
    """One line of what must be reached.

    Attributes
    ----------
    scan, what, wanted, measured : str
    met : bool
    """

    scan: str
    what: str
    wanted: str
    measured: str
    met: bool


def present(folder: Path) -> tuple[CaseFiles, ...]:
    """Return the public scans that `folder` holds."""
    every = (files_below(files, Path(folder)) for files in (ABDOMEN, CHEST, CHEST_CROP))
    return tuple(files for files in every if files.ct.exists())


def evaluate_public_data(
    folder: Path, evaluation: CaseEvaluation, grade_masks: GradeMasks | None = None
) -> tuple[list[CaseRecord], Table]:
    """Evaluate the public scans present in `folder`.

    Parameters
    ----------
    folder : Path
    evaluation : CaseEvaluation
    grade_masks : callable, optional
        With it the expert masks are graded too.

    Returns
    -------
    list of CaseRecord
        The two scans with a truth; the crop has none, so it is in the table alone.
    Table
        What must be reached, and what was.

    Raises
    ------
    InputError
        If none of the scans is there.
    """
    records, requirements = [], []
    checks = ((ABDOMEN, check_abdomen), (CHEST, check_chest), (CHEST_CROP, check_crop))
    for files, check in checks:
        here = files_below(files, Path(folder))
        if not here.ct.exists():
            progress(f"{files.name}: not in {folder}")
            continue
        record = evaluation.record(here, _load_crop if files is CHEST_CROP else load_case)
        if record is None:
            unread = Requirement(files.name, "scan and result", "readable", "not read", False)
            requirements.append(unread)
            continue
        requirements += check(record)
        if record.truth:
            records.append(record)
    masks = Path(folder) / EXPERT_MASKS
    if grade_masks is not None and masks.exists():
        requirements.append(check_expert_masks(grade_masks(masks)))
    if not requirements:
        raise InputError(
            "no_public_data",
            f"None of the public scans is in {folder}.",
            "Give the folder that holds `ct/ts_example_ct.nii.gz`.",
        )
    columns = ("scan", "what", "at least", "measured", "reached")
    rows = tuple(
        (r.scan, r.what, r.wanted, r.measured, "yes" if r.met else "NO") for r in requirements
    )
    return records, Table("What must be reached (each n = 1 real scan)", columns, rows, n_left=5)


def _load_crop(files: CaseFiles) -> tuple[CtVolume, CaseTruth]:
    ct = read_ct(files.ct)
    return ct, crop_truth(ct)


def check_abdomen(record: CaseRecord) -> list[Requirement]:
    """What must be reached on the abdomen: T12-L5, 3 mm, label maps given."""
    matching = match_case(record)
    pairs = [
        (record.truth[i], record.found[j], d)
        for i, j, d in matching.pairs
        if record.truth[i].level in ABDOMEN_LEVELS
    ]
    right = sum(t.level == f.level for t, f, _ in pairs)
    error = float(np.mean([d for _, _, d in pairs])) if pairs else None
    return [
        _line(record, "T12-L5 found", "6 of 6", f"{len(pairs)} of 6", len(pairs) == 6),
        _line(record, "right level", "6 of 6", f"{right} of 6", right == 6),
        _line(
            record,
            "mean centre error",
            "<= 2.5 mm",
            "-" if error is None else f"{error:.2f} mm",
            error is not None and error <= 2.5,
        ),
        _line(
            record,
            "reported outside the spine",
            "none",
            f"{len(matching.spurious)} vertebrae, {_stray(record)}",
            not matching.spurious and record.stray_ml == 0,
        ),
        _dice_line(record, "vertebra", "vertebrae", 0.90),
        _dice_line(record, "body", "bodies", 0.92),
    ]


def _dice_line(record: CaseRecord, part: str, title: str, mean_wanted: float) -> Requirement:
    means = mask_means([s for s in masks_of([record], part) if s.level in ABDOMEN_LEVELS])
    mean, lowest = means["dice_mean"], means["dice_min"]
    return _line(
        record,
        f"Dice of {title}",
        f"mean >= {mean_wanted:.2f}, none < 0.85",
        "-" if mean is None else f"mean {mean:.3f}, lowest {lowest:.3f}",
        mean is not None and mean >= mean_wanted and lowest >= 0.85,
    )


def check_chest(record: CaseRecord) -> list[Requirement]:
    """What must be reached on the chest: C7-T12, 1 mm, centres read by eye."""
    matching = match_case(record, CHEST_LIMIT_MM)
    n = len(record.truth)
    found = [record.found[j] for _, j, _ in matching.pairs]
    right = sum(record.truth[i].level == record.found[j].level for i, j, _ in matching.pairs)
    shift = level_shift(record)
    flagged = bool(found) and all("low_level_margin" in v.flags for v in found)
    levels_met = bool(found) and (shift == 0 or (shift is not None and abs(shift) == 1 and flagged))
    outside = len(found_outside_spine(record))
    error = float(np.mean([d for _, _, d in matching.pairs])) if matching.pairs else None
    measured = f"{right} right, common shift {shift if shift is not None else 'none'}"
    return [
        _line(
            record,
            "C7-T12 found within 8 mm",
            f"{n} of {n}",
            f"{len(found)} of {n}" + ("" if error is None else f", mean {error:.1f} mm"),
            len(found) == n,
        ),
        _line(
            record,
            "levels",
            "all right, or all off by the same one and flagged",
            measured + (", flagged" if flagged else ", not all flagged"),
            levels_met,
        ),
        _line(record, "reported outside the spine", "none", str(outside), outside == 0),
    ]


def check_crop(record: CaseRecord) -> list[Requirement]:
    """What must be reached on the chest crop whose back edge cuts the spine."""
    (low_x, low_y), (high_x, high_y) = CROP_SPINE_LPS_MM
    wrong = [
        v
        for v in record.found
        if not (low_x <= v.center_lps_mm[0] <= high_x and low_y <= v.center_lps_mm[1] <= high_y)
    ]
    # Where nothing was analysed nothing is shown to be right, unless it found no spine.
    reason = next((note for note in record.notes if note.startswith(NO_ANALYSIS)), None)
    careless = [
        v for v in record.found if v.grade is not None or "cut_by_field_of_view" not in v.flags
    ]
    return [
        _line(
            record,
            "reported in heart or vessels",
            "none",
            reason or f"{len(wrong)} vertebrae, {_stray(record)}",
            not reason and not wrong and not record.stray_ml,
        ),
        _line(
            record,
            "cut vertebrae flagged, not graded",
            "all",
            reason or f"{len(record.found) - len(careless)} of {len(record.found)}",
            not reason and not careless,
        ),
    ]


def check_expert_masks(vertebrae: Sequence[Vertebra]) -> Requirement:
    """What must be reached on the expert masks: the right three, and no false alarm above 1."""
    grades = {v.level: v.grade for v in vertebrae}
    fractured = all((grades.get(level) or 0) >= 1 for level in EXPERT_FRACTURED)
    alarms = [n for n, g in grades.items() if (g or 0) > 1 and n not in EXPERT_FRACTURED]
    shown = ", ".join(f"{n} {g}" for n, g in grades.items() if g)
    return Requirement(
        "sub-verse004",
        "grades of expert masks",
        "T9, T10, L1 fractured, L1 grade 3, others <= 1",
        shown or "none fractured",
        fractured and grades.get(EXPERT_GRADE_3) == 3 and not alarms,
    )


def crop_truth(ct: CtVolume) -> CaseTruth:
    """Return a truth for the crop that knows where the spine is but no vertebra.

    The spine's box bears the sacrum's number, which is never scored: only what is labelled far
    from it is measured, as stray volume.
    """
    index = np.indices(ct.hu.shape).transpose(1, 2, 3, 0)
    x, y, _ = np.moveaxis(ct.index_to_lps(index), -1, 0)
    (low_x, low_y), (high_x, high_y) = CROP_SPINE_LPS_MM
    inside = (x >= low_x) & (x <= high_x) & (y >= low_y) & (y <= high_y)
    return CaseTruth((), np.where(inside, level_named("S1").number, 0).astype(np.uint8))


def _stray(record: CaseRecord) -> str:
    return "no masks" if record.stray_ml is None else f"{record.stray_ml:.1f} ml"


def _line(record: CaseRecord, what: str, wanted: str, measured: str, met: bool) -> Requirement:
    return Requirement(record.name, what, wanted, measured, bool(met))


def files_below(files: CaseFiles, folder: Path) -> CaseFiles:
    """Return the files of a case with their paths below `folder`."""
    places = ("ct", "labels", "bodies", "truth")
    given = {p: getattr(files, p) for p in places if getattr(files, p) is not None}
    return replace(files, **{name: folder / path for name, path in given.items()})
