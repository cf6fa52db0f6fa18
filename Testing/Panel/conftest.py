"""Fixtures of the tests that click the panel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from QtStandIns import qtStandInsMissing, startSlicerWithQt

SCENE_TESTS = Path(__file__).resolve().parents[1] / "Scene"
if str(SCENE_TESTS) not in sys.path:
    # The example results that the tests of the scene are made with.
    sys.path.append(str(SCENE_TESTS))


@pytest.fixture
def slicer():
    """3D Slicer with an empty scene; its Qt half stood in for."""
    if qtStandInsMissing():
        pytest.skip(qtStandInsMissing())
    started = startSlicerWithQt()
    started.mrmlScene.Clear(False)
    yield started
    started.mrmlScene.Clear(False)


@pytest.fixture
def openPanel(slicer):
    """Opens panels, and takes them away after the test."""
    from PanelDriver import PanelDriver

    opened = []

    def openOne(**options):
        opened.append(PanelDriver(**options))
        return opened[-1]

    yield openOne
    for driver in opened:
        driver.close()
    import qt

    qt.QSettings().clear()


@pytest.fixture
def driver(openPanel, slicer, tmp_path):
    """A panel that shows the example: T12 G0, L1 G1 wedge, borderline, L2 not graded."""
    from example_ct import suitableCt
    from result_folder import writeFolder
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    SceneWriter().write(writeFolder(tmp_path / "results"), suitableCt(slicer))
    return openPanel()
