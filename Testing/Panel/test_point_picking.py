"""One click into a real slice view, by way of 3D Slicer's own placing of points."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from QtStandIns import qtStandInsMissing
from SlicerBoot.openGlMissing import openGlMissing

CASE = Path(__file__).with_name("picking_view_case.py")


def testOneClickGivesThePointUnderTheMouseAndNoMore():
    if qtStandInsMissing() or openGlMissing():
        pytest.skip(qtStandInsMissing() or openGlMissing())
    done = subprocess.run([sys.executable, CASE], capture_output=True, text=True, timeout=300)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["moved"] == 0, "the point that follows the mouse is no click"
    (point,) = told["picked"]
    assert point == pytest.approx(told["wanted"], abs=0.01)
    assert not told["active"] and told["lists"] == 0
