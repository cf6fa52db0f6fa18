"""A lumbar vertebra taken out of a real analysis is added again by the real core, in the scene."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
from result_folder import reopen
from small_phantom import addVolume
from test_remeasure import finish
from vertebra_core.output.label_map import write_label_map
from vertebra_core.reading import read_label_map
from VertebraAnalysisLib.AddVertebra import AddVertebra
from VertebraAnalysisLib.Coordinates import lpsToRas
from VertebraAnalysisLib.CoreCommand import CoreCommand
from VertebraAnalysisLib.CoreRun import CoreRun
from VertebraAnalysisLib.LabelMapExport import LabelMapExport
from VertebraAnalysisLib.Remeasure import Remeasure
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.ReviewSession import ReviewSession
from VertebraAnalysisLib.RunOptions import RunOptions
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.UserError import UserError

pytestmark = pytest.mark.slow

OPTIONS = RunOptions(device="cpu")
L2 = 21


@pytest.fixture(scope="module")
def analysed(shared_data, tmp_path_factory):
    """Results of the public abdomen."""
    folder, core = tmp_path_factory.mktemp("abdomen") / "results", CoreCommand()
    command = core.analyze(shared_data / "ct" / "ts_example_ct.nii.gz", folder, OPTIONS)
    subprocess.run(command, env=core.environment(), check=True, capture_output=True, timeout=600)
    return folder


@pytest.fixture
def session(slicer, analysed, shared_data, tmp_path):
    """The abdomen in the scene, with results that lack L2."""
    folder = shutil.copytree(analysed, tmp_path / "lacking")
    content = json.loads((folder / "analysis.json").read_text("utf-8"))
    content["vertebrae"] = [v for v in content["vertebrae"] if v["level"] != "L2"]
    (folder / "analysis.json").write_text(json.dumps(content), "utf-8")
    for name in ("labels.nii.gz", "bodies.nii.gz"):
        own = read_label_map(folder / name)
        write_label_map(folder / name, np.where(own.labels == L2, 0, own.labels), own)
    path = shared_data / "ct" / "ts_example_ct.nii.gz"
    ct = addVolume(slicer, path, "vtkMRMLScalarVolumeNode", "abdomen")
    opened = ReviewSession(SceneWriter(), lambda: "Reader")
    opened.open(SceneWriter().write(folder, ct))
    yield opened
    if CoreRun._active is not None:
        CoreRun._active.cancel(wait=True)


def analysedVertebra(analysed, level="L2"):
    content = json.loads((analysed / "analysis.json").read_text("utf-8"))
    return next(v for v in content["vertebrae"] if v["level"] == level)


def found(session, lps, level="L2"):
    """What the core finds at a point, or the error that it tells."""
    point, results, review = lpsToRas(lps), session.resultSet, session.review
    return finish(lambda *told: AddVertebra(results, review, point, level, OPTIONS, *told))


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_it_comes_back_as_the_analysis_had_it_and_no_other_is_changed(
    session, analysed, slicer, tmp_path
):
    before = {v.key: v.current for v in session.vertebrae}
    labels = LabelMapExport.labels(session.resultSet).labels
    wanted = analysedVertebra(analysed)
    missed = found(session, np.add(wanted["center_lps_mm"], (4.0, -3.0, 3.0)))
    assert session.review.changes == (), "nothing is changed by looking"
    key = session.addVertebra(missed)
    assert [v.level for v in session.vertebrae] == ["T12", "L1", "L2", "L3", "L4", "L5"]
    assert {v.key: v.current for v in session.vertebrae if v.key != key} == before
    again = LabelMapExport.labels(session.resultSet).labels
    assert np.array_equal(np.where(again == L2, 0, again), labels)
    assert dice(again == L2, read_label_map(analysed / "labels.nii.gz").labels == L2) > 0.95
    bodies = LabelMapExport.labels(session.resultSet, bodies=True).labels
    assert dice(bodies == L2, read_label_map(analysed / "bodies.nii.gz").labels == L2) > 0.95
    own = session.review.vertebra(key)
    assert own.grade == wanted["grade"] and own.level_probability is None
    for name, height in wanted["heights_mm"].items():
        assert getattr(own.heights_mm, name) == pytest.approx(height, abs=1.0)
    assert own.density_hu == pytest.approx(wanted["density_hu"], abs=5)
    same = finish(
        lambda *told: Remeasure(session.resultSet, session.review, [key], OPTIONS, *told)
    )[key].vertebra
    for name in ("anterior", "middle", "posterior"):
        kept = getattr(own.heights_mm, name)
        assert getattr(same.heights_mm, name) == pytest.approx(kept, abs=1.5)
    reopen(slicer, tmp_path / "scene.mrb")
    (kept,) = ResultSet.findAll(slicer.mrmlScene)
    assert np.array_equal(LabelMapExport.labels(kept).labels, again)


@pytest.mark.parametrize(
    ("beside", "offset_mm"), [("muscle", (45.0, 0.0, 0.0)), ("aorta", (0.0, -35.0, 0.0))]
)
def test_beside_the_spine_no_vertebra_is_found(session, analysed, beside, offset_mm):
    error = found(session, np.add(analysedVertebra(analysed)["center_lps_mm"], offset_mm))
    assert isinstance(error, UserError), beside
    assert error.message.startswith("No vertebra was found at this point")
    assert "middle of its body" in error.hint


def test_in_a_vertebra_that_is_there_it_is_told_which_it_is(session, analysed):
    error = found(session, analysedVertebra(analysed, "L3")["center_lps_mm"])
    assert isinstance(error, UserError) and "already, as L3" in error.message
