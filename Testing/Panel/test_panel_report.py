"""Saving the report from the panel."""

from __future__ import annotations

import pytest
from example_ct import suitableCt
from result_folder import writeFolder


@pytest.fixture
def driver(openPanel, slicer, tmp_path):
    """A panel that shows the example: T12 G0, L1 G1 wedge, borderline, L2 not graded."""
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    SceneWriter().write(writeFolder(tmp_path / "results"), suitableCt(slicer))
    opened = openPanel()
    opened.dialogs.path = str(tmp_path / "Befund ä")
    return opened


def testReportTellsTheStateAsReviewed(driver, tmp_path):
    driver.clickRow(1)
    driver.click("rejectButton")
    driver.clickRow(0)
    driver.choose("gradeSelector", "G2")
    driver.ui.reasonSelector.setEditText("seen in the image")
    driver.click("overrideButton")
    driver.click("exportReportButton")
    assert driver.panel.messages.kind == "information"
    page = (tmp_path / "Befund ä.html").read_text("utf-8")
    assert "seen in the image" in page and driver.panel.reader in page
    assert "left out here: L1" in page and "data:image/png" in page


def testReportOfAMovedCtIsRefused(driver, tmp_path):
    driver.ui.inputSelector.currentNode().SetOrigin(0, 0, 0)
    driver.click("exportReportButton")
    assert driver.panel.messages.kind == "error"
    assert not list(tmp_path.glob("*.html"))


def testReportNeedsResults(openPanel, slicer):
    suitableCt(slicer)
    assert not openPanel().ui.exportReportButton.enabled
