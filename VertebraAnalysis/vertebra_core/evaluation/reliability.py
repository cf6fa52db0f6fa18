"""How far the stated probabilities of levels and of grades can be believed, from records."""

from __future__ import annotations

from collections.abc import Sequence

from .calibration import Calibration, expected_calibration_error
from .grading_metrics import matched_vertebrae
from .records import CaseRecord
from .tables import Table, decimals, percent

MAX_CALIBRATION_ERROR = 0.05
"""Expected calibration error that is wanted of levels and of grades."""


def level_calibration(records: Sequence[CaseRecord]) -> Calibration:
    """Compare the stated probability of each given level with how often it was right."""
    stated = [(t, f) for t, f in matched_vertebrae(records) if f.level_probability is not None]
    return expected_calibration_error(
        [f.level_probability for _, f in stated], [t.level == f.level for t, f in stated]
    )


def grade_calibration(records: Sequence[CaseRecord]) -> Calibration:
    """Compare the stated probability of each given grade with how often it was right."""
    stated = [
        (t, f)
        for t, f in matched_vertebrae(records)
        if None not in (t.grade, f.grade, f.grade_probabilities)
    ]
    return expected_calibration_error(
        [f.grade_probabilities[f.grade] for _, f in stated],
        [t.grade == f.grade for t, f in stated],
    )


def reliability_tables(records: Sequence[CaseRecord], title: str) -> list[Table]:
    """Return the bins of both reliability diagrams; none where no probability was stated."""
    calibrations = {
        "levels": level_calibration(records),
        "grades": grade_calibration(records),
    }
    return [
        reliability_table(calibration, f"{title}: calibration of {what}")
        for what, calibration in calibrations.items()
        if calibration.n
    ]


def reliability_table(calibration: Calibration, title: str) -> Table:
    """One row per bin of stated probability."""
    rows = []
    for b in calibration.bins:
        low, high = b.interval
        rows.append(
            (
                f"{b.low:.1f}-{b.high:.1f}",
                b.n,
                percent(b.mean_probability),
                percent(b.share_right),
                f"{100 * low:.0f}-{100 * high:.0f} %",
            )
        )
    columns = ("stated", "n", "mean stated", "right", "95 % interval")
    note = (
        f"Expected calibration error {decimals(calibration.error, 3) or '-'} of {calibration.n} "
        f"complete vertebrae (wanted: at most {MAX_CALIBRATION_ERROR:g}). The vertebrae of a scan "
        "are not independent, so that intervals are too narrow rather than too wide."
    )
    return Table(title, columns, tuple(rows), note)
