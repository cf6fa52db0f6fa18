"""``evaluate cases|keypoints|phantoms``."""

from __future__ import annotations

import argparse

from ..console import Console

_KINDS = {
    "cases": "CTs with labels: everything is measured",
    "keypoints": "body centres with levels: positional logic alone",
    "phantoms": "synthetic CTs made for the occasion",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate``."""
    from ..evaluation import evaluate_cases, evaluate_keypoints, evaluate_phantoms

    modules = (evaluate_cases, evaluate_keypoints, evaluate_phantoms)
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    for (name, purpose), module in zip(_KINDS.items(), modules, strict=True):
        own = kinds.add_parser(name, help=purpose, description=f"Measure on {purpose}.")
        module.add_arguments(own)
        own.set_defaults(evaluate=module.run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``evaluate``; figures go to standard output."""
    return args.evaluate(args)
