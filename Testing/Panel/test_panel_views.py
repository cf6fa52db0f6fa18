"""What the panel does to the slice views."""

from __future__ import annotations

import numpy as np
from example_ct import suitableCt
from result_folder import writeFolder


def sagittalView(slicer):
    view = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceNode())
    view.SetLayoutName("Yellow")
    view.SetOrientation("Sagittal")
    return view


def axesOf(view):
    matrix = view.GetSliceToRAS()
    return np.array([[matrix.GetElement(i, j) for j in range(3)] for i in range(3)])


def testUntickingPutsTheViewsBackWithoutAChosenRow(openPanel, slicer, tmp_path):
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    ct, view = suitableCt(slicer), sagittalView(slicer)
    first = SceneWriter().write(writeFolder(tmp_path / "1"), ct)
    SceneWriter().write(writeFolder(tmp_path / "2"), ct)
    driver = openPanel()
    before = axesOf(view)
    driver.click("alongAxesCheckBox")
    driver.clickRow(1)
    assert np.abs(axesOf(view) - before).max() > 0.1
    driver.choose("resultsSelector", first.name)
    assert driver.panel.table.selectedKey == ""
    driver.click("alongAxesCheckBox")
    np.testing.assert_allclose(axesOf(view), before, atol=1e-6)
