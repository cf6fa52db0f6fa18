"""The child process: what it says is delivered, and whatever it does wrong is told and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from process_life import isAlive
from VertebraAnalysisLib.AnalysisProcess import AnalysisProcess, describeExit
from VertebraAnalysisLib.ProcessTree import GRACE_S, ProcessTree
from VertebraAnalysisLib.ProgressLine import ErrorLine, ProgressLine, ResultLine, readLine

PROGRESS = '{"type":"progress","stage":"grading","fraction":0.5,"remaining_s":3.0}'
RESULT = '{"type":"result","folder":"Ergebnis-\u00e4"}'
posix = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


class Told:
    """Keeps what a process tells, and from which thread."""

    def __init__(self):
        self.progress, self.log, self.ends, self.threads = [], [], [], set()

    def process(self, command, **more):
        def keep(place):
            def call(*content):
                self.threads.add(threading.get_ident())
                place(content if len(content) != 1 else content[0])

            return call

        return AnalysisProcess(
            command,
            keep(self.progress.append),
            keep(lambda content: self.ends.append(("result", content))),
            keep(lambda content: self.ends.append(("error", *content))),
            keep(self.log.append),
            onCancelled=keep(lambda _: self.ends.append(("cancelled",))),
            **more,
        )


def script(text):
    """Command that runs a Python script whose output is not held back."""
    return [sys.executable, "-u", "-c", textwrap.dedent(text)]


def pollToEnd(process, limitS=30.0):
    deadline = time.monotonic() + limitS
    while process.running:
        assert time.monotonic() < deadline, "the process never ended"
        process.poll()
        time.sleep(0.02)


def pollForPids(process, file, count, limitS=30.0):
    """Return the numbers of the processes that have entered themselves in a file."""
    deadline = time.monotonic() + limitS
    while True:
        pids = [int(p) for p in file.read_text().split()] if file.exists() else []
        if len(pids) >= count:
            return pids
        assert time.monotonic() < deadline, f"only {len(pids)} processes have started"
        process.poll()
        time.sleep(0.05)


def runToEnd(text, **more):
    told = Told()
    process = told.process(script(text), **more)
    process.start()
    pollToEnd(process)
    return told


def testProgressAndResultArriveInOrderInThePollingThread():
    told = runToEnd(f"print('{PROGRESS}'); print('{RESULT}')")
    assert told.progress == [ProgressLine("grading", 0.5, 3.0)]
    assert told.ends == [("result", {"type": "result", "folder": "Ergebnis-ä"})]
    assert told.threads == {threading.get_ident()}


def testErrorOfTheCoreIsToldInItsOwnWords():
    told = runToEnd(
        """
        print('{"type":"error","code":"not_ct","message":"This is MR.","hint":"Give CT."}')
        raise SystemExit(2)
        """
    )
    assert told.ends == [("error", "This is MR.", "Give CT.")]


def testCrashIsToldWithExitCodeAndTheLogsEnd():
    told = runToEnd(
        """
        import sys
        for i in range(50): print('line', i, file=sys.stderr)
        print('out of memory in layer 3', file=sys.stderr)
        sys.exit(77)
        """
    )
    ((kind, message, hint),) = told.ends
    assert kind == "error"
    assert "exit code 77" in message
    assert hint.endswith("out of memory in layer 3")
    assert "line 0" not in hint.splitlines()
    assert "line 0" in told.log


@posix
def testKilledProcessIsToldBySignal():
    told = runToEnd("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert "SIGKILL" in told.ends[0][1]


def testDefectOfTheCoreIsToldWithTheLogsEnd():
    told = runToEnd(
        """
        import sys
        print('Traceback: KeyError', file=sys.stderr)
        print('{"type":"error","code":"defect","message":"The program failed.","hint":"x"}')
        sys.exit(1)
        """
    )
    assert told.ends[0][1] == "The program failed."
    assert "KeyError" in told.ends[0][2]


def testEndWithoutAnyWordIsAnError():
    assert runToEnd("pass").ends[0][0] == "error"


def testResultFollowedByACrashIsAnError():
    assert runToEnd(f"print('{RESULT}'); raise SystemExit(9)").ends[0][0] == "error"


def testHangingProcessIsStoppedAndToldWithTheLogsEnd():
    told = Told()
    process = told.process(
        script(
            f"""
            import sys, time
            print('loading the network', file=sys.stderr)
            print('{PROGRESS}')
            time.sleep(600)
            """
        ),
        silenceLimitS=0.5,
        startLimitS=20.0,
    )
    process.start()
    pollToEnd(process)
    ((kind, message, hint),) = told.ends
    assert kind == "error"
    assert "not answered" in message
    assert "loading the network" in hint
    deadline = time.monotonic() + 10.0
    while isAlive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not isAlive(process.pid)


def testApplicationThatSleptDoesNotTakeItForAHang():
    told = Told()
    lines = f"import time\nfor _ in range(6): print('{PROGRESS}'); time.sleep(0.3)"
    process = told.process(script(f"{lines}\nprint('{RESULT}')"), silenceLimitS=1.5)
    process.start()
    time.sleep(1.8)  # as when a dialog blocks the application
    pollToEnd(process)
    assert told.ends[0][0] == "result"


def testComputerThatSleptForHoursDoesNotTakeItForAHang():
    told = Told()
    process = told.process(script("import time; time.sleep(600)"), startLimitS=20.0)
    process.start()
    process.poll()
    process._polledAt -= 8 * 3600
    process.poll()
    assert process.running
    assert told.ends == []
    process.cancel(wait=True)


@posix
def testCancelEndsAStubbornTreeSoonAfterItsGrace(tmp_path):
    # A launcher, its child and its grandchild, all deaf to SIGTERM. Two seconds are promised; what
    # a busy machine adds is not the tree's fault.
    assert GRACE_S < 2.0
    worker = tmp_path / "deaf worker \u00e9.py"
    worker.write_text(
        textwrap.dedent(
            f"""
            import signal, subprocess, sys, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            depth = int(sys.argv[1])
            if depth:
                subprocess.Popen([sys.executable, __file__, str(depth - 1)])
            import os
            with open({str(tmp_path / "pids")!r}, 'a') as file: file.write(f'{{os.getpid()}} ')
            while True:
                print('{PROGRESS}', flush=True)
                time.sleep(0.1)
            """
        ),
        "utf-8",
    )
    told = Told()
    process = told.process([sys.executable, str(worker), "2"])
    process.start()
    pids = pollForPids(process, tmp_path / "pids", 3)
    began = time.monotonic()
    process.cancel()
    # The tree is deaf: whoever waited for it would wait for the whole grace.
    assert time.monotonic() - began < GRACE_S / 2, "cancel must not block"
    process.cancel()
    while any(isAlive(pid) for pid in pids):
        assert time.monotonic() - began < GRACE_S + 5.0
        time.sleep(0.02)
    pollToEnd(process, 3.0)
    assert told.ends == [("cancelled",)]


@posix
def testChildLeftBehindByACrashIsEndedToo(tmp_path):
    pidFile = tmp_path / "pid"
    told = runToEnd(
        f"""
        import os, subprocess, sys
        child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
        open({str(pidFile)!r}, 'w').write(str(child.pid))
        os.abort()
        """
    )
    assert "SIGABRT" in told.ends[0][1]
    assert not isAlive(int(pidFile.read_text()))


def testCancelAndWaitReturnsWhenNothingIsLeft():
    told = Told()
    process = told.process(script("import time; time.sleep(600)"))
    process.start()
    began = time.monotonic()
    process.cancel(wait=True)
    assert time.monotonic() - began < 2.0
    assert not isAlive(process.pid)


def testNothingIsToldAfterCancel():
    told = Told()
    process = told.process(
        script(f"import time\nwhile True: print('{PROGRESS}'); time.sleep(0.01)")
    )
    process.start()
    deadline = time.monotonic() + 30.0
    while not told.progress:
        assert time.monotonic() < deadline, "nothing was told"
        process.poll()
        time.sleep(0.01)
    time.sleep(0.3)  # lines wait, unread
    process.cancel()
    before = len(told.progress)
    pollToEnd(process)
    process.poll()
    assert len(told.progress) == before
    assert told.ends == [("cancelled",)]


def testProgramThatIsNotThereIsToldThroughPoll(tmp_path):
    told = Told()
    process = told.process([str(tmp_path / "PythonSlicer"), "-m", "vertebra_core"])
    process.start()
    assert told.ends == []
    pollToEnd(process)
    assert "cannot be started" in told.ends[0][1]


def testAProcessCannotBeStartedTwice():
    process = Told().process(script("pass"))
    process.start()
    with pytest.raises(RuntimeError):
        process.start()
    pollToEnd(process)


def testCancelBeforeStartAndAfterTheEndDoesNothing():
    told = Told()
    process = told.process(script(f"print('{RESULT}')"))
    process.cancel()
    process.start()
    pollToEnd(process)
    process.cancel(wait=True)
    process.poll()
    assert [end[0] for end in told.ends] == ["result"]


def testOtherTextOnStandardOutputGoesToTheLog():
    told = runToEnd(f"print('a library says hello'); print('[1, 2]'); print('{RESULT}')")
    assert told.log == ["a library says hello", "[1, 2]"]
    assert told.ends[0][0] == "result"


def testBrokenTextAndEndlessLinesDoNoHarm():
    told = runToEnd(
        f"""
        import sys
        sys.stderr.buffer.write(b'\\xff\\xfe broken' + b'x' * 3_000_000 + b'\\n')
        print('{RESULT}')
        """
    )
    assert told.ends[0][0] == "result"
    assert max(len(line) for line in told.log) <= 2000


def testAFloodOfLogDoesNotStallTheProcess():
    told = runToEnd(
        f"""
        import sys
        for i in range(20000): print('warning number', i, file=sys.stderr)
        print('{RESULT}')
        """
    )
    assert told.ends[0][0] == "result"
    assert len(told.log) == 20000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (PROGRESS, ProgressLine("grading", 0.5, 3.0)),
        ('{"type":"progress","stage":"x","fraction":7}', ProgressLine("x", 1.0, None)),
        (
            '{"type":"error","code":"a","message":"b","hint":null}',
            ErrorLine("a", "b", ""),
        ),
        ('{"type":"result"}', ResultLine({"type": "result"})),
        ('{"type":"progress","stage":"x"}', None),
        ('{"type":"progress","stage":"x","fraction":"half"}', None),
        ('{"type":"other"}', None),
        ("null", None),
        ("", None),
        ("{", None),
    ],
)
def testLinesAreReadOrPassedOver(line, said):
    assert readLine(line) == said


@posix
def testExitCodesAreSaidInWords():
    assert describeExit(-signal.SIGSEGV) == "ended by SIGSEGV"
    assert describeExit(3) == "exit code 3"
    assert describeExit(-9999) == "exit code -9999"
    assert describeExit(3221225477) == "exit code 0xC0000005"


def testWindowsEndsTheTreeWithoutAShell(monkeypatch):
    calls = []
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 8, raising=False)
    monkeypatch.setattr(subprocess, "run", lambda words, **more: calls.append((words, more)))
    tree = ProcessTree(script("import time; time.sleep(600)"))
    try:
        tree._killTreeOnWindows()
    finally:
        monkeypatch.undo()
        tree.end()
    ((words, more),) = calls
    assert words == ["taskkill", "/PID", str(tree.pid), "/T", "/F"]
    assert not more.get("shell")
    assert more["timeout"] < 2
