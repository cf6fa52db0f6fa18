"""Two CTs in one scene: what is shown, chosen and started belongs to one of them."""

from __future__ import annotations

import pytest
from example_ct import suitableCt
from result_folder import writeFolder
from ScriptedCore import ScriptedCore, leaves


@pytest.fixture
def analyzed(slicer, tmp_path):
    """Puts CTs into the scene, with results or without."""
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    def put(name, results=True):
        ct = suitableCt(slicer, name)
        if results:
            SceneWriter().write(writeFolder(tmp_path / name), ct)
        return ct

    return put


@pytest.fixture
def slices(slicer):
    """What the axial and the sagittal slice view show."""
    composites = []
    for name in ("Red", "Yellow"):
        composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
        composite.SetLayoutName(name)
        composites.append(composite)
    return composites


def shown(driver):
    """Names of the CT that is selected and of the CT whose results are shown."""
    results = driver.panel.resultSet
    return driver.panel.input.node.GetName(), results and results.inputNode.GetName()


def started(driver, core):
    """What a click on the button runs, the region and the segmentation that it is told."""
    driver.click("analyzeButton")
    assert driver.waitUntil(lambda: not driver.panel.running)
    kind, options = core.asked[-1]
    return kind, options.roiNode, options.segmentationNode


def testChosenResultsStayWhenTheReaderLeavesTheModuleAndReturns(openPanel, analyzed):
    analyzed("A"), analyzed("B")
    driver = openPanel()
    driver.choose("inputSelector", "A")
    driver.choose("resultsSelector", "B vertebra analysis")
    driver.clickRow(1)
    driver.panel.exit()
    driver.panel.enter()
    assert driver.panel.resultSet.name == "B vertebra analysis"
    assert driver.panel.table.selectedKey == driver.panel.table.keys[1]


def testInputIsTheCtOfTheResultsThatAreChosen(openPanel, analyzed):
    analyzed("A"), analyzed("B")
    driver = openPanel()
    driver.choose("inputSelector", "A")
    assert shown(driver) == ("A", "A")
    driver.choose("resultsSelector", "B vertebra analysis")
    assert shown(driver) == ("B", "B")


def testACtWithoutResultsShowsNoneAndThoseOfAnotherStayWithinReach(openPanel, analyzed):
    analyzed("A"), analyzed("B", results=False)
    driver = openPanel()
    driver.choose("inputSelector", "B")
    assert shown(driver) == ("B", None)
    assert driver.ui.resultsSection.enabled, "the selector of results is in it"
    driver.choose("resultsSelector", "A vertebra analysis")
    assert shown(driver) == ("A", "A")


def testResultsThatAScriptMadeAreShownWhenTheModuleIsOpened(openPanel, analyzed, tmp_path):
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    ct = analyzed("A", results=False)
    driver = openPanel()
    driver.panel.exit()
    SceneWriter().write(writeFolder(tmp_path / "script"), ct)
    driver.panel.enter()
    assert shown(driver) == ("A", "A")


def testARowIsShownInTheCtThatItBelongsTo(openPanel, analyzed, slices):
    a, b = analyzed("A"), analyzed("B", results=False)
    for composite in slices:
        composite.SetBackgroundVolumeID(b.GetID())
        composite.SetForegroundVolumeID(b.GetID())
        composite.SetForegroundOpacity(1.0)
    driver = openPanel()
    driver.clickRow(1)
    for composite in slices:
        assert composite.GetBackgroundVolumeID() == a.GetID()
        assert not composite.GetForegroundVolumeID(), "it would hide the CT, or mix two patients"


@pytest.mark.parametrize("layer", ["Background", "Foreground"])
def testViewsThatShowTheCtBesideAnotherAreLeftAlone(openPanel, analyzed, slices, layer):
    a, b = analyzed("A"), analyzed("B", results=False)
    for composite in slices:
        composite.SetBackgroundVolumeID(b.GetID())
    getattr(slices[1], f"Set{layer}VolumeID")(a.GetID())
    slices[1].SetForegroundOpacity(0.5)
    driver = openPanel()
    driver.clickRow(1)
    assert slices[0].GetBackgroundVolumeID() == b.GetID()


def testAnotherSeriesOfTheSameStudyMayBeReadInstead(openPanel, analyzed, slices, slicer):
    """A reader looks at the reconstruction for bone while the smooth one was analysed."""
    a, b = analyzed("A"), analyzed("B", results=False)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    for ct in (a, b):
        item = hierarchy.GetItemByDataNode(ct)
        if item:
            hierarchy.SetItemParent(item, study)
        else:
            hierarchy.CreateItem(study, ct)
    for composite in slices:
        composite.SetBackgroundVolumeID(b.GetID())
    driver = openPanel()
    driver.clickRow(1)
    assert slices[0].GetBackgroundVolumeID() == b.GetID()


def testTheButtonSaysWhatAdvancedChoicesMakeOfIt(openPanel, analyzed, slicer):
    analyzed("A")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    driver = openPanel()
    button = driver.ui.analyzeButton
    assert (button.text, button.toolTip[:4]) == ("&Analyze spine", "Find")
    driver.choose("roiSelector", "box")
    assert button.text == "&Analyze spine in region"
    assert '"box"' in button.toolTip
    driver.choose("segmentationSelector", "A vertebrae")
    assert button.text == "Gr&ade segmentation in region"
    assert '"A vertebrae"' in button.toolTip
    driver.choose("roiSelector", "None")
    assert button.text == "Gr&ade segmentation"


def testAdvancedChoicesForOneCtDoNotActOnAnother(openPanel, analyzed, slicer, tmp_path):
    analyzed("A"), analyzed("B", results=False)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    core = ScriptedCore(leaves(writeFolder(tmp_path / "run")))
    driver = openPanel(core=core)
    driver.choose("segmentationSelector", "A vertebrae")
    driver.choose("roiSelector", "box")
    driver.choose("inputSelector", "None")
    driver.choose("inputSelector", "B")
    assert started(driver, core) == ("analyze", None, None)


def testAdvancedChoicesComeBackWithTheSceneTheyWereSavedIn(openPanel, analyzed, slicer, tmp_path):
    from result_folder import reopen

    analyzed("A"), analyzed("B", results=False)
    driver = openPanel()
    driver.choose("inputSelector", "A")
    driver.choose("segmentationSelector", "A vertebrae")
    reopen(slicer, tmp_path / "kept.mrb")
    driver.settle()
    assert driver.panel.input.node.GetName() == "A"
    assert driver.ui.segmentationSelector.currentNode().GetName() == "A vertebrae"


def testTheResultsThatWereShownComeBackWithTheScene(openPanel, analyzed, slicer, tmp_path):
    from result_folder import reopen
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    a = analyzed("A")
    analyzed("B")
    SceneWriter().write(writeFolder(tmp_path / "again"), a)
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    driver = openPanel()
    driver.choose("resultsSelector", "A vertebra analysis")
    driver.choose("roiSelector", roi.GetName())
    saved = driver.panel.resultSet.name
    reopen(slicer, tmp_path / "kept.mrb")
    driver.settle()
    assert (*shown(driver), driver.panel.resultSet.name) == ("A", "A", saved)
    assert driver.panel.parameters.regionOfInterest.GetName() == "box"
    assert driver.ui.analyzeButton.text == "&Analyze spine in region"


def testResultsOfTheOtherCtDropTheChoicesFromSelectorsToo(openPanel, analyzed, slicer, tmp_path):
    analyzed("A"), analyzed("B")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    core = ScriptedCore(leaves(writeFolder(tmp_path / "run")))
    driver = openPanel(core=core)
    driver.choose("inputSelector", "A")
    driver.choose("roiSelector", "box")
    driver.choose("segmentationSelector", "A vertebrae")
    driver.choose("resultsSelector", "B vertebra analysis")
    assert driver.ui.analyzeButton.text == "&Analyze spine"
    driver.dialogs.replace = "add"
    assert started(driver, core) == ("analyze", None, None)


def testASceneThatIsAddedLeavesTheReviewOpen(openPanel, analyzed, slicer, tmp_path):
    analyzed("B")
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "b.mrb"))
    slicer.mrmlScene.Clear(False)
    analyzed("A")
    driver = openPanel()
    driver.clickRow(1)
    driver.panel.messages.clear()
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "b.mrb"), False)
    driver.settle()
    assert driver.panel.messages.text == ""
    assert shown(driver) == ("A", "A")
    assert driver.panel.table.selectedKey == driver.panel.table.keys[1]
