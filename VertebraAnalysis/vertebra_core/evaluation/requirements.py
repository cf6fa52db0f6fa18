"""What must be reached on unseen phantoms and on independent meshes, beside what was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .records import CaseRecord
from .reliability import MAX_CALIBRATION_ERROR
from .summary import summarise
from .tables import Table

FINE_SLICES_MM = 1.0
COARSE_SLICES_MM = 3.0

HEIGHT_LIMIT_MM = {FINE_SLICES_MM: 0.6, COARSE_SLICES_MM: 1.2}
"""Mean absolute error allowed for each height, by slice distance."""

# What, key of the figures, at least (+) or at most (-) so much, how to print it.
_SHARE, _PLAIN, _MM = "{:.1%}", "{:.3f}", "{:.2f} mm"
_WANTED: tuple[tuple[str, str, int, float, str], ...] = (
    ("localisation error, mean", "localisation_error_mm", -1, 1.4, _MM),
    ("recall", "recall", 1, 0.99, _SHARE),
    ("false positives per scan", "false_positives_per_scan", -1, 0.05, _PLAIN),
    ("Dice of vertebrae, mean", "dice_mean", 1, 0.95, _PLAIN),
    ("Dice of bodies, mean", "dice_body_mean", 1, 0.95, _PLAIN),
    ("surface distance of vertebrae, mean", "mean_surface_distance_mm", -1, 0.5, _MM),
    ("levels identified after positional logic", "identification_rate", 1, 0.97, _SHARE),
    ("scans with every level right", "scans_all_right", 1, 0.93, _SHARE),
    (
        "levels: expected calibration error",
        "level_calibration_error",
        -1,
        MAX_CALIBRATION_ERROR,
        _PLAIN,
    ),
    ("grades: kappa, quadratic weights", "kappa_quadratic", 1, 0.90, _PLAIN),
    ("grades: F1 of grade 0", "f1_grade_0", 1, 0.97, _PLAIN),
    ("grades: F1 of grade 1", "f1_grade_1", 1, 0.75, _PLAIN),
    ("grades: F1 of grade 2", "f1_grade_2", 1, 0.85, _PLAIN),
    ("grades: F1 of grade 3", "f1_grade_3", 1, 0.92, _PLAIN),
    (
        "grades: expected calibration error",
        "grade_calibration_error",
        -1,
        MAX_CALIBRATION_ERROR,
        _PLAIN,
    ),
    ("any fracture: sensitivity", "any_fracture_sensitivity", 1, 0.92, _SHARE),
    ("any fracture: PPV", "any_fracture_ppv", 1, 0.92, _SHARE),
)

_WANTED_OF_INDEPENDENT_MESHES: tuple[tuple[str, str, int, float, str], ...] = (
    ("Dice of vertebrae, mean", "dice_mean", 1, 0.93, _PLAIN),
    ("levels identified after positional logic", "identification_rate", 1, 0.97, _SHARE),
    ("grades: kappa, quadratic weights", "kappa_quadratic", 1, 0.85, _PLAIN),
)
_COLUMNS = ("scans", "what", "wanted", "measured", "reached")


def phantom_requirements(records_by_spacing: Mapping[float, Sequence[CaseRecord]]) -> Table:
    """Compare figures on phantoms with what must be reached.

    Parameters
    ----------
    records_by_spacing : mapping
        Slice distance in mm -> records. Everything but heights is demanded at 1 mm.
    """
    rows = []
    for spacing_mm, records in records_by_spacing.items():
        figures = summarise(records)
        scans = f"{len(records)} phantoms, {spacing_mm:g} mm"
        if spacing_mm == FINE_SLICES_MM:
            for what, key, sign, limit, form in _WANTED:
                rows.append(_row(scans, what, figures.get(key), sign, limit, form.format))
        if spacing_mm in HEIGHT_LIMIT_MM:
            for height, error in figures.get("height_error_mm", {}).items():
                limit = HEIGHT_LIMIT_MM[spacing_mm]
                rows.append(
                    _row(scans, f"{height} height, mean error", error, -1, limit, _MM.format)
                )
    return Table("What must be reached on unseen phantoms", _COLUMNS, tuple(rows), n_left=5)


def independent_mesh_requirements(
    records_by_spacing: Mapping[float, Sequence[CaseRecord]],
) -> Table:
    """Compare figures on independent meshes with what must be reached at 1 mm.

    Parameters
    ----------
    records_by_spacing : mapping
        Slice distance in mm -> records.
    """
    records = records_by_spacing.get(FINE_SLICES_MM, ())
    scans = f"{len(records)} of independent meshes, {FINE_SLICES_MM:g} mm"
    figures = summarise(records) if records else {}
    rows = tuple(
        _row(scans, what, figures.get(key), sign, limit, form.format)
        for what, key, sign, limit, form in _WANTED_OF_INDEPENDENT_MESHES
    )
    return Table("What must be reached on independent meshes", _COLUMNS, rows, n_left=5)


def _row(
    scans: str,
    what: str,
    value: float | None,
    sign: int,
    limit: float,
    show: Callable[[float], str],
) -> tuple[str, ...]:
    met = value is not None and sign * value >= sign * limit
    return (
        scans,
        what,
        f"{'>=' if sign > 0 else '<='} {show(limit)}",
        "-" if value is None else show(value),
        "yes" if met else "NO",
    )
