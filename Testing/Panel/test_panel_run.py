"""Running an analysis from the panel: the real process handling around scripted children."""

from __future__ import annotations

import time

import pytest
from example_ct import suitableCt
from result_folder import writeFolder
from ScriptedCore import CRASHES, REFUSES, WAITS, ScriptedCore, leaves


def sceneState(slicer):
    scene = slicer.mrmlScene
    return [scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())]


def startedRun(openPanel, slicer, script):
    suitableCt(slicer)
    driver = openPanel(core=ScriptedCore(script))
    before = sceneState(slicer)
    driver.click("analyzeButton")
    assert driver.panel.running
    return driver, before


def testClickRunsAndShowsTheResults(openPanel, slicer, tmp_path):
    driver, _ = startedRun(openPanel, slicer, leaves(writeFolder(tmp_path / "results")))
    assert driver.ui.analyzeButton.text == "&Cancel"
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.rows("Level") == ["T12", "L1", "L2"]
    assert driver.panel.resultSet.inputNode.GetName() == "CT spine"
    assert driver.ui.analyzeButton.text == "&Analyze spine"
    assert not driver.ui.progressPanel.isVisible()
    assert "3 vertebrae" in driver.ui.summaryLabel.text


def testProgressNamesTheStageAndTheTimeLeft(openPanel, slicer):
    driver, _ = startedRun(openPanel, slicer, WAITS)
    assert driver.waitUntil(lambda: driver.ui.progressBar.value == 400)
    assert driver.ui.stageLabel.text == "Outlining vertebrae"
    assert driver.ui.remainingLabel.text == "about 30 s left"
    assert driver.ui.progressBar.isVisible()


def testCancelEndsTheRunSoonAndLeavesTheSceneAsItWas(openPanel, slicer):
    driver, before = startedRun(openPanel, slicer, WAITS)
    driver.waitUntil(lambda: driver.ui.progressBar.value > 0)
    began = time.monotonic()
    driver.click("analyzeButton")
    # On a busy computer the run may have ended before the click returns.
    assert not (driver.panel.running and driver.ui.analyzeButton.enabled)
    assert driver.waitUntil(lambda: not driver.panel.running)
    # Two seconds on a computer with nothing else to do.
    assert time.monotonic() - began < 20
    assert sceneState(slicer) == before
    assert driver.panel.messages.kind == "information"
    assert driver.ui.analyzeButton.enabled


def testCrashIsToldWithTheEndOfTheLog(openPanel, slicer):
    driver, before = startedRun(openPanel, slicer, CRASHES)
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.panel.messages.kind == "error"
    assert driver.ui.messagePanel.isVisible()
    assert "the graphics driver went away" in driver.panel.log.text
    assert sceneState(slicer) == before


def testRefusalIsToldInTheCoresOwnWords(openPanel, slicer):
    driver, _ = startedRun(openPanel, slicer, REFUSES)
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.panel.messages.text == "No vertebra was found. Check the CT."
    driver.click("dismissButton")
    assert not driver.ui.messagePanel.isVisible()


def testClosingTheSceneDuringARunIsSafe(openPanel, slicer):
    driver, _ = startedRun(openPanel, slicer, WAITS)
    slicer.mrmlScene.Clear(False)
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert not driver.panel.session.isOpen
    assert not driver.ui.analyzeButton.enabled
    assert slicer.util.getNodesByClass("vtkMRMLTextNode") == []


def testDeletingTheCtDuringARunStopsIt(openPanel, slicer):
    driver, _ = startedRun(openPanel, slicer, WAITS)
    slicer.mrmlScene.RemoveNode(driver.panel.input.node)
    assert driver.waitUntil(lambda: not driver.panel.running)
    assert driver.panel.messages.kind == "warning"
    assert "removed" in driver.panel.messages.text


def testTwoClicksDoNotStartTwoRuns(openPanel, slicer):
    driver, _ = startedRun(openPanel, slicer, WAITS)
    assert not driver.panel.startAnalysis()
    assert not driver.panel.loadSampleAndAnalyze()
    assert driver.core.runs == 1


def testTakingThePanelAwayEndsTheRun(openPanel, slicer):
    driver, before = startedRun(openPanel, slicer, WAITS)
    driver.panel.cleanup()
    assert not driver.panel.running
    assert sceneState(slicer) == before


@pytest.mark.parametrize(("answer", "sets"), [("replace", 1), ("add", 2), ("cancel", 1)])
def testSecondRunReplacesOnlyAfterAsking(openPanel, slicer, tmp_path, answer, sets):
    driver, _ = startedRun(openPanel, slicer, leaves(writeFolder(tmp_path / "results")))
    driver.waitUntil(lambda: not driver.panel.running)
    first = driver.panel.resultSet.textNode.GetID()
    driver.dialogs.replace = answer
    driver.click("analyzeButton")
    driver.waitUntil(lambda: not driver.panel.running)
    assert len(driver.dialogs.questions) == 1
    assert len(driver.panel.services.resultSets()) == sets
    kept = slicer.mrmlScene.GetNodeByID(first) is not None
    assert kept == (answer != "replace")


def testUnsuitableInputIsRefusedAtOnceAndInOneSentence(openPanel, slicer):
    import numpy as np

    values = np.random.default_rng(1).integers(0, 4, (30, 30, 30)).astype(np.uint8)
    slicer.util.addVolumeFromArray(values, name="labels")
    driver = openPanel(core=ScriptedCore(WAITS))
    driver.choose("inputSelector", "labels")
    assert driver.ui.inputMessage.text.startswith("Unsuitable: ")
    assert not driver.ui.analyzeButton.enabled
    assert not driver.panel.startAnalysis()
    assert driver.core.runs == 0


def testMissingPackagesAreAskedForBeforeAnythingRuns(openPanel, slicer, monkeypatch):
    suitableCt(slicer)
    driver = openPanel(core=ScriptedCore(WAITS))
    monkeypatch.setattr(
        driver.panel.services, "ensureDependencies", lambda askUser: askUser("Install PyTorch?")
    )
    driver.dialogs.yes = False
    driver.click("analyzeButton")
    assert driver.dialogs.questions == ["Install PyTorch?"]
    assert not driver.panel.running
    assert driver.panel.messages.kind == "error"


def testWhilePackagesAreInstalledNothingElseIsStarted(openPanel, slicer, monkeypatch):
    """pip's output lets clicks through."""
    suitableCt(slicer)
    driver = openPanel(core=ScriptedCore(WAITS))
    seen = []

    def install(askUser):
        seen.append(askUser("Install PyTorch?"))
        driver.settle()
        assert driver.ui.progressPanel.isVisible()
        assert "Installing" in driver.ui.stageLabel.text
        for name in ("analyzeButton", "sampleButton", "importButton"):
            assert not getattr(driver.ui, name).isEnabled()
        assert not driver.panel.startAnalysis() and not driver.panel.loadSampleAndAnalyze()
        return True

    monkeypatch.setattr(driver.panel.services, "ensureDependencies", install)
    driver.click("analyzeButton")
    assert seen == [True]
    assert driver.panel.running and driver.core.runs == 1


def testAFailedInstallationLeavesThePanelUsable(openPanel, slicer, monkeypatch):
    from VertebraAnalysisLib.UserError import UserError

    def fail(askUser):
        askUser("Install PyTorch?")
        raise UserError("PyTorch could not be installed.", "Check the internet connection.")

    suitableCt(slicer)
    driver = openPanel(core=ScriptedCore(WAITS))
    monkeypatch.setattr(driver.panel.services, "ensureDependencies", fail)
    driver.click("analyzeButton")
    assert "could not be installed" in driver.panel.messages.text
    assert not driver.ui.progressPanel.isVisible() and driver.ui.analyzeButton.isEnabled()


def testTheSampleIsLoadedOnceHoweverOftenItIsAskedFor(openPanel, slicer):
    driver = openPanel(core=ScriptedCore(WAITS))
    for _ in range(2):
        driver.click("sampleButton")
        assert driver.panel.running
        driver.click("analyzeButton")
        assert driver.waitUntil(lambda: not driver.panel.running)
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1


def testTheSampleIsAnalyzedWithoutChoicesForAnotherCt(openPanel, slicer):
    driver = openPanel(core=ScriptedCore(WAITS))
    driver.panel.parameters.regionOfInterest = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLMarkupsROINode", "box"
    )
    driver.click("sampleButton")
    assert driver.core.asked[-1][1].roiNode is None


def testOneChangeIsSpokenOfAsOne(openPanel, slicer, tmp_path):
    driver, _ = startedRun(openPanel, slicer, leaves(writeFolder(tmp_path / "results")))
    driver.waitUntil(lambda: not driver.panel.running)
    key = driver.panel.session.vertebrae[0].key
    driver.panel.session.change(lambda r, reader: r.setReviewed(key, True, reader))
    driver.click("analyzeButton")
    assert "The one change of its review would be lost." in driver.dialogs.questions[-1]


def testAdvancedChoicesReachTheCore(openPanel, slicer, tmp_path):
    driver, _ = startedRun(openPanel, slicer, leaves(writeFolder(tmp_path / "results")))
    driver.waitUntil(lambda: not driver.panel.running)
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    roi.SetXYZ(*(-c if i < 2 else c for i, c in enumerate(
        driver.panel.session.vertebrae[1].center_lps_mm)))  # fmt: skip
    roi.SetRadiusXYZ(60, 60, 60)
    driver.ui.advancedSection.collapsed = False
    driver.choose("settingSelector", "Fast")
    driver.choose("deviceSelector", "CPU")
    driver.ui.threadsSpinBox.value = 3
    driver.ui.lesionsCheckBox.checked = True
    driver.choose("roiSelector", "box")
    driver.choose("segmentationSelector", driver.panel.resultSet.segmentationNode.GetName())
    driver.dialogs.replace = "add"
    driver.click("analyzeButton")
    assert driver.waitUntil(lambda: not driver.panel.running), driver.panel.messages.text
    kind, options = driver.core.asked[-1]
    assert kind == "grade"
    assert (options.device, options.threads, options.setting) == ("cpu", 3, "fast")
    assert options.lesions
    assert options.roiNode is roi
    assert options.segmentationNode.GetName() == "CT spine vertebrae"
