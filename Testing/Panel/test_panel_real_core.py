"""The panel with the real inference core as its child process, on the sample CT."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def analyzedSample(openPanel):
    """A panel that has loaded and analyzed the sample, by one click."""
    driver = openPanel()
    driver.panel.parameters.threads = 1
    driver.click("sampleButton")
    assert driver.panel.running, driver.panel.messages.text
    stages = []
    driver.panel.runs._timer.timeout.connect(lambda: stages.append(driver.ui.stageLabel.text))
    assert driver.waitUntil(lambda: not driver.panel.running, 900)
    assert driver.panel.session.isOpen, driver.panel.messages.text
    assert {"Finding vertebrae", "Outlining vertebrae"} <= set(stages)
    return driver


def eraseTop(slicer, resultSet, key, slices):
    """Erase the uppermost slices of a vertebra's segment, as with Segment Editor's eraser."""
    import numpy as np

    node = resultSet.segmentationNode
    segmentId = resultSet.segmentIdOfKey(key)
    segment = node.GetSegmentation().GetSegment(segmentId)
    voxels = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, segmentId)
    own = voxels == segment.GetLabelValue()
    top = int(np.flatnonzero(own.any((1, 2))).max())
    low = top - slices + 1
    voxels[low:][own[low:]] = 0
    segment.GetRepresentation("Binary labelmap").GetPointData().GetScalars().Modified()
    segment.GetRepresentation("Binary labelmap").Modified()


def testSampleIsAnalyzedAndAnEditedSegmentMeasuredAgain(openPanel, slicer, tmp_path):
    driver = analyzedSample(openPanel)
    review = driver.panel.session.review
    assert any(v.grade for v in review.vertebrae), "the sample has fractures"
    chosen = next(v for v in review.vertebrae if v.grade == 0 and v.volume_ml)
    driver.clickRow([v.key for v in review.vertebrae].index(chosen.key))
    eraseTop(slicer, driver.panel.resultSet, chosen.key, 4)
    driver.click("remeasureButton")
    assert driver.panel.running, driver.panel.messages.text
    assert not driver.ui.acceptAllButton.enabled, "nothing is changed while a run is at work"
    assert driver.waitUntil(lambda: not driver.panel.running, 600)
    again = driver.panel.session.review.vertebra(chosen.key)
    assert again.remeasured, driver.panel.messages.text
    assert again.volume_ml < again.ai.volume_ml
    assert again.ai == chosen.ai, "the AI's value is kept"
    assert driver.panel.messages.text == f"{chosen.level} was measured again."
    path = tmp_path / "measured.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(path))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(path))
    driver.settle()
    assert driver.panel.session.review.vertebra(chosen.key).volume_ml == again.volume_ml
    driver.click("undoButton")
    assert driver.panel.session.review.vertebra(chosen.key).volume_ml == chosen.volume_ml
