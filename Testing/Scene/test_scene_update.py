"""Nodes follow the review: relabelling, other grades, moved lines, undo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from result_folder import example, exampleCt, reopen, segmentVoxelsRas, tag, writeFolder
from vertebra_core.analysis import HeightLine
from VertebraAnalysisLib.Coordinates import lpsToRas
from VertebraAnalysisLib.HeightLinesWriter import HeightLinesWriter
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.ReviewSession import ReviewSession
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.SegmentationWriter import SegmentationWriter
from VertebraAnalysisLib.SegmentRelabelling import SegmentRelabelling


@pytest.fixture
def found(slicer, tmp_path):
    return SceneWriter().write(writeFolder(tmp_path), exampleCt(slicer))


def shift(found, steps):
    review = found.loadReview()
    SceneWriter().update(found, review, review.shiftLevels(steps, "Reader"))
    return review


def segmentIds(node):
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegmentID(i) for i in range(segmentation.GetNumberOfSegments())]


def test_shifting_all_levels_renames_everything_in_place(found):
    before = {k: segmentVoxelsRas(found.segmentationNode, found.segmentIdOfKey(k)) for k in
              ("v01", "v02", "v03")}  # fmt: skip
    shift(found, 1)
    for node in (found.segmentationNode, found.bodiesNode):
        assert segmentIds(node) == ["vertebra_L1", "vertebra_L2", "vertebra_L3"]
        assert node.GetSegmentation().GetNumberOfLayers() == 1
    for key, segmentId in zip(before, segmentIds(found.segmentationNode), strict=True):
        assert found.segmentIdOfKey(key) == segmentId
        assert segmentVoxelsRas(found.segmentationNode, segmentId) == pytest.approx(before[key])
    segment = found.segmentationNode.GetSegmentation().GetSegment("vertebra_L2")
    assert segment.GetName() == "L2" and segment.GetLabelValue() == 21
    assert "SCT^14293000^" in tag(segment, segment.GetTerminologyEntryTagName())
    assert tag(segment, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
    labels = [found.centersNode.GetNthControlPointLabel(i).split()[0] for i in range(3)]
    assert labels == ["L1", "L2", "L3"]
    assert found.heightLineNodes["v02", "middle"].GetName() == "L2 Hm"
    table = found.tableNode.GetTable()
    assert table.GetValueByName(0, "Level").ToString() == "L1"
    assert table.GetValueByName(0, "AI level").ToString() == "T12"
    assert table.GetValueByName(0, "Changed by reader").ToString().startswith("level")


def test_undoing_a_shift_gives_the_voxels_their_numbers_back(found):
    from vtk.util.numpy_support import vtk_to_numpy

    def voxels():
        segment = found.segmentationNode.GetSegmentation().GetNthSegment(0)
        scalars = segment.GetRepresentation("Binary labelmap").GetPointData().GetScalars()
        return vtk_to_numpy(scalars).copy()

    before = voxels()
    review = shift(found, 1)
    assert set(np.unique(voxels())) == {0, 20, 21, 22}
    SceneWriter().update(found, review, review.undo())
    assert (voxels() == before).all()
    assert segmentIds(found.segmentationNode) == ["vertebra_T12", "vertebra_L1", "vertebra_L2"]


def test_surfaces_and_what_is_shown_of_a_segment_survive_relabelling(found):
    SegmentationWriter.show3D(found, True)
    display = found.segmentationNode.GetDisplayNode()
    display.SetSegmentVisibility("vertebra_L2", False)
    display.SetSegmentOpacity3D("vertebra_T12", 0.5)
    surface = found.segmentationNode.GetClosedSurfaceInternalRepresentation("vertebra_T12")
    shift(found, 1)
    again = found.segmentationNode.GetClosedSurfaceInternalRepresentation("vertebra_L1")
    assert again is not None and again.GetNumberOfPoints() == surface.GetNumberOfPoints()
    assert not display.GetSegmentVisibility("vertebra_L3")
    assert display.GetSegmentVisibility("vertebra_L2")
    assert display.GetSegmentOpacity3D("vertebra_L1") == 0.5


def test_a_readers_own_segment_is_left_alone(slicer, found):
    segmentation = found.segmentationNode.GetSegmentation()
    own = segmentation.AddEmptySegment("vertebra_L3", "Cage")
    voxels = np.zeros(found.inputNode.GetImageData().GetDimensions()[::-1], np.uint8)
    voxels[40:44, 0:4, 0:4] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        voxels, found.segmentationNode, own, found.inputNode
    )
    before = segmentVoxelsRas(found.segmentationNode, own)
    assert len(before) == 64
    shift(found, 1)
    assert segmentation.GetSegment(own).GetName() == "Cage"
    assert segmentVoxelsRas(found.segmentationNode, own) == pytest.approx(before)
    assert found.segmentIdOfKey("v03") == "vertebra_L3_2"


def test_two_segments_of_one_level_stay_two(found):
    before = [len(segmentVoxelsRas(found.segmentationNode, s)) for s in
              segmentIds(found.segmentationNode)]  # fmt: skip
    SegmentRelabelling(found.segmentationNode).apply({"vertebra_T12": "L2", "vertebra_L1": "L2"})
    ids = segmentIds(found.segmentationNode)
    assert ids == ["vertebra_L2_2", "vertebra_L2_3", "vertebra_L2"]
    assert [len(segmentVoxelsRas(found.segmentationNode, s)) for s in ids] == before


def test_a_deleted_segment_stays_deleted(found):
    found.segmentationNode.GetSegmentation().RemoveSegment("vertebra_L1")
    shift(found, 1)
    assert segmentIds(found.segmentationNode) == ["vertebra_L1", "vertebra_L3"]
    assert found.segmentIdOfKey("v02") == ""
    assert len(segmentVoxelsRas(found.segmentationNode, "vertebra_L3")) > 0


def test_an_edited_segment_keeps_its_new_shape(slicer, found):
    from vtk.util.numpy_support import vtk_to_numpy

    segmentation = found.segmentationNode.GetSegmentation()
    image = segmentation.GetSegment("vertebra_L1").GetRepresentation("Binary labelmap")
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    own = voxels == 20
    own[: np.argwhere(own)[:, 0].min() + 3] = False
    voxels[(voxels == 20) & ~own] = 0
    image.Modified()
    shift(found, -1)
    assert len(segmentVoxelsRas(found.segmentationNode, found.segmentIdOfKey("v02"))) == own.sum()


def test_an_override_recolors_and_relabels_its_point_and_lines(found):
    review = found.loadReview()
    plain = found.heightLineNodes["v02", "anterior"].GetDisplayNode().GetSelectedColor()
    changed = review.overrideGrade("v02", 3, "crush", "Seen on the sagittal view.", "Reader")
    SceneWriter().update(found, review, changed)
    assert found.centersNode.GetNthControlPointLabel(1).startswith("L1  G3 crush")
    assert found.heightLineNodes["v02", "anterior"].GetDisplayNode().GetSelectedColor() != plain
    table = found.tableNode.GetTable()
    assert table.GetValueByName(1, "Grade").ToInt() == 3
    assert table.GetValueByName(1, "AI grade").ToInt() == 1
    assert table.GetValueByName(1, "Reader's reason").ToString() == "Seen on the sagittal view."
    assert "G1 wedge, borderline by AI" in found.centersNode.GetNthControlPointDescription(1)


def test_a_newly_fractured_body_gets_its_height_lines(found):
    review = found.loadReview()
    SceneWriter().update(found, review, review.overrideGrade("v01", 2, "wedge", "x", "Reader"))
    assert {("v01", n) for n in ("anterior", "middle", "posterior")} <= set(found.heightLineNodes)
    assert found.heightLineNodes["v01", "anterior"].GetName() == "T12 Ha"
    assert HeightLinesWriter.isShown(found, "v01")
    SceneWriter().update(found, review, review.undo())
    assert found.centersNode.GetNthControlPointLabel(0) == "T12  G0"
    assert not HeightLinesWriter.isShown(found, "v01")


def test_lines_asked_for_stay_shown_and_lines_hidden_by_hand_stay_hidden(found):
    review = found.loadReview()
    HeightLinesWriter.show(found, review.vertebra("v01"))
    SceneWriter().update(found, review, review.overrideGrade("v01", 2, "wedge", "x", "Reader"))
    SceneWriter().update(found, review, review.undo())
    assert HeightLinesWriter.isShown(found, "v01")
    HeightLinesWriter.hide(found, "v02")
    SceneWriter().update(found, review, review.overrideGrade("v02", 2, "wedge", "x", "Reader"))
    assert not HeightLinesWriter.isShown(found, "v02")


def test_a_moved_line_is_read_in_lps_and_put_back_by_undo(found):
    node = found.heightLineNodes["v02", "anterior"]
    start = HeightLinesWriter.readLines(found, "v02")
    _, _, _, analysis = example()
    own = analysis.vertebrae[1].height_lines
    assert start["anterior"].top_lps_mm == pytest.approx(own["anterior"].top_lps_mm, abs=1e-5)
    top = np.array(own["anterior"].top_lps_mm) - [0, 0, 6]
    node.SetNthControlPointPositionWorld(0, *lpsToRas(top))
    lines = HeightLinesWriter.readLines(found, "v02")
    assert lines["anterior"].top_lps_mm == pytest.approx(top, abs=1e-5)
    assert node.GetMeasurement("length").GetValue() == pytest.approx(20, abs=1e-4)
    HeightLinesWriter.showLengths(found, "v02")
    assert node.GetNthControlPointLabel(0) == "Ha 20.0"
    review = found.loadReview()
    SceneWriter().update(found, review, review.setHeightLines("v02", lines, "Reader"))
    assert review.vertebra("v02").heights_mm.anterior == pytest.approx(20, abs=1e-3)
    assert found.tableNode.GetTable().GetValueByName(1, "Ha (mm)").ToDouble() == pytest.approx(20)
    SceneWriter().update(found, review, review.undo())
    again = HeightLinesWriter.readLines(found, "v02")
    assert again["anterior"].top_lps_mm == pytest.approx(own["anterior"].top_lps_mm, abs=1e-4)


def test_updating_with_what_is_there_moves_no_line(found):
    moved = []
    node = found.heightLineNodes["v02", "anterior"]
    node.AddObserver(node.PointModifiedEvent, lambda *_: moved.append(1))
    SceneWriter().update(found, found.loadReview())
    assert moved == []


def test_lines_of_a_normal_body_are_shown_on_request(found):
    review = found.loadReview()
    HeightLinesWriter.show(found, review.vertebra("v01"))
    assert HeightLinesWriter.isShown(found, "v01")
    HeightLinesWriter.hide(found, "v01")
    assert not HeightLinesWriter.isShown(found, "v01")
    assert len(found.heightLineNodes) == 6
    HeightLinesWriter.show(found, review.vertebra("v01"))
    assert HeightLinesWriter.isShown(found, "v01") and len(found.heightLineNodes) == 6


def test_lines_of_heights_that_are_not_known_any_more_go(found):
    vertebra = found.loadReview().vertebra("v02")
    unknown = replace(vertebra, current=replace(vertebra.current, height_lines={}))
    HeightLinesWriter.update(found, [unknown])
    assert found.heightLineNodes == {}
    assert found.textNode.GetNumberOfNodeReferences("heights") == 0
    HeightLinesWriter.update(found, [vertebra])
    assert len(found.heightLineNodes) == 3


def test_lines_that_the_user_deleted_stay_deleted_until_asked_for(slicer, found, tmp_path):
    def change(resultSet, how):
        review = resultSet.loadReview()
        SceneWriter().update(resultSet, review, how(review))

    for node in list(found.heightLineNodes.values()):
        slicer.mrmlScene.RemoveNode(node)
    change(found, lambda review: review.setReviewed("v02", True, "Reader"))
    change(found, lambda review: review.overrideGrade("v02", 3, "crush", "x", "Reader"))
    change(found, lambda review: review.overrideGrade("v01", 2, "wedge", "x", "Reader"))
    assert {key for key, _ in found.heightLineNodes} == {"v01"}, "only these were never made"
    reopen(slicer, tmp_path / "deleted.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    change(again, lambda review: review.acceptAll("Reader"))
    assert {key for key, _ in again.heightLineNodes} == {"v01"}
    HeightLinesWriter.show(again, again.loadReview().vertebra("v02"))
    assert {key for key, _ in again.heightLineNodes} == {"v01", "v02"}


def test_lines_deleted_in_a_scene_of_an_earlier_version_stay_deleted(slicer, found):
    for node in list(found.heightLineNodes.values()):
        slicer.mrmlScene.RemoveNode(node)
    for name in list(found.textNode.GetAttributeNames()):
        if "Made" in name:
            found.textNode.RemoveAttribute(name)
    session = ReviewSession(SceneWriter(), lambda: "Reader")
    session.open(found)
    session.change(lambda review, reader: review.acceptAll(reader))
    assert found.heightLineNodes == {}
    session.change(lambda review, reader: review.overrideGrade("v01", 2, "wedge", "x", reader))
    assert {key for key, _ in found.heightLineNodes} == {"v01"}


def test_lines_moved_while_nobody_reviewed_are_put_back_when_opened(found):
    node = found.heightLineNodes["v02", "anterior"]
    x, y, z = node.GetNthControlPointPositionWorld(0)
    node.SetNthControlPointPositionWorld(0, x, y, z - 8)
    session = ReviewSession(SceneWriter(), lambda: "Reader")
    session.open(found)
    assert list(node.GetNthControlPointPositionWorld(0)) == pytest.approx([x, y, z], abs=1e-4)
    assert node.GetNthControlPointLabel(0) == "Ha 26.0"
    (notice,) = session.notices
    assert "L1" in notice and "put back" in notice
    session.open(found)
    assert session.notices == () and not session.review.changes


def test_a_display_node_that_was_removed_keeps_nothing_from_being_changed(slicer, found):
    node = found.heightLineNodes["v02", "anterior"]
    slicer.mrmlScene.RemoveNode(node.GetDisplayNode())
    session = ReviewSession(SceneWriter(), lambda: "Reader")
    session.open(found)
    session.change(lambda review, reader: review.shiftLevels(1, reader))
    assert node.GetName() == "L2 Ha"
    assert found.tableNode.GetTable().GetValueByName(1, "Level").ToString() == "L2"


def test_a_change_is_kept_and_told_whatever_becomes_of_the_nodes(found, monkeypatch):
    def broken(*_):
        raise RuntimeError("a node that nobody thought of")

    session, told = ReviewSession(SceneWriter(), lambda: "Reader"), []
    session.open(found)
    session.onChanged(told.append)
    monkeypatch.setattr(SegmentationWriter, "update", broken)
    with pytest.raises(RuntimeError):
        session.change(lambda review, reader: review.setReviewed("v02", True, reader))
    assert found.loadReview().vertebra("v02").reviewed and told == [{"v02"}]


def test_a_transform_above_a_line_is_no_change_of_its_height(slicer, found):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 5)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    before = HeightLinesWriter.readLines(found, "v02")["middle"]
    node = found.heightLineNodes["v02", "middle"]
    node.SetAndObserveTransformNodeID(transform.GetID())
    after = HeightLinesWriter.readLines(found, "v02")["middle"]
    assert isinstance(after, HeightLine) and after == before


def test_a_corrected_scene_is_reopened_and_corrected_further(slicer, found, tmp_path):
    review = shift(found, 1)
    changed = review.overrideGrade("v02", 2, "crush", "Endplate.", "Reader")
    SceneWriter().update(found, review, changed)
    reopen(slicer, tmp_path / "Befund ä 1.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    reviewed = again.loadReview()
    assert reviewed.vertebra("v02").level == "L2" and reviewed.vertebra("v02").grade == 2
    assert reviewed.vertebra("v02").ai.level == "L1" and reviewed.changes == review.changes
    assert segmentIds(again.segmentationNode) == ["vertebra_L1", "vertebra_L2", "vertebra_L3"]
    SceneWriter().update(again, reviewed, reviewed.undo())
    SceneWriter().update(again, reviewed, reviewed.undo())
    assert segmentIds(again.segmentationNode) == ["vertebra_T12", "vertebra_L1", "vertebra_L2"]
    assert again.centersNode.GetNthControlPointLabel(1) == "L1  G1 wedge, borderline"
