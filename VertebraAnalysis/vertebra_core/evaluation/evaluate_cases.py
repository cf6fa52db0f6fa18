"""``evaluate cases``: analyse CTs whose truth is known and print how good the result is."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis import Vertebra
from ..errors import InputError
from ..label_numbers import AUTO, SCHEMES
from ..run_arguments import add_models_argument
from ..settings import add_setting_argument
from ..volume import CtVolume
from .case_files import CaseFiles, find_cases
from .case_loading import load_case
from .grade_table import grades_of, read_grades
from .measured_pipeline import (
    Analyse,
    add_computing_arguments,
    chosen_device,
    pipeline_of,
    weights_of,
)
from .output import add_output_arguments, by_kind, print_records, progress
from .prediction import Predict, Prediction, failed, from_result, read_result
from .record_log import RecordLog, open_log
from .records import CaseRecord
from .reliability_svg import write_reliability
from .scoring import score_case
from .tables import Table

if TYPE_CHECKING:
    import torch

Grades = Mapping[str, Mapping[str, int]]
"""Scan -> level name -> Genant grade."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate cases``."""
    parser.add_argument("folder", type=Path, nargs="?", help="folder of CTs with labels")
    parser.add_argument(
        "--public-data",
        type=Path,
        metavar="FOLDER",
        help="the project's public test data: prints what must be reached on it",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="score what `analyze` wrote to FOLDER/CASE instead of analysing",
    )
    add_models_argument(parser)
    add_computing_arguments(parser)
    parser.add_argument(
        "--numbers", choices=SCHEMES, default=AUTO, help="numbering of the true label maps"
    )
    parser.add_argument(
        "--grades",
        type=Path,
        metavar="CSV",
        help="table of Genant grades: columns case, label, genant_grade, or VerSe's own",
    )
    parser.add_argument(
        "--cases", nargs="+", metavar="NAME", help="only these cases (names as printed)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="keep a record of every case and the reliability diagrams here; cases recorded before "
        "are not analysed again",
    )
    add_setting_argument(parser)
    add_comparison_arguments(parser)
    add_output_arguments(parser)


def add_comparison_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option that compares localisers."""
    parser.add_argument(
        "--localisers",
        action="store_true",
        help="state LocNet-F and LocNet-H alone too, with and without the chain",
    )


def run(args: argparse.Namespace, analyse: Analyse | None = None) -> int:
    """Run ``evaluate cases``.

    Parameters
    ----------
    args : argparse.Namespace
        As parsed with `add_arguments`.
    analyse : callable, optional
        By default the whole pipeline as it was asked for.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If there is nothing to evaluate, a case cannot be read, or the output folder belongs to
        another evaluation.
    OutputError
        If nothing can be written to the output folder.
    """
    if (args.folder is None) == (args.public_data is None):
        raise InputError(
            "nothing_to_evaluate",
            "Either a folder of cases or --public-data must be given.",
            "Try `evaluate cases FOLDER`.",
        )
    cases = find_cases(args.folder) if args.folder else ()
    if args.folder and args.cases:
        cases = _selected(cases, args.cases)
    grades = read_grades(args.grades) if args.grades else None
    weights: dict[str, str] = {}
    if analyse is None and args.results is None:
        analyse = pipeline_of(args)
        weights = weights_of(args) if args.output else {}
    device = chosen_device(args) if args.localisers else None
    predict = predictor(args.results, analyse, args.localisers, args.models, device)
    log = open_log(args.output, _settings(args, weights, grades))
    if args.public_data is None:
        _report(evaluate_cases(cases, predict, args.numbers, grades, log), args)
        return 0
    from .public_cases import evaluate_public_data

    grade_masks = partial(_grade_masks, args) if args.results is None else None
    records, requirements = evaluate_public_data(args.public_data, predict, log, grade_masks)
    _report(records, args, requirements)
    return 0


def _settings(
    args: argparse.Namespace, weights: Mapping[str, str], grades: Grades | None
) -> dict[str, object]:
    """Return what records depend on that the names of their cases do not say."""
    sorted_grades = json.dumps(grades, sort_keys=True).encode()
    grades_sum = {"sha256": hashlib.sha256(sorted_grades).hexdigest()}
    return {
        "setting": args.setting,
        "weights": dict(weights),
        "results": str(args.results.resolve()) if args.results else None,
        "numbers": args.numbers,
        "grades": grades_sum if grades else None,
    }


def _report(
    records: list[CaseRecord], args: argparse.Namespace, requirements: Table | None = None
) -> None:
    if args.output:
        write_reliability(args.output, by_kind(records))
    print_records(_groups(records, args), args, requirements)


def _groups(records: list[CaseRecord], args: argparse.Namespace) -> dict[str, list[CaseRecord]]:
    # JSON states all together (with real scans and phantoms inside), tables never mix the two.
    return {"All": records} if args.json else by_kind(records)


def predictor(
    results: Path | None,
    analyse: Analyse | None,
    with_localisers: bool = False,
    models_folder: Path | None = None,
    device: torch.device | None = None,
) -> Predict:
    """Return what predicts a case from its name and CT: files of an earlier run, or the analysis.

    An analysis that refuses a scan counts as "nothing found" with a note: a scan that cannot be
    analysed must not vanish from the figures.

    Parameters
    ----------
    results : Path or None
        Folder of earlier results.
    analyse : callable or None
        Not needed where there are earlier results.
    with_localisers : bool
        Whether to run each localiser alone as well.
    models_folder : Path, optional
        Weights of the localisers; by default the bundled ones.
    device : device, optional
        Of the localisers; by default the processor.
    """
    predict: Predict
    if results is not None:

        def predict(name: str, ct: CtVolume) -> Prediction:
            return read_result(_result_folder(results, name), ct)

    else:

        def predict(name: str, ct: CtVolume) -> Prediction:
            try:
                return from_result(analyse(ct))
            except InputError as error:
                return failed(str(error), ct.hu.shape)

    if not with_localisers:
        return predict
    from .localiser_comparison import comparison

    compare = comparison(models_folder, device or "cpu")
    return lambda name, ct: replace(predict(name, ct), centres_by_localiser=compare(ct))


def evaluate_cases(
    cases: Iterable[CaseFiles],
    predict: Predict,
    scheme: str = AUTO,
    grades: Grades | None = None,
    log: RecordLog | None = None,
) -> list[CaseRecord]:
    """Evaluate `cases` one after the other.

    Parameters
    ----------
    cases : iterable of CaseFiles
    predict : callable
        See `predictor`.
    scheme : str
        Numbering of the true label maps.
    grades : mapping, optional
    log : RecordLog, optional
        Cases in it are not evaluated again.
    """
    log = log or RecordLog(None)
    records = []
    for files in cases:
        if files.name not in log:
            started = time.monotonic()
            ct, truth = load_case(files, scheme, grades_of(files.name, dict(grades or {})))
            log.add(score_case(files.name, ct, truth, predict(files.name, ct)))
            progress(f"{files.name}: {time.monotonic() - started:.1f} s")
        records.append(log[files.name])
    return records


def _grade_masks(args: argparse.Namespace, path: Path) -> tuple[Vertebra, ...]:
    from ..grade_pipeline import GradeOptions, grade_segmentation
    from ..reading import read_label_map

    options = GradeOptions(args.device, args.threads, args.models)
    return grade_segmentation(read_label_map(path), options=options)[0].analysis.vertebrae


def _result_folder(results: Path, name: str) -> Path:
    """Folder of a case's result: by its full name, its last part, or `results` itself."""
    for folder in (results / name, results / Path(name).name, results):
        if (folder / "analysis.json").exists():
            return folder
    raise InputError(
        "no_result",
        f"There is no result of case {name} in {results}.",
        f"Run `analyze CT -o {results / Path(name).name}` first.",
    )


def _selected(cases: tuple[CaseFiles, ...], names: list[str]) -> tuple[CaseFiles, ...]:
    known = {c.name: c for c in cases}
    unknown = [n for n in names if n not in known]
    if unknown:
        raise InputError(
            "no_such_case",
            f"There is no case {', '.join(unknown)}.",
            f"There are: {', '.join(known)}.",
        )
    return tuple(known[n] for n in names)
