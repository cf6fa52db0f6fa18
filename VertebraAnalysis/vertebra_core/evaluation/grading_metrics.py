"""How well fractures were graded and heights measured.

Precision, recall and F1 per grade are those of VertFault (2024), tables 4.3 and 4.4. Kappa is
Cohen's weighted kappa [1]_; with about 5 % prevalence plain accuracy says nothing and is not given.

References
----------
.. [1] Cohen, "Weighted kappa: nominal scale agreement with provision for scaled disagreement or
   partial credit", Psychological Bulletin 70 (1968) 213-220.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .localisation_metrics import match_case
from .records import CaseRecord, FoundVertebra, TrueVertebra
from .truth import HEIGHT_NAMES

N_GRADES = 4


@dataclass(frozen=True)
class GradeFigures:
    """Precision, recall and F1 of one grade; None where the ratio is undefined.

    F1 is 0 for a grade that occurs but is never given.
    """

    grade: int
    n_true: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class DetectionFigures:
    """Sensitivity, specificity and positive predictive value of "grade at least so much"."""

    minimum_grade: int
    n_true: int
    sensitivity: float | None
    specificity: float | None
    ppv: float | None


@dataclass(frozen=True)
class HeightFigures:
    """Error of one height over all vertebrae measured, mm."""

    name: str
    n: int
    mean_absolute_error_mm: float | None
    bias_mm: float | None
    error95_mm: float | None


@dataclass(frozen=True)
class GradingSummary:
    """Grading over several scans; only complete, found vertebrae with a known grade count.

    Attributes
    ----------
    confusion : ndarray of int, shape (4, 4)
        Rows are true grades, columns grades given.
    grades : tuple of GradeFigures
    kappa_quadratic, kappa_linear : float or None
    any_fracture, moderate_or_worse : DetectionFigures
        Grade >= 1 and grade >= 2.
    not_graded, fractured_not_graded : int
        Found vertebrae left without a grade, and how many of them are truly fractured.
    shape_accuracy : float or None
        Share of rightly detected fractures whose shape is right.
    heights : dict of HeightFigures
    """

    confusion: np.ndarray
    grades: tuple[GradeFigures, ...]
    kappa_quadratic: float | None
    kappa_linear: float | None
    any_fracture: DetectionFigures
    moderate_or_worse: DetectionFigures
    not_graded: int
    fractured_not_graded: int
    shape_accuracy: float | None
    heights: dict[str, HeightFigures]


def confusion_matrix(
    true_grades: Sequence[int], found_grades: Sequence[int], n_grades: int = N_GRADES
) -> np.ndarray:
    """Count pairs of grades; rows are true grades, columns grades given.

    Raises
    ------
    ValueError
        If the sequences differ in length or a grade is out of range.
    """
    true_array, found_array = np.asarray(true_grades, int), np.asarray(found_grades, int)
    if true_array.shape != found_array.shape:
        raise ValueError("as many true as found grades are needed")
    both = np.concatenate([true_array, found_array])
    if both.size and (both.min() < 0 or both.max() >= n_grades):
        raise ValueError(f"grades must lie between 0 and {n_grades - 1}")
    matrix = np.zeros((n_grades, n_grades), int)
    np.add.at(matrix, (true_array, found_array), 1)
    return matrix


def weighted_kappa(confusion: np.ndarray, power: float = 2.0) -> float | None:
    """Cohen's weighted kappa with disagreement weights ``|i - j| ** power``.

    Parameters
    ----------
    confusion : ndarray, shape (n, n)
    power : float
        2 for quadratic weights, 1 for linear ones.

    Returns
    -------
    float or None
        None where it is undefined: no pair, or both sides always give one and the same grade.
    """
    total = confusion.sum()
    if total == 0:
        return None
    index = np.arange(len(confusion))
    weight = np.abs(index[:, None] - index[None]).astype(float) ** power
    expected = np.outer(confusion.sum(1), confusion.sum(0)) / total
    disagreement_expected = float((weight * expected).sum())
    if disagreement_expected == 0:
        return None
    return 1.0 - float((weight * confusion).sum()) / disagreement_expected


def grade_figures(confusion: np.ndarray) -> tuple[GradeFigures, ...]:
    """Return precision, recall and F1 of each grade."""
    figures = []
    for grade in range(len(confusion)):
        right = int(confusion[grade, grade])
        n_true, n_given = int(confusion[grade].sum()), int(confusion[:, grade].sum())
        figures.append(
            GradeFigures(
                grade,
                n_true,
                _ratio(right, n_given),
                _ratio(right, n_true),
                _ratio(2 * right, n_true + n_given),
            )
        )
    return tuple(figures)


def detection_figures(confusion: np.ndarray, minimum_grade: int) -> DetectionFigures:
    """Return sensitivity, specificity and PPV of "grade at least `minimum_grade`"."""
    hit = int(confusion[minimum_grade:, minimum_grade:].sum())
    n_true = int(confusion[minimum_grade:].sum())
    n_given = int(confusion[:, minimum_grade:].sum())
    n_sound = int(confusion[:minimum_grade].sum())
    rejected = int(confusion[:minimum_grade, :minimum_grade].sum())
    return DetectionFigures(
        minimum_grade,
        n_true,
        _ratio(hit, n_true),
        _ratio(rejected, n_sound),
        _ratio(hit, n_given),
    )


def height_figures(name: str, errors_mm: Sequence[float]) -> HeightFigures:
    """Summarise signed errors (measured minus true, mm) of one height."""
    errors = np.asarray(errors_mm, float)
    if errors.size == 0:
        return HeightFigures(name, 0, None, None, None)
    return HeightFigures(
        name,
        int(errors.size),
        float(np.abs(errors).mean()),
        float(errors.mean()),
        float(np.percentile(np.abs(errors), 95)),
    )


def matched_vertebrae(
    records: Sequence[CaseRecord],
) -> list[tuple[TrueVertebra, FoundVertebra]]:
    """Return complete true vertebrae with the found one nearest to each (within 20 mm)."""
    return [
        (record.truth[i], record.found[j])
        for record in records
        for i, j, _ in match_case(record).pairs
        if record.truth[i].complete
    ]


def summarise_grading(records: Sequence[CaseRecord]) -> GradingSummary | None:
    """Summarise grades and heights, or return None where no truth has either."""
    pairs = matched_vertebrae(records)
    known = [(t, f) for t, f in pairs if t.grade is not None]
    if not known and not any(t.heights_mm for t, _ in pairs):
        return None
    graded = [(t, f) for t, f in known if f.grade is not None]
    left_out = [t for t, f in known if f.grade is None]
    confusion = confusion_matrix([t.grade for t, _ in graded], [f.grade for _, f in graded])
    fractured = [(t, f) for t, f in graded if t.grade > 0 and f.grade > 0 and t.shape]
    errors: dict[str, list[float]] = {name: [] for name in HEIGHT_NAMES}
    for true, found in pairs:
        if true.heights_mm is not None and found.heights_mm is not None:
            for name, t, f in zip(HEIGHT_NAMES, true.heights_mm, found.heights_mm, strict=True):
                errors[name].append(f - t)
    return GradingSummary(
        confusion=confusion,
        grades=grade_figures(confusion),
        kappa_quadratic=weighted_kappa(confusion, 2),
        kappa_linear=weighted_kappa(confusion, 1),
        any_fracture=detection_figures(confusion, 1),
        moderate_or_worse=detection_figures(confusion, 2),
        not_graded=len(left_out),
        fractured_not_graded=sum(t.grade > 0 for t in left_out),
        shape_accuracy=(
            float(np.mean([t.shape == f.shape for t, f in fractured])) if fractured else None
        ),
        heights={name: height_figures(name, errors[name]) for name in HEIGHT_NAMES},
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
