"""How much every system loses when scans are perturbed, one figure for each stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .compare_cases import KIND_SEPARATOR, data_title
from .compare_tables import Results, figures_of, scan_count
from .perturbations import PERTURBATIONS
from .records import PHANTOM, REAL
from .tables import Cell, Table, decimals, percent

NOTE = (
    "Columns of perturbations state the difference to the same scans as they are; of shares in "
    "points of a hundred. A crop leaves fewer vertebrae to count."
)


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
    tables = []
    for kind in (PHANTOM, REAL):
        shown = [
            name
            for name in PERTURBATIONS
            if any(k == f"{kind}{KIND_SEPARATOR}{name}" for _, _, k in results)
        ]
        rows = [
            row
            for headline in HEADLINES
            for stop, system, k in results
            if (stop, k) == (headline.stop, kind)
            and (row := _row(results, headline, system, kind, shown)) is not None
        ]
        if shown and rows:
            columns = ("stop", "system", "figure", "n", "as it is", *shown)
            title = f"Change under perturbation, {data_title(kind)}"
            tables.append(Table(title, columns, tuple(rows), NOTE, n_left=4))
    return tables


def _row(
    results: Results, headline: Headline, system: str, kind: str, names: Sequence[str]
) -> tuple[Cell, ...] | None:
    def figure(of: str) -> float | None:
        records = results.get((headline.stop, system, of), ())
        figures: Mapping[str, object] = figures_of(headline.stop, records) if records else {}
        return figures.get(headline.key)

    base = figure(kind)
    if base is None:
        return None
    changes = []
    for name in names:
        value = figure(f"{kind}{KIND_SEPARATOR}{name}")
        changes.append(None if value is None else headline.show_change(value - base))
    n = scan_count(results[(headline.stop, system, kind)])
    return (headline.stop, system, headline.title, n, headline.show(base), *changes)
