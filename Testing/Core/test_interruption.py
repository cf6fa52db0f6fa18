"""Told to end while it loads its libraries, the program says what was cancelled, nothing else."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from vertebra_core import command_line
from vertebra_core.cancellation import raise_on_termination
from vertebra_core.command_line import main
from vertebra_core.errors import Cancelled, InputError


@pytest.fixture(autouse=True)
def handlers():
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    # What runs in the background of a shell script inherits an interrupt that is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def swallowed(number: int, error: Exception):
    """A library that is signalled in the midst of its import and fails of what that broke."""

    def load(*_: object) -> None:
        try:
            os.kill(os.getpid(), number)
            threading.Event().wait(5)
        except BaseException:
            raise error from None

    return load


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "error",
    [RecursionError("too deep"), AttributeError("half a module"), InputError("x", "No package.")],
)
@pytest.mark.parametrize(
    ("words", "what"),
    [(["train", "locnet", "--out", "W"], "training"), (["analyze", "ct.nii.gz"], "analysis")],
)
def test_what_a_signal_breaks_is_told_as_cancelled(number, error, words, what, monkeypatch, capsys):
    monkeypatch.setattr(command_line, "import_module", swallowed(number, error))
    assert main(words) == 3
    assert capsys.readouterr().err == f"The {what} was cancelled.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
def test_a_training_that_is_cancelled_before_it_begins_is_no_analysis(number, monkeypatch, capsys):
    def load(*_: object) -> None:
        os.kill(os.getpid(), number)
        threading.Event().wait(5)

    monkeypatch.setattr(command_line, "import_module", load)
    assert main(["train", "locnet", "--out", "W"]) == 3
    assert capsys.readouterr().err == "The training was cancelled.\n"


def test_a_defect_without_a_signal_stays_one(monkeypatch, capsys):
    def load(*_: object) -> None:
        raise AttributeError("half a module")

    monkeypatch.setattr(command_line, "import_module", load)
    assert main(["train", "locnet", "--out", "W"]) == 1
    assert "This is a defect" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
def test_an_interrupt_that_is_ignored_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_on_termination(Cancelled())
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
