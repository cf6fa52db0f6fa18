"""Dragging height lines in the panel: which line, of which results, and when."""

from __future__ import annotations

import numpy as np
import pytest
from example_ct import suitableCt
from result_folder import writeFolder
from ScriptedCore import WAITS, ScriptedCore


@pytest.fixture
def two(openPanel, slicer, tmp_path):
    """A panel and two result sets of one CT."""
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    folder, ct = writeFolder(tmp_path / "results"), suitableCt(slicer)
    first, second = (SceneWriter().write(folder, ct) for _ in range(2))
    driver = openPanel(core=ScriptedCore(WAITS))
    return driver, first, second


def shorten(line, mm):
    x, y, z = line.GetNthControlPointPositionWorld(0)
    line.SetNthControlPointPositionWorld(0, x, y, z - mm)


def drag(driver, line, mm):
    """Lower the upper end of a line as with the mouse."""
    line.InvokeEvent(line.PointStartInteractionEvent)
    shorten(line, mm)
    line.InvokeEvent(line.PointEndInteractionEvent)
    driver.settle()


def lengthOf(line):
    ends = [np.array(line.GetNthControlPointPositionWorld(i)) for i in (0, 1)]
    return float(np.linalg.norm(ends[0] - ends[1]))


def testALineMovedWhileOtherResultsWereShownIsPutBackAndToldOf(two):
    driver, first, second = two
    driver.choose("resultsSelector", second.name)
    key = driver.keyOf("L1")
    line = first.heightLineNodes[key, "anterior"]
    drag(driver, line, 8)
    driver.choose("resultsSelector", first.name)
    assert driver.panel.resultSet == first
    assert lengthOf(line) == pytest.approx(26, abs=1e-3)
    assert driver.panel.table.text(key, "Ha") == "26.0"
    assert driver.panel.messages.kind == "warning" and "L1" in driver.panel.messages.text


def testADragChangesTheDraggedLineAlone(two):
    driver, first, _ = two
    driver.choose("resultsSelector", first.name)
    key = driver.keyOf("L1")
    with driver.panel.session.writing():
        # As when a script moves it while the panel does not look.
        shorten(first.heightLineNodes[key, "anterior"], 8)
    drag(driver, first.heightLineNodes[key, "posterior"], 0.5)
    heights = driver.panel.session.review.vertebra(key).heights_mm
    assert heights.posterior == pytest.approx(25.5, abs=0.01)
    assert heights.anterior == pytest.approx(26, abs=1e-3)
    assert lengthOf(first.heightLineNodes[key, "anterior"]) == pytest.approx(26, abs=1e-3)


def testTwoLinesOfABodyMovedInOneGoAreBothKept(two):
    driver, first, _ = two
    driver.choose("resultsSelector", first.name)
    key = driver.keyOf("L1")
    for name in ("anterior", "middle"):
        shorten(first.heightLineNodes[key, name], 3)
    assert driver.waitUntil(lambda: driver.panel.session.review.changes, 5)
    heights = driver.panel.session.review.vertebra(key).heights_mm
    assert (heights.anterior, heights.middle) == pytest.approx((23, 23), abs=0.01)


def testALineDraggedDuringARunIsPutBackAndToldOf(two):
    driver, first, _ = two
    driver.choose("resultsSelector", first.name)
    key = driver.keyOf("L1")
    line = first.heightLineNodes[key, "anterior"]
    driver.clickRow(driver.rows("Level").index("L1"))
    driver.click("remeasureButton")
    assert driver.panel.running
    line.InvokeEvent(line.PointStartInteractionEvent)
    shorten(line, 8)
    driver.waitUntil(lambda: False, 0.2)
    assert driver.rows("Ha")[1] == "26.0", "nothing is promised"
    line.InvokeEvent(line.PointEndInteractionEvent)
    driver.settle()
    assert lengthOf(line) == pytest.approx(26, abs=1e-3)
    assert not driver.panel.session.review.changes and driver.panel.running
    assert driver.panel.messages.kind == "error"
    driver.panel.runs.cancel(wait=True)
    drag(driver, line, 8)
    assert driver.panel.session.review.vertebra(key).heights_mm.anterior == pytest.approx(18)


def testAMovedCtIsToldWhenItsResultsAreOpened(openPanel, slicer, tmp_path):
    from VertebraAnalysisLib.Coordinates import matrixFromArray
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    ct = suitableCt(slicer)
    results = SceneWriter().write(writeFolder(tmp_path / "results"), ct)
    matrix = np.eye(4)
    matrix[:3, 3] = 15, -10, 30
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrixFromArray(matrix))
    ct.SetAndObserveTransformNodeID(transform.GetID())
    driver = openPanel()
    assert driver.panel.messages.kind == "warning"
    assert "not where it was" in driver.panel.messages.text
    for node in results.nodes:
        if node.IsA("vtkMRMLTransformableNode"):
            node.SetAndObserveTransformNodeID(transform.GetID())
    driver.panel.messages.clear()
    driver.panel.enter()
    assert not driver.panel.messages.text, "moved together they fit"
    view = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceNode())
    view.SetLayoutName("Yellow")
    driver.clickRow(1)
    shown = [view.GetSliceToRAS().GetElement(i, 3) for i in range(3)]
    point = results.centersNode.GetNthControlPointPositionWorld(1)
    assert shown == pytest.approx(list(point), abs=1e-2)
    ct.SetAndObserveTransformNodeID(None)
    driver.panel.enter()
    assert "not where it was" in driver.panel.messages.text


def testACtMovedDuringItsAnalysisIsToldAtTheEnd(openPanel, slicer, tmp_path):
    from ScriptedCore import leaves
    from VertebraAnalysisLib.Coordinates import matrixFromArray

    ct = suitableCt(slicer)
    folder = writeFolder(tmp_path / "results")
    driver = openPanel(core=ScriptedCore("time.sleep(0.5)\n" + leaves(folder)))
    driver.click("analyzeButton")
    matrix = np.eye(4)
    matrix[0, 3] = 40
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrixFromArray(matrix))
    ct.SetAndObserveTransformNodeID(transform.GetID())
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.panel.messages.kind == "warning"
    assert "not where it was" in driver.panel.messages.text
    assert driver.rows("Level") == ["T12", "L1", "L2"], "the results are kept"
