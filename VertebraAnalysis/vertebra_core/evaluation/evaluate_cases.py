"""``evaluate cases``: analyse CTs whose truth is known and print how good the result is."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ..analysis import Vertebra
from ..errors import InputError
from ..label_numbers import AUTO, SCHEMES
from ..run_arguments import add_models_argument
from ..settings import add_setting_argument
from .case_evaluation import CaseEvaluation
from .case_files import CaseFiles, find_cases
from .case_loading import load_case
from .grade_matching import Grades, grades_by_case, names_without_case
from .grade_table import read_grades
from .measured_pipeline import Analyse, add_computing_arguments
from .output import add_output_arguments, by_kind, print_records, progress
from .predictor import measured
from .public_cases import evaluate_public_data, present
from .record_log import open_log
from .records import CaseRecord
from .reliability_svg import write_reliability
from .result_folders import result_folders
from .tables import Table


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
        "are not analysed again while their files stay as they are",
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
        If there is nothing to evaluate, an option has no effect, the grades are of none of the
        cases, or the output folder belongs to another evaluation; after everything else, if some
        cases could not be read or have no result.
    OutputError
        If nothing can be written to the output folder.
    """
    if (args.folder is None) == (args.public_data is None):
        raise InputError(
            "nothing_to_evaluate",
            "Either a folder of cases or --public-data must be given.",
            "Try `evaluate cases FOLDER`.",
        )
    _check_effect(args)
    cases = everything = find_cases(args.folder) if args.folder else present(args.public_data)
    grades = read_grades(args.grades) if args.grades else None
    by_case = _graded(cases, grades or {})
    if args.cases:
        cases = _selected(cases, args.cases)
    results = None
    if args.results is not None:
        names, all_names = ([c.name for c in own] for own in (cases, everything))
        results = result_folders(args.results, names, all_names)
    predict, weights = measured(args, analyse, results)
    log = open_log(args.output, _settings(args, weights, grades))
    evaluation = CaseEvaluation(predict, log, results, args.localisers)
    if args.public_data is None:
        records, unread = evaluate_cases(cases, evaluation, args.numbers, by_case)
        if records:
            _report(records, args)
        if unread:
            raise _incomplete(unread, len(cases))
        return 0
    grade_masks = partial(_grade_masks, args) if args.results is None else None
    records, requirements = evaluate_public_data(args.public_data, evaluation, grade_masks)
    _report(records, args, requirements)
    return 0


def _check_effect(args: argparse.Namespace) -> None:
    """Refuse options of folders of cases where the public data are evaluated."""
    if args.public_data is None:
        return
    given = {"--cases": args.cases, "--grades": args.grades, "--numbers": args.numbers != AUTO}
    idle = [option for option, value in given.items() if value]
    if idle:
        raise InputError(
            "bad_arguments",
            f"{' and '.join(idle)} would change nothing of --public-data.",
            "Leave it out, or give a folder of cases.",
        )


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


def evaluate_cases(
    cases: Iterable[CaseFiles],
    evaluation: CaseEvaluation,
    scheme: str = AUTO,
    grades: Grades | None = None,
) -> tuple[list[CaseRecord], list[str]]:
    """Evaluate `cases` one after the other.

    One that cannot be read, or has no result, is told and passed over.

    Parameters
    ----------
    cases : iterable of CaseFiles
    evaluation : CaseEvaluation
    scheme : str
        Numbering of the true label maps.
    grades : mapping, optional
        Name of a case -> level name -> Genant grade.

    Returns
    -------
    records : list of CaseRecord
    unread : list of str
        Names of the cases that are not among them.
    """
    records, unread = [], []
    for files in cases:
        known = (grades or {}).get(files.name)
        record = evaluation.record(files, lambda own, known=known: load_case(own, scheme, known))
        if record is None:
            unread.append(files.name)
        else:
            records.append(record)
    return records, unread


def _incomplete(unread: Sequence[str], count: int) -> InputError:
    return InputError(
        "cases_unread",
        f"{len(unread)} of {count} cases could not be read or have no result; they are not in the "
        f"figures: {', '.join(unread)}.",
        "Mend what is said of them above, or take them out of the folder.",
    )


def _graded(cases: Sequence[CaseFiles], grades: Grades) -> dict[str, Mapping[str, int]]:
    """Return the grades of all cases by their names."""
    names = [case.name for case in cases]
    own = dict(zip(names, grades_by_case(names, grades), strict=True))
    if grades and names:
        progress(f"grades: {sum(map(bool, own.values()))} of {len(names)} cases are in the table")
        left = names_without_case(names, grades)
        if left:
            progress(f"grades: {left}")
    return own


def _grade_masks(args: argparse.Namespace, path: Path) -> tuple[Vertebra, ...]:
    from ..grade_pipeline import GradeOptions, grade_segmentation
    from ..reading import read_label_map

    options = GradeOptions(args.device, args.threads, args.models)
    return grade_segmentation(read_label_map(path), options=options)[0].analysis.vertebrae


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
