"""How much every system loses when scans are perturbed, one figure for each stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from .compare_cases import KIND_SEPARATOR, data_title
from .compare_tables import Results, figures_of
from .perturbations import PERTURBATIONS
from .records import PHANTOM, REAL
from .tables import Cell, Table, decimals, percent, scan_count

NOTE = (
    "Columns of perturbations state the difference to the same scans as they are; of shares in "
    "points of a hundred. A crop leaves fewer vertebrae to count."
)

FiguresOf = Callable[[str, str, str], Mapping[str, float | None]]
"""(stop, system, kind of data) -> figures of the stop; none where there are no records."""


@dataclass(frozen=True)
class Headline:
    """A figure that stands for a stop.

    Attributes
    ----------
    stop : str
        Where it is measured.
    title, key : str
        What it is called, and its key in the figures of the stop.
    show, show_change : callable
        Formats the figure, and a difference.
    """

    stop: str
    title: str
    key: str
    show: Callable[[float | None], Cell]
    show_change: Callable[[float], Cell]


def _share(stop: str, title: str, key: str) -> Headline:
    return Headline(stop, title, key, percent, lambda d: f"{100 * d:+.1f}")


def _number(stop: str, title: str, key: str, digits: int) -> Headline:
    return Headline(stop, title, key, lambda v: decimals(v, digits), lambda d: f"{d:+.{digits}f}")


HEADLINES = (
    _number("localisation", "error mm", "localisation_error_mm", 2),
    _share("localisation", "recall", "recall"),
    _number("segmentation", "DSC", "dice_mean", 3),
    _share("labelling", "identified", "identification_rate"),
    _number("grading", "kappa", "kappa_quadratic", 2),
    _share("lesions", "found", "recall"),
)


def perturbation_tables(results: Results) -> list[Table]:
    """Return a table for each kind of data that was perturbed; none where nothing was.

    Parameters
    ----------
    results : mapping
        As `compare` returns them.
    """

    @cache
    def figures(stop: str, system: str, kind: str) -> Mapping[str, float | None]:
        records = results.get((stop, system, kind), ())
        return figures_of(stop, records) if records else {}

    tables = []
    for kind in (PHANTOM, REAL):
        shown = [
            name
            for name in PERTURBATIONS
            if any(k == f"{kind}{KIND_SEPARATOR}{name}" for _, _, k in results)
        ]
        if not shown:
            continue
        rows = [
            (stop, system, headline.title, scan_count(len(results[stop, system, k])), *cells)
            for headline in HEADLINES
            for stop, system, k in results
            if (stop, k) == (headline.stop, kind)
            and (cells := _cells(figures, headline, system, kind, shown)) is not None
        ]
        if rows:
            columns = ("stop", "system", "figure", "n", "as it is", *shown)
            title = f"Change under perturbation, {data_title(kind)}"
            tables.append(Table(title, columns, tuple(rows), NOTE, n_left=4))
    return tables


def _cells(
    figures: FiguresOf, headline: Headline, system: str, kind: str, names: Sequence[str]
) -> tuple[Cell, ...] | None:
    """Return the figure on scans as they are and its changes; None where there is none."""
    base = figures(headline.stop, system, kind).get(headline.key)
    if base is None:
        return None
    changes = []
    for name in names:
        value = figures(headline.stop, system, f"{kind}{KIND_SEPARATOR}{name}").get(headline.key)
        changes.append(None if value is None else headline.show_change(value - base))
    return (headline.show(base), *changes)
