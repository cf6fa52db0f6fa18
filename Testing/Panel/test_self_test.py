"""The module's self-test, run on stand-ins for the application with the real child process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from QtStandIns import loadScriptedModule, qtStandInsMissing, startSlicerWithQt  # noqa: E402

pytestmark = pytest.mark.skipif(bool(qtStandInsMissing()), reason=qtStandInsMissing())


@pytest.fixture
def selfTest():
    slicer = startSlicerWithQt()
    slicer.mrmlScene.Clear(False)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene, True)
    for orientation in ("Axial", "Sagittal", "Coronal"):
        node = slicer.vtkMRMLSliceNode()
        node.SetLayoutName(orientation)
        slicer.mrmlScene.AddNode(node).SetOrientation(orientation)
    widget = loadScriptedModule(REPOSITORY / "VertebraAnalysis" / "VertebraAnalysis.py")
    from VertebraAnalysisLib.SelfTest import SelfTest

    module = sys.modules["VertebraAnalysis"]
    yield SelfTest(module.VertebraAnalysisTest("runTest"), widget.panel)
    widget.cleanup()
    slicer.mrmlScene.Clear(False)


def test_bad_input_is_refused_in_one_sentence(selfTest):
    selfTest.refuseBadInput()


@pytest.mark.slow
def test_a_cancelled_analysis_leaves_the_scene_as_it_was(selfTest):
    selfTest.cancelLeavesTheScene()


@pytest.mark.slow
def test_the_sample_is_analyzed_corrected_saved_and_reopened(selfTest):
    selfTest.analyzeCorrectSaveReopen()
