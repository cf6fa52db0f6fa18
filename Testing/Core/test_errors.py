"""Errors carry a code, a sentence, a hint and an exit code, also from one process to another."""

from __future__ import annotations

import pickle

import pytest
from vertebra_core.errors import Cancelled, InputError, OutputError, VertebraError, WeightsError


@pytest.mark.parametrize(
    ("error_class", "exit_code"),
    [(VertebraError, 1), (InputError, 2), (WeightsError, 2), (OutputError, 2), (Cancelled, 3)],
)
def test_exit_codes(error_class, exit_code):
    error = error_class("code", "It failed.", "Try again.")
    assert error.exit_code == exit_code
    assert isinstance(error, VertebraError)
    assert str(error) == "It failed. Try again."


def test_errors_survive_the_way_between_processes():
    error = pickle.loads(pickle.dumps(InputError("not_ct", "It is MR.", "Give a CT.")))
    assert (type(error), error.code, error.message, error.hint) == (
        InputError,
        "not_ct",
        "It is MR.",
        "Give a CT.",
    )


def test_cancelling_needs_no_words():
    assert Cancelled().code == "cancelled"
    assert str(Cancelled()).endswith(".")
