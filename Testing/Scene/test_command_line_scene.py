"""``scene.mrb`` of the command line is reviewed as results of the panel are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from result_folder import example, exampleCt, reopen, segmentVoxelsRas, tag, writeFolder
from vertebra_core.analysis_json import analysis_to_json
from vertebra_core.output.markups_json import analysis_to_markups
from vertebra_core.output.scene_mrb import SceneWriting
from VertebraAnalysisLib.HeightEditing import HEIGHT_NAMES
from VertebraAnalysisLib.LabelMapExport import LabelMapExport
from VertebraAnalysisLib.ResultSet import ResultSet, segmentIdsByKey
from VertebraAnalysisLib.ReviewSession import ReviewSession
from VertebraAnalysisLib.SceneWriter import SceneWriter

KEYS = ("v01", "v02", "v03")
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def writeMrb(folder: Path, withCt: bool = True) -> Path:
    """Write the example as the command line does, by its own process."""
    ct, labels, bodies, analysis = example()
    # A sacrum, which has a label but no entry in the analysis.
    labels.labels[0:3, 10:20, 10:20] = 26
    with SceneWriting(folder / "scene.mrb") as writing:
        texts = analysis_to_json(analysis), analysis_to_markups(analysis)
        writing.begin(ct if withCt else None, labels, bodies, *texts)
        assert writing.finish() == ""
    return folder / "scene.mrb"


@pytest.fixture(scope="module")
def mrb(tmp_path_factory):
    return writeMrb(tmp_path_factory.mktemp("mrb"))


@pytest.fixture
def found(slicer, mrb):
    assert slicer.mrmlScene.ReadFromMRB(str(mrb))
    (resultSet,) = ResultSet.findAll(slicer.mrmlScene)
    return resultSet


@pytest.fixture
def session(found):
    opened = ReviewSession(SceneWriter(), lambda: "Reader")
    opened.open(found)
    return opened


def test_the_result_set_of_the_ct_is_found_with_all_its_nodes(slicer, found):
    assert found.inputNode.GetName() == "CT"
    assert ResultSet.forInput(found.inputNode) == [found]
    for node, className in (
        (found.segmentationNode, "vtkMRMLSegmentationNode"),
        (found.bodiesNode, "vtkMRMLSegmentationNode"),
        (found.centersNode, "vtkMRMLMarkupsFiducialNode"),
        (found.tableNode, "vtkMRMLTableNode"),
    ):
        assert node is not None and node.IsA(className)
    assert found.segmentationNode is not found.bodiesNode
    review = found.loadReview()
    assert [(v.key, v.level) for v in review.vertebrae] == list(zip(KEYS, ("T12", "L1", "L2"),
                                                                   strict=True))  # fmt: skip


def test_every_vertebra_leads_to_its_segments_and_its_point(found):
    _, labels, bodies, analysis = example()
    for index, (key, vertebra) in enumerate(zip(KEYS, analysis.vertebrae, strict=True)):
        number = {"T12": 19, "L1": 20, "L2": 21}[vertebra.level]
        for isBody, node, voxels in (
            (False, found.segmentationNode, labels.labels),
            (True, found.bodiesNode, bodies),
        ):
            segmentId = found.segmentIdOfKey(key, bodies=isBody)
            assert node.GetSegmentation().GetSegment(segmentId).GetName() == vertebra.level
            wanted = labels.index_to_lps(np.argwhere(voxels == number)) * LPS_TO_RAS
            assert segmentVoxelsRas(node, segmentId) == pytest.approx(wanted, abs=1e-4)
        assert found.pointOfKey(key) == index and found.keyOfPoint(index) == key
        place = found.centersNode.GetNthControlPointPositionWorld(index)
        assert place == pytest.approx(np.array(vertebra.center_lps_mm) * LPS_TO_RAS, abs=1e-3)


def test_the_table_leaves_empty_what_was_not_measured(found):
    table = contentOf(found.tableNode)
    assert table["level"] == ["T12", "L1", "L2"]
    assert table["grade"] == ["0", "1", ""] and table["borderline"] == ["no", "yes", ""]


def test_points_answer_clicks_but_can_be_neither_moved_nor_deleted(found):
    points = found.centersNode
    # 3D Slicer takes a list that is locked as a whole out of reach of the mouse.
    assert not points.GetLocked()
    assert all(points.GetNthControlPointLocked(i) for i in range(3))
    assert points.GetFixedNumberOfControlPoints()


def test_a_sacrum_of_the_label_map_keeps_its_segment(found, tmp_path):
    from vertebra_core.reading import read_label_map
    from vertebra_core.volume import resample_labels

    segmentation = found.segmentationNode.GetSegmentation()
    assert segmentation.GetSegment("vertebra_S1").GetName() == "S1"
    assert "vertebra_S1" not in segmentIdsByKey(found.segmentationNode).values()
    assert found.bodiesNode.GetSegmentation().GetNumberOfSegments() == 3
    again = read_label_map(LabelMapExport.write(found, tmp_path / "labels.nii.gz"))
    _, labels, _, _ = example()
    labels.labels[0:3, 10:20, 10:20] = 26
    # 3D Slicer turns left-handed voxels of a CT around while it reads them.
    assert (resample_labels(again, labels).labels == labels.labels).all()


def test_corrections_reach_all_nodes_and_survive_saving(slicer, session, tmp_path):
    session.change(lambda review, reader: review.shiftLevels(1, reader))
    session.change(lambda review, reader: review.overrideGrade("v02", 2, "crush", "Seen.", reader))
    reopen(slicer, tmp_path / "reviewed.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    names = {key: again.segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()
             for key, segmentId in segmentIdsByKey(again.segmentationNode).items()}  # fmt: skip
    assert names == {"v01": "L1", "v02": "L2", "v03": "L3"}
    assert again.centersNode.GetNthControlPointLabel(1) == "L2  G2 crush"
    table = again.tableNode.GetTable()
    assert table.GetValueByName(1, "Level").ToString() == "L2"
    assert table.GetValueByName(1, "AI level").ToString() == "L1"
    assert {name for key, name in again.heightLineNodes if key == "v02"} == set(HEIGHT_NAMES)
    review = again.loadReview()
    assert review.vertebra("v02").grade == 2 and review.changes[-1].reader == "Reader"


def test_opened_for_review_it_is_what_the_panel_writes(slicer, session, tmp_path):
    found = session.resultSet
    panels = SceneWriter().write(writeFolder(tmp_path), exampleCt(slicer))
    assert found.heightLineNodes.keys() == panels.heightLineNodes.keys()
    for which, line in found.heightLineNodes.items():
        other = panels.heightLineNodes[which]
        for end in range(2):
            assert line.GetNthControlPointPositionWorld(end) == pytest.approx(
                list(other.GetNthControlPointPositionWorld(end)), abs=1e-4
            )
    assert contentOf(found.tableNode) == contentOf(panels.tableNode)
    assert found.tableNode.GetLocked() and panels.tableNode.GetLocked()
    for ours, theirs in ((found.segmentationNode, panels.segmentationNode),
                         (found.bodiesNode, panels.bodiesNode)):  # fmt: skip
        assert segmentIdsByKey(ours) == segmentIdsByKey(theirs)
        for segmentId in segmentIdsByKey(theirs).values():
            assert described(ours, segmentId) == described(theirs, segmentId)
        assert ours.GetDisplayNode().GetVisibility() == theirs.GetDisplayNode().GetVisibility()
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    for node in found.nodes:
        item = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
        if node.IsA("vtkMRMLMarkupsLineNode"):
            item = hierarchy.GetItemParent(item)
        assert hierarchy.GetItemName(item) == "Vertebra analysis", node.GetName()


def contentOf(tableNode):
    table = tableNode.GetTable()
    columns = [table.GetColumn(i) for i in range(table.GetNumberOfColumns())]
    return {c.GetName(): [str(c.GetValue(i)) for i in range(3)] for c in columns}


def described(node, segmentId):
    segment = node.GetSegmentation().GetSegment(segmentId)
    names = ("DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName", "VertebraAnalysis.Key")
    tags = [tag(segment, name) for name in (*names, segment.GetTerminologyEntryTagName())]
    color = [round(c, 3) for c in segment.GetColor()]
    return segment.GetName(), color, segment.GetLabelValue(), tags


def test_what_was_deleted_after_opening_stays_deleted(slicer, session, tmp_path):
    slicer.mrmlScene.RemoveNode(session.resultSet.heightLineNodes["v02", "middle"])
    reopen(slicer, tmp_path / "again.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    session.open(again)
    assert set(again.heightLineNodes) == {("v02", "anterior"), ("v02", "posterior")}


def test_a_set_can_be_removed_whole(slicer, session):
    session.resultSet.remove()
    assert ResultSet.findAll(slicer.mrmlScene) == []
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    assert hierarchy.GetItemByName("Vertebra analysis") == 0


def test_without_a_ct_it_is_reviewed_all_the_same(slicer, tmp_path):
    assert slicer.mrmlScene.ReadFromMRB(str(writeMrb(tmp_path, withCt=False)))
    (found,) = ResultSet.findAll(slicer.mrmlScene)
    assert found.inputNode is None
    session = ReviewSession(SceneWriter(), lambda: "Reader")
    session.open(found)
    session.change(lambda review, reader: review.setLevel("v01", "L1", reader))
    assert found.centersNode.GetNthControlPointLabel(0) == "L1  G0"
    assert set(found.heightLineNodes) == {("v02", name) for name in HEIGHT_NAMES}


def test_scenes_of_two_patients_stay_apart(slicer, mrb):
    for _ in range(2):
        assert slicer.mrmlScene.ReadFromMRB(str(mrb), False)
    first, second = ResultSet.findAll(slicer.mrmlScene)
    assert first.inputNode is not second.inputNode
    assert not set(first.nodes) & set(second.nodes)
