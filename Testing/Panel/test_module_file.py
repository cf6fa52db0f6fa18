"""VertebraAnalysis.py: what the application finds of the module."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from example_ct import suitableCt
from QtStandIns import loadScriptedModule
from result_folder import writeFolder
from ScriptedCore import CRASHES, REFUSES, WAITS, ScriptedCore, leaves

MODULE_FILE = Path(__file__).resolve().parents[2] / "VertebraAnalysis" / "VertebraAnalysis.py"
OPEN_LIMIT_S = 1.0


@pytest.fixture
def widget(slicer):
    made = loadScriptedModule(MODULE_FILE)
    yield made
    made.cleanup()


def test_the_module_tells_what_it_is_for_and_that_it_is_for_research(widget, slicer):
    module = slicer.modules.vertebraanalysis
    assert module.title == "Vertebra Analysis"
    assert module.categories == ["Spine"]
    assert "research only" in module.helpText.lower()


def test_the_panel_opens_within_a_second(slicer):
    loadScriptedModule(MODULE_FILE).cleanup()
    started = time.process_time()
    loadScriptedModule(MODULE_FILE).cleanup()
    assert time.process_time() - started < OPEN_LIMIT_S


def test_reloading_takes_up_edits_of_the_library_and_of_the_core(widget, monkeypatch):
    # On a copy, as the other tests go on with what is loaded.
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    assert {"VertebraAnalysisLib.Panel", "vertebra_core.analysis"} <= sys.modules.keys()
    widget.onReload()
    left = {name.partition(".")[0] for name in sys.modules}
    assert not left & {"VertebraAnalysisLib", "vertebra_core"}
    assert "VertebraAnalysis" in left


def test_levels_have_their_names_once_the_application_has_started(widget, slicer):
    slicer.modules.vertebraanalysis.self.onStartupCompleted()
    name = "Segmentation category and type - VertebraAnalysis"
    category = slicer.vtkSlicerTerminologyCategory()
    assert slicer.modules.terminologies.logic().GetNthCategoryInTerminology(name, 0, category)


def test_a_script_analyzes_a_ct_and_gets_its_nodes(slicer, tmp_path):
    from VertebraAnalysisLib.BlockingAnalysis import BlockingAnalysis

    node = suitableCt(slicer)
    core = ScriptedCore(leaves(writeFolder(tmp_path / "results")))
    results = BlockingAnalysis(node, core=core).run()
    assert results.inputNode is node
    assert [v.level for v in results.loadReview().vertebrae] == ["T12", "L1", "L2"]


@pytest.mark.parametrize(("script", "told"), [(REFUSES, "No vertebra was found."), (CRASHES, "")])
def test_a_script_gets_one_error_with_what_to_do(slicer, script, told):
    from VertebraAnalysisLib.BlockingAnalysis import BlockingAnalysis
    from VertebraAnalysisLib.UserError import UserError

    node = suitableCt(slicer)
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(UserError, match=told) as caught:
        BlockingAnalysis(node, core=ScriptedCore(script)).run()
    assert caught.value.hint
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_a_script_that_is_interrupted_leaves_nothing_at_work(slicer, monkeypatch):
    from VertebraAnalysisLib.BlockingAnalysis import BlockingAnalysis
    from VertebraAnalysisLib.CoreRun import CoreRun

    def interrupt(_application, *_unused):
        raise KeyboardInterrupt

    analysis = BlockingAnalysis(suitableCt(slicer), core=ScriptedCore(WAITS))
    monkeypatch.setattr(type(slicer.app), "processEvents", interrupt)
    with pytest.raises(KeyboardInterrupt):
        analysis.run()
    assert not analysis._run.running and CoreRun._active is None


def test_a_script_is_told_at_once_that_a_volume_is_no_ct(slicer):
    import numpy as np
    from VertebraAnalysisLib.UserError import UserError

    loadScriptedModule(MODULE_FILE).cleanup()
    logic = sys.modules["VertebraAnalysis"].VertebraAnalysisLogic()
    flat = slicer.util.addVolumeFromArray(np.zeros((1, 32, 32), np.int16))
    with pytest.raises(UserError):
        logic.analyze(flat)
