"""``evaluate cases|consistency|keypoints|phantoms|records`` and ``evaluate --compare``."""

from __future__ import annotations

import argparse

from ..console import Console
from ..errors import InputError

_KINDS = {
    "cases": "CTs with labels: everything is measured",
    "consistency": "CTs without labels: how stable results are when a scan is perturbed",
    "keypoints": "body centres with levels: positional logic alone",
    "phantoms": "synthetic CTs made for the occasion",
    "records": "what an earlier evaluation recorded, without analysing again",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate``."""
    from ..evaluation import (
        evaluate_cases,
        evaluate_consistency,
        evaluate_keypoints,
        evaluate_phantoms,
        evaluate_records,
    )

    modules = (
        evaluate_cases,
        evaluate_consistency,
        evaluate_keypoints,
        evaluate_phantoms,
        evaluate_records,
    )
    parser.add_argument(
        "--compare",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="set all systems side by side on the same scans; see `evaluate --compare --help`",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT")
    for (name, purpose), module in zip(_KINDS.items(), modules, strict=True):
        own = kinds.add_parser(name, help=purpose, description=f"Measure on {purpose}.")
        module.add_arguments(own)
        own.set_defaults(evaluate=module.run)


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
