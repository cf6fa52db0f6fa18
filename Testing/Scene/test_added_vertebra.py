"""A vertebra that the analysis missed gets into all nodes of the scene, and out of them again."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from missed_vertebra import lackingFolder, missedVertebra
from result_folder import exampleCt, reopen, segmentVoxelsRas, tag
from vertebra_core.reading import read_label_map
from VertebraAnalysisLib.HeightLinesWriter import HeightLinesWriter
from VertebraAnalysisLib.LabelMapExport import LabelMapExport
from VertebraAnalysisLib.ReportExport import writeReport
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.ReviewExport import writeCsv, writeJson
from VertebraAnalysisLib.ReviewSession import ReviewSession
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.SegmentationWriter import SegmentationWriter
from VertebraAnalysisLib.UserError import UserError

from example_analysis import example  # isort: skip

READER = "Dr Reader"


@pytest.fixture
def session(slicer, tmp_path):
    """A review of T12 and L2; the analysis missed L1, a wedge of grade 1."""
    found = SceneWriter().write(lackingFolder(tmp_path / "results", "L1"), exampleCt(slicer))
    opened = ReviewSession(SceneWriter(), lambda: READER)
    opened.open(found)
    return opened


def names(node):
    segmentation = node.GetSegmentation()
    return [
        segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())
    ]


def voxels(session, key, bodies=False):
    found = session.resultSet
    node = found.bodiesNode if bodies else found.segmentationNode
    points = segmentVoxelsRas(node, found.segmentIdOfKey(key, bodies))
    return set(map(tuple, np.rint(10 * points).astype(int).tolist()))


def add(session, level="L1", name=None):
    return session.addVertebra(missedVertebra(session.resultSet, level, name))


def labels(points):
    return [points.GetNthControlPointLabel(i) for i in range(points.GetNumberOfControlPoints())]


def state(session):
    """Everything that an addition may change, but for what undo adds to the audit trail."""
    found = session.resultSet
    table = found.tableNode.GetTable()
    shapes = [names(node) for node in (found.segmentationNode, found.bodiesNode)]
    rows = [table.GetRow(i).GetValue(0).ToString() for i in range(table.GetNumberOfRows())]
    points = labels(found.centersNode), found.centersNode.GetAttribute("VertebraAnalysis.Keys")
    values = json.loads(found.textNode.GetText()).get("review", {}).get("vertebrae", {})
    return shapes, rows, points, len(found.heightLineNodes), values, session.vertebrae


def test_all_nodes_get_it_in_its_place(session):
    key = add(session)
    found = session.resultSet
    assert [v.level for v in session.vertebrae] == ["T12", "L1", "L2"]
    for node in (found.segmentationNode, found.bodiesNode):
        assert names(node) == ["T12", "L1", "L2"]
    segment = found.segmentationNode.GetSegmentation().GetSegment(found.segmentIdOfKey(key))
    assert segment.GetLabelValue() == 20
    assert "66794005" in tag(segment, segment.GetTerminologyEntryTagName())
    assert tag(segment, "DICOM.SegmentAlgorithmType") == "SEMIAUTOMATIC"
    assert labels(found.centersNode)[found.pointOfKey(key)].startswith("L1  G1")
    assert found.centersNode.GetNthControlPointLocked(found.pointOfKey(key))
    assert found.centersNode.GetFixedNumberOfControlPoints()
    assert HeightLinesWriter.isShown(found, key), "it is fractured"
    table = found.tableNode.GetTable()
    assert [table.GetValueByName(i, "Level").ToString() for i in range(3)] == ["T12", "L1", "L2"]
    assert table.GetValueByName(1, "AI level").ToString() == ""
    assert table.GetValueByName(1, "Changed by reader").ToString() == "added"


def test_its_segments_are_what_was_outlined_and_no_other_voxel_moves(session):
    others = [v.key for v in session.vertebrae]
    before = {(k, b): voxels(session, k, b) for k in others for b in (False, True)}
    key = add(session)
    _, grid, bodies, _ = example()
    for array, isBody in ((grid.labels, False), (bodies, True)):
        lps = grid.index_to_lps(np.argwhere(array == 20))
        ras = np.rint(10 * lps * [-1, -1, 1]).astype(int)
        assert voxels(session, key, isBody) == set(map(tuple, ras.tolist()))
    assert {(k, b): voxels(session, k, b) for k in others for b in (False, True)} == before


def test_others_keep_key_level_grade_and_heights(session):
    before = {v.key: v.current for v in session.vertebrae}
    key = add(session)
    assert key not in before
    assert {v.key: v.current for v in session.vertebrae if v.key != key} == before


def test_undo_takes_it_out_of_everything(session):
    before = state(session)
    key = add(session)
    assert state(session) != before
    session.undo()
    assert state(session) == before
    found = session.resultSet
    assert not found.segmentIdOfKey(key) and found.pointOfKey(key) == -1
    assert not session.review.canUndo
    assert [c.action for c in session.review.changes] == ["added", "undo"]


def test_it_can_be_added_again_after_undo(session):
    first = add(session)
    session.undo()
    again = add(session)
    assert again == first
    assert HeightLinesWriter.isShown(session.resultSet, again)
    assert names(session.resultSet.segmentationNode) == ["T12", "L1", "L2"]


@pytest.mark.parametrize("failing", ["SegmentationWriter", "MarkupsWriter", "TableWriter"])
def test_either_all_nodes_get_it_or_none(session, monkeypatch, failing):
    from VertebraAnalysisLib import AddedVertebraWriter as written
    from VertebraAnalysisLib import SceneWriter as scene

    before, calls = state(session), []

    def fail(node, *arguments):
        # The last of the calls that adding makes, so that as much as can be is there by then.
        calls.append(node)
        if failing != "SegmentationWriter" or len(calls) == 2:
            monkeypatch.undo()
            raise UserError("It does not work.")
        return original(node, *arguments)

    module = scene if failing == "TableWriter" else written
    writer, name = getattr(module, failing), "update" if failing == "TableWriter" else "add"
    original = getattr(writer, name)
    monkeypatch.setattr(writer, name, staticmethod(fail))
    with pytest.raises(UserError, match="does not work"):
        add(session)
    assert calls and state(session) == before
    kept = json.loads(session.resultSet.textNode.GetText())
    assert not kept.get("review", {}).get("changes") and session.review.changes == ()
    assert add(session)


def test_a_level_that_is_not_free_is_refused_and_changes_nothing(session):
    before = state(session)
    with pytest.raises(UserError, match="cannot be L2: it lies between T12 and L2"):
        add(session, "L1", "L2")
    assert state(session) == before


def test_it_lies_where_it_was_found_under_a_transform(session, slicer):
    from VertebraAnalysisLib.Coordinates import matrixFromArray

    found = session.resultSet
    turned = np.array([[0, -1, 0, 12.0], [1, 0, 0, -5.0], [0, 0, 1, 30.0], [0, 0, 0, 1]])
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetMatrixTransformToParent(matrixFromArray(turned))
    for node in (found.inputNode, *found.nodes):
        if node.IsA("vtkMRMLTransformableNode"):
            node.SetAndObserveTransformNodeID(transform.GetID())
    key = add(session)
    point = found.centersNode.GetNthControlPointPosition(found.pointOfKey(key))
    lps = session.review.vertebra(key).center_lps_mm
    assert list(point) == pytest.approx([-lps[0], -lps[1], lps[2]], abs=1e-3)
    # Coordinates of the segment are those of the node, before the transform.
    center = np.mean(segmentVoxelsRas(found.bodiesNode, found.segmentIdOfKey(key, True)), 0)
    assert center == pytest.approx(np.array(point), abs=1.0)


def test_surfaces_that_are_shown_include_it(session):
    SegmentationWriter.show3D(session.resultSet, True)
    key = add(session)
    node = session.resultSet.segmentationNode
    segment = node.GetSegmentation().GetSegment(session.resultSet.segmentIdOfKey(key))
    surface = segment.GetRepresentation("Closed surface")
    assert surface is not None and surface.GetNumberOfPoints() > 100


def test_without_bodies_and_points_the_rest_gets_it(session, slicer):
    for node in (session.resultSet.bodiesNode, session.resultSet.centersNode):
        slicer.mrmlScene.RemoveNode(node)
    add(session)
    assert names(session.resultSet.segmentationNode) == ["T12", "L1", "L2"]
    session.undo()
    assert names(session.resultSet.segmentationNode) == ["T12", "L2"]


def test_rejecting_it_hides_it_and_restoring_brings_it_back(session):
    key = add(session)
    session.change(lambda review, reader: review.setRejected(key, True, reader))
    found = session.resultSet
    for node in (found.segmentationNode, found.bodiesNode):
        assert names(node) == ["T12", "not a vertebra", "L2"]
    assert not found.centersNode.GetNthControlPointVisibility(found.pointOfKey(key))
    session.change(lambda review, reader: review.setRejected(key, False, reader))
    assert names(found.segmentationNode) == ["T12", "L1", "L2"]
    assert session.review.vertebra(key).level == "L1"


def test_what_takes_the_place_of_a_rejected_mask_is_all_there(session, tmp_path):
    key = add(session)
    whole = (LabelMapExport.labels(session.resultSet).labels == 20).sum()
    session.change(lambda review, reader: review.setRejected(key, True, reader))
    again = add(session)
    assert again != key
    assert (LabelMapExport.labels(session.resultSet).labels == 20).sum() == whole
    # And the other way about.
    session.change(lambda review, reader: review.setRejected(again, True, reader))
    session.change(lambda review, reader: review.setRejected(key, False, reader))
    assert (LabelMapExport.labels(session.resultSet).labels == 20).sum() == whole


def test_renaming_the_spine_renames_it_too(session):
    key = add(session)
    session.change(lambda review, reader: review.shiftLevels(-1, reader))
    found = session.resultSet
    assert names(found.segmentationNode) == names(found.bodiesNode) == ["T11", "T12", "L1"]
    assert found.segmentIdOfKey(key) == "vertebra_T12"
    session.undo()
    session.undo()
    assert names(found.segmentationNode) == ["T12", "L2"]


def test_the_saved_scene_keeps_it_and_undo_works_there(session, slicer, tmp_path):
    key = add(session)
    before = voxels(session, key), voxels(session, key, True), session.vertebrae
    reopen(slicer, tmp_path / "scene.mrb")
    (found,) = ResultSet.findAll(slicer.mrmlScene)
    again = ReviewSession(SceneWriter(), lambda: READER)
    again.open(found)
    assert (voxels(again, key), voxels(again, key, True), again.vertebrae) == before
    assert again.notices == ()
    assert [c.reader for c in again.review.changes] == [READER]
    again.undo()
    assert names(found.segmentationNode) == names(found.bodiesNode) == ["T12", "L2"]
    assert labels(found.centersNode)[0].startswith("T12") and len(labels(found.centersNode)) == 2
    assert found.heightLineNodes == {}


def test_files_name_who_added_it_and_hold_its_values(session, tmp_path):
    add(session)
    review = session.review
    writeCsv(review, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["level"] for row in rows] == ["T12", "L1", "L2"]
    assert [row["added"] for row in rows] == ["no", "yes", "no"]
    assert [row["ai_level"] for row in rows] == ["T12", "", "L2"]
    assert (rows[1]["grade"], rows[1]["changed_by"]) == ("1", READER)
    writeJson(review, tmp_path / "all.json")
    content = json.loads((tmp_path / "all.json").read_text("utf-8"))
    assert [v["level"] for v in content["vertebrae"]] == ["T12", "L2"], "as it was analysed"
    assert [v["level"] for v in content["review"]["current"]] == ["T12", "L1", "L2"]
    writeReport(session.resultSet, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Missed by the analysis, and added by a reader: L1." in page and READER in page
    LabelMapExport.write(session.resultSet, tmp_path / "labels.nii.gz")
    assert set(np.unique(read_label_map(tmp_path / "labels.nii.gz").labels)) == {0, 19, 20, 21}


def test_results_written_with_such_a_review_have_no_empty_segment(session, slicer, tmp_path):
    """The exported JSON put in place of analysis.json, beside the label maps of the analysis."""
    add(session)
    folder = lackingFolder(tmp_path / "again", "L1")
    (folder / "analysis.json").write_text(session.resultSet.textNode.GetText(), "utf-8")
    found = SceneWriter().write(folder, session.resultSet.inputNode)
    assert names(found.segmentationNode) == ["T12", "L2"]
    assert [v.level for v in found.loadReview().vertebrae] == ["T12", "L1", "L2"]
