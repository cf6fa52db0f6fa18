"""Progress, its heartbeat, and stopping on request."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Callable

import pytest
from vertebra_core.cancellation import Cancellation
from vertebra_core.console import Heartbeat, JsonConsole, TextConsole
from vertebra_core.errors import Cancelled, InputError
from vertebra_core.progress import Progress, ProgressTracker

WEIGHTS = {"reading": 1.0, "segmentation": 7.0, "writing": 2.0}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def wait_until(happens: Callable[[], object], limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while not happens():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_fraction_weighs_stages_by_their_time():
    tracker = ProgressTracker(WEIGHTS, Clock())
    assert tracker.current() == Progress("reading", 0.0, None)
    tracker.report("segmentation", 0.5)
    assert tracker.current().stage == "segmentation"
    assert tracker.current().fraction == pytest.approx(0.1 + 0.35)
    tracker.report("writing", 1.0)
    assert tracker.current().fraction == pytest.approx(1.0)


def test_fraction_never_goes_back():
    tracker = ProgressTracker(WEIGHTS, Clock())
    tracker.report("writing", 0.0)
    tracker.report("segmentation", 0.2)
    tracker.report("reading", 7.0)
    assert tracker.current().fraction == pytest.approx(0.8)
    assert tracker.current().stage == "writing"


def test_remaining_time_follows_the_speed_and_counts_down():
    clock = Clock()
    tracker = ProgressTracker(WEIGHTS, clock)
    clock.now += 5
    tracker.report("segmentation", 4 / 7)
    assert tracker.current().remaining_s == pytest.approx(5.0)
    clock.now += 3
    assert tracker.current().remaining_s == pytest.approx(2.0)
    clock.now += 30
    assert tracker.current().remaining_s == 0.0


def test_an_unknown_stage_is_a_mistake():
    with pytest.raises(KeyError):
        ProgressTracker(WEIGHTS).report("cooking", 0.5)


def test_json_console_writes_one_object_per_line():
    stream = io.StringIO()
    console = JsonConsole(stream)
    console.progress(Progress("reading", 1 / 3, None))
    console.progress(Progress("grading", 0.9, 1.26))
    console.result({"folder": "öut"}, "text")
    console.error(InputError("not_ct", "This is\nno CT.", "Give one."))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines == [
        {"type": "progress", "stage": "reading", "fraction": 0.3333, "remaining_s": None},
        {"type": "progress", "stage": "grading", "fraction": 0.9, "remaining_s": 1.3},
        {"type": "result", "folder": "öut"},
        {"type": "error", "code": "not_ct", "message": "This is\nno CT.", "hint": "Give one."},
    ]


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [("json", "utf-8"), ("text", "utf-8"), ("text", "latin-1"), ("text", "ascii")],
)
def test_names_that_a_stream_cannot_hold_are_told_all_the_same(kind, encoding):
    # A folder's name may be no text; a terminal may know few letters.
    name = os.fsdecode(b"M\xfcller") + " \u25cb"
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = JsonConsole(out) if kind == "json" else TextConsole(out, out, bar=False)
    console.result({"folder": name}, f"Results are in {name}.")
    console.error(InputError("not_found", f"There is no {name}.", "Check the path."))
    lines = out.buffer.getvalue().decode(out.encoding).splitlines()
    assert len(lines) == 2 and all("M?ller" in line for line in lines)


def test_text_console_draws_over_its_bar():
    out, err = io.StringIO(), io.StringIO()
    console = TextConsole(out, err, bar=True)
    console.progress(Progress("segmentation", 0.5, 100.0))
    assert err.getvalue().startswith("\r[" + "#" * 15 + "." * 15 + "]  50% segmentation, 1 min 40")
    console.result({}, "done")
    assert out.getvalue() == "done\n" and err.getvalue().endswith(" \r")
    silent = TextConsole(io.StringIO(), io.StringIO(), bar=False)
    silent.progress(Progress("reading", 0.5, 1.0))
    assert silent._err.getvalue() == ""


def test_heartbeat_goes_on_while_the_work_is_silent():
    stream = io.StringIO()
    with Heartbeat(ProgressTracker(WEIGHTS), JsonConsole(stream), lambda: None, 0.02) as heart:
        wait_until(lambda: stream.getvalue().count("\n") >= 4)
        heart.report("writing", 0.0)
        assert json.loads(stream.getvalue().splitlines()[-1])["stage"] == "writing"
    after = stream.getvalue()
    time.sleep(0.06)
    assert stream.getvalue() == after


def test_work_stops_when_nobody_listens():
    reader, writer = os.pipe()
    os.close(reader)
    cancellation = Cancellation()
    stream = os.fdopen(writer, "w")
    with Heartbeat(ProgressTracker(WEIGHTS), JsonConsole(stream), cancellation.cancel, 0.02):
        wait_until(cancellation)
    with pytest.raises(Cancelled):
        cancellation.check()
    with pytest.raises(BrokenPipeError):
        stream.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM between processes")
def test_signals_are_heard_and_old_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    exits = []
    with Cancellation(exits.append) as cancellation:
        assert not cancellation()
        os.kill(os.getpid(), signal.SIGTERM)
        wait_until(cancellation)
    assert signal.getsignal(signal.SIGTERM) is before
    assert exits == []


def test_work_that_does_not_stop_is_ended_after_tidying_up(monkeypatch):
    monkeypatch.setattr("vertebra_core.cancellation.GRACE_S", 0.05)
    done = []
    with Cancellation(lambda status: done.append(status)) as cancellation:
        cancellation.before_exit(lambda: done.append("told"))
        cancellation.before_exit(lambda: done.append("tidied"))
        cancellation.before_exit(lambda: 1 / 0)
        cancellation.cancel()
        wait_until(lambda: 3 in done)
    assert done == ["tidied", "told", 3]


@pytest.mark.parametrize("kind", ["text", "json"])
def test_cancelling_is_told_once_though_work_stops_while_it_is_being_ended(monkeypatch, kind):
    monkeypatch.setattr("vertebra_core.cancellation.GRACE_S", 0.05)
    stream = io.StringIO()
    console = JsonConsole(stream) if kind == "json" else TextConsole(stream, stream, bar=False)
    with pytest.raises(Cancelled) as stopped, Cancellation(lambda status: None) as cancellation:
        cancellation.before_exit(lambda: console.error(Cancelled()))
        cancellation.cancel()
        wait_until(stream.getvalue)
        cancellation.check()
    console.error(stopped.value)
    assert stream.getvalue().count("The analysis was cancelled.") == 1


def test_results_that_stand_are_not_taken_back(monkeypatch):
    monkeypatch.setattr("vertebra_core.cancellation.GRACE_S", 0.05)
    exits = []
    with Cancellation(exits.append) as cancellation:
        cancellation.cancel()
        cancellation.settle()
        time.sleep(0.2)
    assert exits == []
