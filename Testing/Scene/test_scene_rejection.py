"""What a reader calls no vertebra goes out of the views and the label map, and comes back."""

from __future__ import annotations

import numpy as np
import pytest
from result_folder import reopen, segmentVoxelsRas, tag, writeFolder
from vertebra_core.reading import read_label_map
from VertebraAnalysisLib.HeightLinesWriter import HeightLinesWriter
from VertebraAnalysisLib.LabelMapExport import LabelMapExport
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.SegmentationWriter import SegmentationWriter
from VertebraAnalysisLib.UserError import UserError

READER = "Reader"


def change(found, how):
    review = found.loadReview()
    SceneWriter().update(found, review, how(review))
    return review


def reject(found, key="v02"):
    return change(found, lambda review: review.setRejected(key, True, READER))


def names(node):
    segmentation = node.GetSegmentation()
    return [
        segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())
    ]


def isShown(node, segmentId):
    return bool(node.GetDisplayNode().GetSegmentVisibility(segmentId))


def test_its_segments_are_hidden_and_bear_no_level(found):
    voxels = segmentVoxelsRas(found.segmentationNode, found.segmentIdOfKey("v02"))
    reject(found)
    for node, bodies in ((found.segmentationNode, False), (found.bodiesNode, True)):
        assert names(node) == ["T12", "not a vertebra", "L2"]
        segmentId = found.segmentIdOfKey("v02", bodies)
        assert not isShown(node, segmentId)
        segment = node.GetSegmentation().GetSegment(segmentId)
        assert segment.GetLabelValue() > 28, "no number of a level"
        assert "66794005" not in tag(segment, segment.GetTerminologyEntryTagName())
        assert all(isShown(node, found.segmentIdOfKey(k, bodies)) for k in ("v01", "v03"))
    again = segmentVoxelsRas(found.segmentationNode, found.segmentIdOfKey("v02"))
    assert again == pytest.approx(voxels)


def test_two_rejected_ones_stay_two_segments(found):
    reject(found, "v01")
    reject(found, "v02")
    assert found.segmentIdOfKey("v01") != found.segmentIdOfKey("v02")
    assert names(found.segmentationNode) == ["not a vertebra", "not a vertebra", "L2"]


def test_its_level_is_free_for_the_next_segment(found):
    reject(found)
    change(found, lambda review: review.setLevel("v03", "L1", READER, "below"))
    assert found.segmentIdOfKey("v03") == "vertebra_L1"
    segment = found.segmentationNode.GetSegmentation().GetSegment("vertebra_L1")
    assert segment.GetLabelValue() == 20


def test_undo_brings_segments_and_what_was_shown_back(found):
    review = reject(found)
    SceneWriter().update(found, review, review.undo())
    assert names(found.segmentationNode) == ["T12", "L1", "L2"]
    assert found.segmentIdOfKey("v02") == "vertebra_L1"
    assert isShown(found.segmentationNode, "vertebra_L1")
    segment = found.segmentationNode.GetSegmentation().GetSegment("vertebra_L1")
    assert segment.GetLabelValue() == 20


def test_what_was_hidden_by_hand_is_left_alone_by_other_changes(found):
    display = found.segmentationNode.GetDisplayNode()
    display.SetSegmentVisibility("vertebra_T12", False)
    reject(found)
    display.SetSegmentVisibility(found.segmentIdOfKey("v02"), True)
    change(found, lambda review: review.setReviewed("v01", True, READER))
    SceneWriter().update(found, found.loadReview())
    assert not isShown(found.segmentationNode, "vertebra_T12")
    assert isShown(found.segmentationNode, found.segmentIdOfKey("v02"))


def test_the_label_map_leaves_it_out(found, tmp_path):
    before = read_label_map(LabelMapExport.write(found, tmp_path / "a.nii.gz")).labels
    reject(found)
    change(found, lambda review: review.setLevel("v03", "L1", READER, "below"))
    after = read_label_map(LabelMapExport.write(found, tmp_path / "b.nii.gz")).labels
    assert set(np.unique(after)) == {0, 19, 20}
    assert (after[before == 20] == 0).all() and (after[before == 21] == 20).all()


def test_its_point_is_hidden_and_comes_back(found):
    points = found.centersNode
    points.SetNthControlPointVisibility(0, False)
    review = reject(found)
    assert points.GetNumberOfControlPoints() == 3
    assert not points.GetNthControlPointVisibility(1)
    assert points.GetNthControlPointLabel(1) == "not a vertebra"
    assert not points.GetNthControlPointSelected(1), "not in the colour of fractures"
    SceneWriter().update(found, review, review.undo())
    assert points.GetNthControlPointVisibility(1)
    assert points.GetNthControlPointLabel(1).startswith("L1")
    assert not points.GetNthControlPointVisibility(0), "hidden by hand"


def test_its_height_lines_are_hidden_and_come_back(found):
    review = reject(found)
    assert not HeightLinesWriter.isShown(found, "v02")
    assert len(found.heightLineNodes) == 3
    SceneWriter().update(found, review, review.undo())
    assert HeightLinesWriter.isShown(found, "v02")


def test_lines_asked_for_come_back_as_well(found):
    HeightLinesWriter.show(found, found.loadReview().vertebra("v01"))
    review = reject(found, "v01")
    assert not HeightLinesWriter.isShown(found, "v01")
    SceneWriter().update(found, review, review.undo())
    assert HeightLinesWriter.isShown(found, "v01")


def test_the_table_of_the_scene_says_so(found):
    reject(found)
    table = found.tableNode.GetTable()
    assert table.GetValueByName(1, "Rejected").ToString() == "yes"
    assert table.GetValueByName(0, "Rejected").ToString() == "no"
    assert table.GetValueByName(1, "Level").ToString() == ""
    assert table.GetValueByName(1, "Grade").ToInt() == -1
    assert table.GetValueByName(1, "AI level").ToString() == "L1"
    assert table.GetValueByName(1, "AI grade").ToInt() == 1


def test_it_gets_no_picture_and_no_outline_in_those_of_others(found, tmp_path):
    from VertebraAnalysisLib.FracturePicture import FracturePicture
    from VertebraAnalysisLib.Screenshots import Screenshots

    change(found, lambda review: review.overrideGrade("v01", 2, "wedge", "Seen", READER))
    change(found, lambda review: review.setRejected("v02", True, READER))
    (path,) = Screenshots(found).export(tmp_path / "pictures")
    assert path.name == "T12_G2_wedge.png"
    plane = FracturePicture(found.loadReview().vertebra("v01")).plane
    assert set(Screenshots(found)._outlinesOn(plane)) == {"T12", "L2"}
    change(found, lambda review: review.setRejected("v01", True, READER))
    with pytest.raises(UserError, match="fractured"):
        Screenshots(found).export(tmp_path / "pictures")


def test_a_rejection_survives_the_saved_scene_and_can_be_taken_back_there(slicer, found, tmp_path):
    reject(found)
    reopen(slicer, tmp_path / "scene.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    review = again.loadReview()
    assert review.vertebra("v02").rejected
    assert not isShown(again.segmentationNode, again.segmentIdOfKey("v02"))
    assert not again.centersNode.GetNthControlPointVisibility(1)
    SceneWriter().update(again, review, review.undo())
    assert names(again.segmentationNode) == ["T12", "L1", "L2"]
    assert again.centersNode.GetNthControlPointVisibility(1)
    assert HeightLinesWriter.isShown(again, "v02")


def test_results_with_a_rejection_are_written_as_they_were_left(slicer, found, tmp_path):
    """The exported JSON put in place of analysis.json gives the same scene."""
    reject(found)
    folder = writeFolder(tmp_path / "again")
    (folder / "analysis.json").write_text(found.textNode.GetText(), "utf-8")
    again = SceneWriter().write(folder, found.inputNode)
    assert names(again.segmentationNode) == ["T12", "not a vertebra", "L2"]
    assert not isShown(again.segmentationNode, again.segmentIdOfKey("v02"))
    assert not again.centersNode.GetNthControlPointVisibility(1)
    assert again.heightLineNodes == {}


def test_it_stays_hidden_when_the_vertebrae_are_shown_in_3d(found):
    reject(found)
    SegmentationWriter.show3D(found, True)
    assert not isShown(found.segmentationNode, found.segmentIdOfKey("v02"))


def test_it_is_not_measured_with_its_neighbours(found):
    from VertebraAnalysisLib.Remeasure import Remeasure
    from VertebraAnalysisLib.RunOptions import RunOptions
    from VertebraAnalysisLib.SegmentationExport import SegmentationExport

    reject(found)
    review = found.loadReview()
    labels = SegmentationExport.labels(found.segmentationNode)
    run = Remeasure(found, review, ["v01"], RunOptions(), *[lambda *_: None] * 5)
    assert set(run._numbers(labels).values()) == {"T12", "L2"}
