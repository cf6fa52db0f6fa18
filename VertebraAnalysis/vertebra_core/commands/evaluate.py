"""``evaluate cases|consistency|keypoints|painted|phantoms|records`` and ``evaluate --compare``."""

from __future__ import annotations

import argparse
from functools import partial
from importlib import import_module

from ..console import Console
from ..errors import InputError

_KINDS = {
    "cases": "CTs with labels: everything is measured",
    "consistency": "CTs without labels: how stable results are when a scan is perturbed",
    "keypoints": "body centres with levels: positional logic alone",
    "painted": "label maps of real spines, painted as CT",
    "phantoms": "synthetic CTs made for the occasion",
    "records": "what an earlier evaluation recorded, without analysing again",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate``: a sub-command for every kind, imported when chosen."""
    parser.add_argument(
        "--compare",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="set all systems side by side on the same scans; see `evaluate --compare --help`",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT")
    for name, purpose in _KINDS.items():
        sentence = f"Measure on {purpose}."
        kinds.add_parser(name, help=purpose, description=sentence, fill=partial(_add_kind, name))


def _add_kind(name: str, parser: argparse.ArgumentParser) -> None:
    module = import_module(f"..evaluation.evaluate_{name}", __package__)
    module.add_arguments(parser)
    parser.set_defaults(evaluate=module.run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``evaluate``; figures go to standard output."""
    if args.compare is not None:
        return _compare(args.compare)
    if args.kind is None:
        raise InputError(
            "bad_arguments",
            f"Say what to evaluate: {', '.join(_KINDS)}, or --compare.",
            "See: python -m vertebra_core evaluate --help",
        )
    return args.evaluate(args)


def _compare(words: list[str]) -> int:
    from ..command_line import PROGRAM, CommandParser
    from ..evaluation import compare_arguments

    parser = CommandParser(
        prog=f"{PROGRAM} evaluate --compare",
        description="Run every system whose weights are there on the same scans; print one report.",
    )
    compare_arguments.add_arguments(parser)
    return compare_arguments.run(parser.parse_args(words))
