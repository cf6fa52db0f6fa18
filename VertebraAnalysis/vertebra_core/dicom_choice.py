"""Which series of a DICOM folder suits the analysis best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vertebra_core.dicom_marks import altered_by
from vertebra_core.dicom_stack import DicomSeries

# Series that cover nearly as much as the longest one compete by slice thickness.
_SAME_COVERAGE = 0.9
_LISTED = 6

_COMPUTED = {"DERIVED", "SECONDARY"}


def best_first(found: Iterable[DicomSeries]) -> tuple[DicomSeries, ...]:
    """Sort series by how well they suit the analysis.

    The order: CT before other modalities; grey values at known places before others; stacks before
    single pictures; scans before projections and maps; axial before reformatted; then, of those
    that cover nearly as much of the body as the longest, what the scanner made before what was
    computed from it, and the thinnest slices.
    """
    found = list(found)
    longest = max(
        (s.coverage_mm for s in found if _is_scan(s) and s.is_axial and not altered_by(s.first)),
        default=0.0,
    )

    def rank(series: DicomSeries) -> tuple:
        short = series.coverage_mm < _SAME_COVERAGE * longest
        return (
            not series.is_ct,
            not series.is_usable,
            series.n_slices < 2,
            bool(altered_by(series.first)),
            not series.is_axial,
            short,
            -series.coverage_mm if short else 0.0,
            bool(_COMPUTED & {v.upper() for v in series.first.image_type[:2]}),
            round(series.slice_distance_mm, 2),
            -series.n_slices,
            series.uid,
        )

    return tuple(sorted(found, key=rank))


def candidates(found: Iterable[DicomSeries]) -> list[DicomSeries]:
    """Series that could be analysed."""
    return [s for s in found if _is_scan(s) and s.n_slices > 1]


def listing(series: Sequence[DicomSeries]) -> str:
    """Several series in one line."""
    text = "; ".join(s.summary() for s in series[:_LISTED])
    return text if len(series) <= _LISTED else f"{text}; and {len(series) - _LISTED} more"


def _is_scan(series: DicomSeries) -> bool:
    return series.is_ct and series.is_usable
