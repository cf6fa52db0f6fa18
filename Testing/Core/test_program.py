"""How the process of a command begins and ends."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("status", [0, 2])
def test_what_was_printed_arrives_and_the_status_is_told(status):
    code = f"""
from vertebra_core.program import leave
import sys
sys.stdout.write("grade 1")
sys.stderr.write("flagged")
leave({status})
"""
    done = run(code)
    assert (done.returncode, done.stdout, done.stderr) == (status, "grade 1", "flagged")


def test_leaving_does_not_wait_for_threads():
    code = """
from vertebra_core.program import leave
import threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
leave(0)
"""
    assert run(code).returncode == 0


def test_a_stream_nobody_reads_does_not_change_the_status():
    code = """
import os, sys
from vertebra_core.program import leave
reader, writer = os.pipe()
os.dup2(writer, 1)
os.close(writer)
os.close(reader)
sys.stdout = open(1, "w", buffering=1000)
sys.stdout.write("nobody reads this")
leave(3)
"""
    assert run(code).returncode == 3


def test_algebra_runs_in_one_thread_where_nothing_else_is_asked_for():
    code = """
import os, sys
import vertebra_core.command_line as command_line
command_line.main = lambda: print(os.environ["OPENBLAS_NUM_THREADS"]) or 0
from vertebra_core.program import run
run()
"""
    assert run(code).stdout.strip() == "1"
    done = run("import os; os.environ['OPENBLAS_NUM_THREADS'] = '3'\n" + code)
    assert done.stdout.strip() == "3"
