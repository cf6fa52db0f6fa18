"""How much every system loses when scans are perturbed, one figure for each stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from .compare_cases import KIND_SEPARATOR, data_title
from .compare_tables import Results, contributing, figures_of
from .perturbations import PERTURBATIONS, slices_reached
from .records import PART_SEPARATOR, PHANTOM, REAL, CaseRecord
from .tables import Cell, Table, decimals, percent, scan_count

NOTE = (
    "Columns of perturbations state the difference to the same scans as they are; of shares in "
    "points of a hundred. Scans that a perturbation leaves as they are do not count for it. A crop "
    "leaves fewer vertebrae to count."
)

Figures = Mapping[str, float | None]
FiguresOf = Callable[..., Figures]
"""(stop, system, kind of data, perturbation if any) -> figures of the stop, on scans that it
changes; none where there are no records."""


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
    def figures(stop: str, system: str, kind: str, name: str = "") -> Figures:
        """Figures of a kind of data; of those scans alone that perturbation `name` changes."""
        records = results.get((stop, system, kind), ())
        if name:
            changed = {
                _scan(r, name) for r in results.get((stop, system, _perturbed(kind, name)), ())
            }
            records = [r for r in records if _scan(r) in changed]
        return figures_of(stop, records) if records else {}

    tables = []
    for kind in (PHANTOM, REAL):
        shown = [
            name
            for name in PERTURBATIONS
            if any(k == _perturbed(kind, name) for _, _, k in results)
        ]
        if not shown:
            continue
        rows = [
            (stop, system, headline.title, _scans(results, stop, system, kind, shown), *cells)
            for headline in HEADLINES
            for stop, system, k in results
            if (stop, k) == (headline.stop, kind)
            and (cells := _cells(figures, headline, system, kind, shown)) is not None
        ]
        if rows:
            columns = ("stop", "system", "figure", "n", "as it is", *shown)
            title = f"Change under perturbation, {data_title(kind)}"
            note = f"{NOTE} {_slices_reached(results, kind, shown)}".strip()
            tables.append(Table(title, columns, tuple(rows), note, n_left=4))
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
        value = figures(headline.stop, system, _perturbed(kind, name)).get(headline.key)
        before = figures(headline.stop, system, kind, name).get(headline.key)
        known = value is not None and before is not None
        changes.append(headline.show_change(value - before) if known else None)
    return (headline.show(base), *changes)


def _perturbed(kind: str, name: str) -> str:
    return f"{kind}{KIND_SEPARATOR}{name}"


def _scan(record: CaseRecord, perturbation: str = "") -> str:
    """Return the name of the scan that a record is of, as it is without the perturbation."""
    scan = record.name.split(PART_SEPARATOR)[0]
    return scan.removesuffix(f"_{perturbation}") if perturbation else scan


def _scans(results: Results, stop: str, system: str, kind: str, names: Sequence[str]) -> str:
    """State on how many scans a row rests, and for which perturbations on fewer."""
    n = len(contributing(stop, results[stop, system, kind]))
    fewer = []
    for name in names:
        own = len(contributing(stop, results.get((stop, system, _perturbed(kind, name)), ())))
        if own < n:
            fewer.append(f"{name} {own}")
    return scan_count(n) + (f" ({', '.join(fewer)})" if fewer else "")


def _slices_reached(results: Results, kind: str, names: Sequence[str]) -> str:
    """State the slice distances that perturbations of slices came to."""
    reached = {
        name: [r.spacing_xyz_mm[2] for (_, _, k), own in results.items() for r in own
               if k == _perturbed(kind, name)]
        for name in names
    }  # fmt: skip
    return slices_reached(reached)
