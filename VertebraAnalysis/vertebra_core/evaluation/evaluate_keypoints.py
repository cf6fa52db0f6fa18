"""``evaluate keypoints``: positional logic alone, on detected body centres without any image."""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from .output import add_output_arguments, print_json, progress
from .tables import Cell, Table, decimals, join, percent

SHARE_WORDS = ("rate", "right", "recall", "precision", "accuracy", "share", "found")
"""A figure whose name holds one of these is a share and printed in percent."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate keypoints``."""
    parser.add_argument(
        "file", type=Path, help="detected and true body centres, one scan per line (.jsonl.gz)"
    )
    parser.add_argument("--folds", type=int, default=5, help="parts for cross-validation")
    add_output_arguments(parser)


def run(args: argparse.Namespace, evaluate: Callable[..., dict] | None = None) -> int:
    """Run ``evaluate keypoints``.

    Parameters
    ----------
    args : argparse.Namespace
        As parsed with `add_arguments`.
    evaluate : callable, optional
        By default `labelling.keypoints.evaluate_keypoints`.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If there is no such file, or too few parts.
    """
    if not args.file.is_file():
        raise InputError(
            "no_such_file",
            f"There is no file {args.file}.",
            "Give a .jsonl.gz of detected and true body centres.",
        )
    if args.folds < 2:
        raise InputError("bad_folds", "Cross-validation needs at least 2 parts.", "Try --folds 5.")
    if evaluate is None:
        _check_file(args.file, args.folds)
        from ..labelling.keypoints import evaluate_keypoints as evaluate

    def tell(done: int) -> None:
        progress(f"{done} of {args.folds} parts")

    figures = evaluate(args.file, args.folds, on_fold=tell)
    if args.json:
        print_json(figures)
    else:
        print(join(keypoint_tables(figures), args.markdown))
    return 0


def _check_file(path: Path, folds: int) -> None:
    from ..labelling.keypoint_scans import read_keypoint_scans

    hint = "Give JSON lines with scan, true_bodies and detected_bodies, a scan per line."
    try:
        n_scans = len(read_keypoint_scans(path))
    except (ValueError, OSError, EOFError, zlib.error) as error:
        # A line that is no scan is named by the message; what is no text at all has no such words.
        reason = str(error) if str(error).startswith("line ") else "it is damaged or no such file"
        raise InputError(
            "bad_keypoints", f"{path.name} cannot be read: {reason.rstrip('.')}.", hint
        ) from error
    if n_scans < folds:
        raise InputError(
            "bad_keypoints", f"{path.name} holds {n_scans} scans, too few for {folds} parts.", hint
        )


def keypoint_tables(figures: dict) -> list[Table]:
    """Turn figures into tables: plain ones into one, every group of groups into one of its own."""
    plain = {k: v for k, v in figures.items() if not isinstance(v, dict | list)}
    tables = []
    if plain:
        rows = tuple((_words(k), _shown(k, v)) for k, v in plain.items())
        title = "Positional logic on detected body centres"
        tables.append(Table(title, ("figure", "value"), rows))
    for name, group in figures.items():
        if isinstance(group, dict) and group:
            tables.append(_group_table(_words(name).capitalize(), group))
    return tables


def _group_table(title: str, group: dict) -> Table:
    if all(isinstance(v, dict) for v in group.values()):
        keys = tuple(dict.fromkeys(k for row in group.values() for k in row))
        rows = tuple((name, *(_shown(k, row.get(k)) for k in keys)) for name, row in group.items())
        return Table(title, ("group", *(_words(k) for k in keys)), rows)
    rows = tuple((name, _shown(title, value)) for name, value in group.items())
    return Table(title, ("group", "value"), rows)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _shown(key: str, value: object) -> Cell:
    if isinstance(value, bool) or not isinstance(value, float):
        return None if value is None else str(value)
    is_share = any(word in key for word in SHARE_WORDS) and 0 <= value <= 1
    return percent(value) if is_share else decimals(value, 3)
