"""What the help of every training says of its defaults is what it does without an argument."""

from __future__ import annotations

import argparse
import re
from functools import partial
from importlib import import_module

import pytest
from vertebra_core.commands.train import TRAININGS

TOLD = re.compile(r"^ +--([\w-]+).*?\(default ([^)]+)\)$", re.MULTILINE)
REQUIRED = {"--out": "OUT", "--bank": "BANK"}


@pytest.fixture
def help_and_defaults():
    """Flag -> default that the help tells; attribute -> value without an argument."""
    # Every argument has a line of its own.
    wide = partial(argparse.HelpFormatter, max_help_position=100, width=1000)

    def of(network: str) -> tuple[dict[str, str], dict[str, object]]:
        parser = argparse.ArgumentParser(formatter_class=wide)
        import_module(f"vertebra_core.training.{TRAININGS[network][0]}").add_arguments(parser)
        words = [word for pair in REQUIRED.items() for word in pair]
        return dict(TOLD.findall(parser.format_help())), vars(parser.parse_args(words))

    return of


def as_told(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@pytest.mark.parametrize("network", [name for name in TRAININGS if name != "all"])
def test_the_help_tells_the_defaults_of_the_training_itself(network, help_and_defaults):
    told, defaults = help_and_defaults(network)
    assert {"batch-size", "learning-rate", "validation-samples", "replay-size"} <= set(told)
    assert told == {flag: as_told(defaults[flag.replace("-", "_")]) for flag in told}


def test_the_help_of_all_trainings_leaves_defaults_to_each(help_and_defaults):
    told, defaults = help_and_defaults("all")
    for flag in ("batch-size", "learning-rate", "seed", "device"):
        assert told[flag] == "each network's own"
        assert defaults[flag.replace("-", "_")] is None
