"""Results keep all they carry through the files of 3D Slicer."""

from __future__ import annotations

import numpy as np
import pytest
from result_folder import example, exampleCt, reopen, segmentVoxelsRas, tag, writeFolder
from VertebraAnalysisLib.HeightEditing import HEIGHT_NAMES
from VertebraAnalysisLib.LabelMapExport import LabelMapExport
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.UserError import UserError

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture
def found(slicer, tmp_path):
    return SceneWriter().write(writeFolder(tmp_path), exampleCt(slicer, "CT Müller"))


def test_a_result_set_is_found_again_in_a_reopened_scene(slicer, found, tmp_path):
    text = found.textNode.GetText()
    reopen(slicer, tmp_path / "scène 1.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    assert again.textNode.GetText() == text
    assert again.inputNode.GetName() == "CT Müller"
    assert ResultSet.forInput(again.inputNode) == [again]
    assert set(again.heightLineNodes) == {("v02", name) for name in HEIGHT_NAMES}
    assert again.heightLineNodes["v02", "posterior"].GetMeasurement("length").GetValue() > 20
    line = again.heightLineNodes["v02", "middle"]
    assert [line.GetNthControlPointLabel(i) for i in (0, 1)] == ["Hm 26.0", "Hm 26.0"]
    _, labels, bodies, _ = example()
    for node, voxels in ((again.segmentationNode, labels.labels), (again.bodiesNode, bodies)):
        assert node.GetSegmentation().GetNumberOfLayers() == 1
        wanted = labels.index_to_lps(np.argwhere(voxels == 20)) * LPS_TO_RAS
        assert segmentVoxelsRas(node, again.segmentIdOfKey("v02")) == pytest.approx(
            wanted, abs=1e-4
        )
    assert not again.bodiesNode.GetDisplayNode().GetVisibility()
    segment = again.segmentationNode.GetSegmentation().GetSegment("vertebra_L1")
    assert "66794005" in tag(segment, segment.GetTerminologyEntryTagName())
    assert tag(segment, "DICOM.SegmentAlgorithmName") == "VertebraAnalysis"
    assert again.keyOfPoint(2) == "v03"
    assert again.centersNode.GetNthControlPointLabel(1) == "L1  G1 wedge, borderline"
    assert again.centersNode.GetNthControlPointLocked(1)
    table = again.tableNode
    assert table.GetColumnUnitLabel("Hp (mm)") == "mm" and table.GetTable().GetNumberOfRows() == 3
    assert table.GetTable().GetColumnByName("Grade").GetVariantValue(2).ToInt() == -1
    assert table.GetTable().GetColumnByName("Reader's reason") is not None


def test_two_sets_of_two_cts_stay_apart_when_reopened(slicer, tmp_path):
    for number in (1, 2):
        SceneWriter().write(writeFolder(tmp_path / str(number)), exampleCt(slicer, f"CT {number}"))
    reopen(slicer, tmp_path / "two.mrb")
    sets = ResultSet.findAll(slicer.mrmlScene)
    assert [s.inputNode.GetName() for s in sets] == ["CT 1", "CT 2"]
    assert [s.segmentationNode.GetName() for s in sets] == ["CT 1 vertebrae", "CT 2 vertebrae"]


def test_a_scene_imported_into_another_keeps_its_sets(slicer, found, tmp_path):
    path = tmp_path / "one.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(path))
    assert slicer.mrmlScene.ReadFromMRB(str(path), False)
    sets = ResultSet.findAll(slicer.mrmlScene)
    assert len(sets) == 2 and sets[0].segmentationNode is not sets[1].segmentationNode
    assert sets[0].inputNode is not sets[1].inputNode
    assert len(sets[1].heightLineNodes) == 3


def test_the_hierarchy_is_kept_in_a_reopened_scene(slicer, found, tmp_path):
    reopen(slicer, tmp_path / "a.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(again.segmentationNode))
    assert hierarchy.GetItemName(item) == "CT Müller vertebra analysis"
    before = hierarchy.GetNumberOfItems()
    again.remove()
    assert ResultSet.findAll(slicer.mrmlScene) == [] and hierarchy.GetNumberOfItems() < before
    assert hierarchy.GetItemByName("CT Müller vertebra analysis") == 0


def test_a_saved_segmentation_keeps_levels_codes_and_voxels(slicer, found, tmp_path):
    path = tmp_path / "vertebræ.seg.nrrd"
    node = found.segmentationNode
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(path))
    assert node.GetStorageNode().WriteData(node)
    before = segmentVoxelsRas(node, "vertebra_L1")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(other)
    segment = other.GetSegmentation().GetSegment("vertebra_L1")
    assert segment.GetName() == "L1" and segment.GetLabelValue() == 20
    assert "66794005" in tag(segment, segment.GetTerminologyEntryTagName())
    assert tag(segment, "VertebraAnalysis.Key") == "v02"
    assert segmentVoxelsRas(other, "vertebra_L1") == pytest.approx(before, abs=1e-4)


def test_saved_points_keep_labels_descriptions_and_places(slicer, found, tmp_path):
    path = tmp_path / "points ä.mrk.json"
    node = found.centersNode
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsJsonStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    assert storage.ReadData(other)
    for index in range(3):
        for what in ("Label", "Description", "Locked", "Selected"):
            get = f"GetNthControlPoint{what}"
            assert getattr(other, get)(index) == getattr(node, get)(index), what
        place = list(node.GetNthControlPointPositionWorld(index))
        assert list(other.GetNthControlPointPositionWorld(index)) == pytest.approx(place, abs=1e-4)


@pytest.mark.parametrize("name", ["labels ä.nii.gz", "labels.nrrd"])
def test_an_exported_label_map_is_that_of_the_analysis(found, tmp_path, name):
    from vertebra_core.reading import read_label_map

    _, labels, _, _ = example()
    again = read_label_map(LabelMapExport.write(found, tmp_path / name))
    assert (again.labels == labels.labels).all()
    assert again.corners_lps_mm() == pytest.approx(labels.corners_lps_mm(), abs=1e-3)
    assert [p.name for p in tmp_path.glob("*abels*partial*")] == []


def test_an_exported_label_map_follows_the_readers_levels_and_own_segments(found, tmp_path):
    from vertebra_core.reading import read_label_map

    review = found.loadReview()
    SceneWriter().update(found, review, review.shiftLevels(1, "Reader"))
    found.segmentationNode.GetSegmentation().AddEmptySegment("own", "Cage")
    again = read_label_map(LabelMapExport.write(found, tmp_path / "a.nrrd"))
    _, labels, _, _ = example()
    assert (again.labels == np.where(labels.labels > 0, labels.labels + 1, 0)).all()


def test_an_exported_label_map_goes_by_the_review_and_not_by_names_of_segments(found, tmp_path):
    from vertebra_core.reading import read_label_map

    segmentation = found.segmentationNode.GetSegmentation()
    for key, name in (("v02", "L1 fracture?"), ("v03", "T12")):
        segmentation.GetSegment(found.segmentIdOfKey(key)).SetName(name)
    segmentation.AddEmptySegment("own", "Cage")
    segmentation.AddEmptySegment("sacrum", "S1")
    again = read_label_map(LabelMapExport.write(found, tmp_path / "a.nrrd"))
    _, labels, _, _ = example()
    assert (again.labels == labels.labels).all()
    assert LabelMapExport.leftOut(found) == ["Cage"]


def test_what_was_rejected_is_not_exported_whatever_its_segment_is_called(found, tmp_path):
    from vertebra_core.reading import read_label_map

    review = found.loadReview()
    SceneWriter().update(found, review, review.setRejected("v02", True, "Reader"))
    segmentation = found.segmentationNode.GetSegmentation()
    segmentation.GetSegment(found.segmentIdOfKey("v02")).SetName("L1")
    again = read_label_map(LabelMapExport.write(found, tmp_path / "a.nrrd"))
    _, labels, _, _ = example()
    assert (again.labels == np.where(labels.labels == 20, 0, labels.labels)).all()
    assert LabelMapExport.leftOut(found) == []


def test_a_folder_that_cannot_be_cleaned_is_told_in_a_sentence(found, tmp_path, monkeypatch):
    def fails(*_unused, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", fails)
    monkeypatch.setattr("pathlib.Path.unlink", fails)
    with pytest.raises(UserError, match="a.nrrd"):
        LabelMapExport.write(found, tmp_path / "a.nrrd")


def test_results_without_a_vertebra_have_no_label_map(found, tmp_path):
    found.segmentationNode.GetSegmentation().RemoveAllSegments()
    with pytest.raises(UserError, match="no vertebra") as told:
        LabelMapExport.write(found, tmp_path / "a.nrrd")
    assert "nalyze" in told.value.hint


def test_a_label_map_that_cannot_be_written_is_told(slicer, found, tmp_path):
    with pytest.raises(UserError, match=r"\.nii\.gz or \.nrrd"):
        LabelMapExport.write(found, tmp_path / "labels.stl")
    with pytest.raises(UserError, match="cannot be written"):
        LabelMapExport.write(found, tmp_path / "nowhere" / "labels.nrrd")
    slicer.mrmlScene.RemoveNode(found.segmentationNode)
    with pytest.raises(UserError, match="was deleted"):
        LabelMapExport.write(found, tmp_path / "labels.nrrd")


@pytest.mark.parametrize("text", ["", "{}", "no analysis", '{"schema_version": "9.0"}'])
def test_a_damaged_analysis_text_is_told(found, text):
    found.textNode.SetText(text)
    with pytest.raises(UserError):
        found.loadReview()
