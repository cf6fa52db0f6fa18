"""What one evaluated scan gave: the truth, what was found and how the masks compare."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

REAL = "real"
PHANTOM = "phantom"
INDEPENDENT_MESHES = "independent_meshes"
"""Phantoms whose vertebrae are meshes that no training has seen."""

EXPERT_MASKS = "expert_masks"
"""Phantoms around the masks of a real spine, as experts drew them."""

KINDS = (REAL, PHANTOM, INDEPENDENT_MESHES, EXPERT_MASKS)

PART_SEPARATOR = " | "
"""Between the parts of a record's name in a comparison: scan, stop, system, version of weights."""

Point = tuple[float, float, float]


@dataclass(frozen=True)
class TrueVertebra:
    """Truth of one vertebra.

    Attributes
    ----------
    level : str
        ``"C1"`` ... ``"L6"``.
    center_lps_mm : tuple of float
        Centre of the vertebral body, LPS mm [x, y, z].
    in_view : bool
        False where the field of view leaves little of the body: then it need not be found, and
        finding it is no false positive.
    complete : bool
        False where the field of view cuts anything off the body: then it is not to be graded.
    grade : int or None
        Genant grade 0-3, if known.
    shape : str or None
    heights_mm : tuple of float or None
        Anterior, middle and posterior height of the body, if known.
    """

    level: str
    center_lps_mm: Point
    in_view: bool = True
    complete: bool = True
    grade: int | None = None
    shape: str | None = None
    heights_mm: Point | None = None


@dataclass(frozen=True)
class FoundVertebra:
    """What an analysis said about one vertebra (see `analysis.Vertebra` for the fields).

    ``network_level`` is the level that the labelling network alone preferred, before positional
    logic, or None where that is not known.
    """

    level: str
    center_lps_mm: Point
    level_probability: float | None = None
    network_level: str | None = None
    grade: int | None = None
    shape: str | None = None
    grade_probabilities: tuple[float, float, float, float] | None = None
    heights_mm: Point | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class MaskScore:
    """Agreement of one true mask with the predicted mask that overlaps it best.

    Attributes
    ----------
    level : str
        True level.
    part : str
        ``"vertebra"`` or ``"body"``.
    found_level : str or None
        Level under which the predicted mask was reported; None when nothing overlaps.
    in_view : bool
        See `TrueVertebra`.
    dice, iou : float
        0 where nothing was found.
    pixel_accuracy, false_positive_rate, false_negative_rate : float
        PA, FPD and FND of Lu et al. (2025), within the box that `segmentation_metrics` states.
    mean_surface_distance_mm, hausdorff_mm, hausdorff95_mm, average_hausdorff_mm : float or None
        None where nothing was found.
    """

    level: str
    part: str
    found_level: str | None
    in_view: bool
    dice: float
    iou: float
    pixel_accuracy: float
    false_positive_rate: float
    false_negative_rate: float
    mean_surface_distance_mm: float | None
    hausdorff_mm: float | None
    hausdorff95_mm: float | None
    average_hausdorff_mm: float | None


@dataclass(frozen=True)
class CaseRecord:
    """One evaluated scan.

    Attributes
    ----------
    name : str
    kind : str
        One of `KINDS`.
    spacing_xyz_mm : tuple of float
    truth : tuple of TrueVertebra
    found : tuple of FoundVertebra
    masks : tuple of MaskScore
        Empty where the case has no label map.
    seconds_per_stage : dict of float
    stray_ml : float or None
        Volume labelled as vertebra more than 10 mm from any true one; None without a label map.
    centres_by_localiser : dict
        Name of a localiser -> centres that it alone found (LPS mm), for comparisons.
    notes : tuple of str
        What had to be assumed about this case.
    sources : dict of str
        Fingerprints of the files it was made from (`case_sources.sources_of`); empty for phantoms
        and in records of earlier versions.
    """

    name: str
    kind: str
    spacing_xyz_mm: Point
    truth: tuple[TrueVertebra, ...]
    found: tuple[FoundVertebra, ...]
    masks: tuple[MaskScore, ...] = ()
    seconds_per_stage: dict[str, float] = field(default_factory=dict)
    stray_ml: float | None = None
    centres_by_localiser: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)


def record_to_json(record: CaseRecord) -> str:
    """Return `record` as one line of JSON."""
    return json.dumps(asdict(record), separators=(",", ":"))


def record_from_json(line: str) -> CaseRecord:
    """Read a record written by `record_to_json`.

    Raises
    ------
    ValueError
        If `line` is no such record.
    """
    try:
        fields = json.loads(line)
        return CaseRecord(
            name=fields["name"],
            kind=fields["kind"],
            spacing_xyz_mm=tuple(fields["spacing_xyz_mm"]),
            truth=tuple(TrueVertebra(**_tuples(v)) for v in fields["truth"]),
            found=tuple(FoundVertebra(**_tuples(v)) for v in fields["found"]),
            masks=tuple(MaskScore(**m) for m in fields["masks"]),
            seconds_per_stage=fields["seconds_per_stage"],
            stray_ml=fields["stray_ml"],
            centres_by_localiser={
                name: tuple(tuple(c) for c in centres)
                for name, centres in fields["centres_by_localiser"].items()
            },
            notes=tuple(fields["notes"]),
            sources=dict(fields.get("sources", {})),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an evaluation record: {error}") from error


def _tuples(fields: dict) -> dict:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
