"""A folder of the command line is opened as results of a CT of the scene, if it is of that CT."""

from __future__ import annotations

import json

import numpy as np
import pytest
from result_folder import exampleCt, segmentVoxelsRas, writeFolder
from vertebra_core.output.markups_json import analysis_to_markups
from VertebraAnalysisLib.Coordinates import arrayFromMatrix, matrixFromArray
from VertebraAnalysisLib.HeightLinesWriter import HeightLinesWriter
from VertebraAnalysisLib.ResultImport import importResults
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.Review import Review
from VertebraAnalysisLib.ReviewExport import writeJson
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.UserError import UserError


@pytest.fixture
def folder(tmp_path):
    """What the command line leaves; the series is 1.2.840.7."""
    from example_analysis import example

    written = writeFolder(tmp_path / "résultats 1")
    (written / "vertebrae.mrk.json").write_text(analysis_to_markups(example()[3]), "utf-8")
    return written


def nodeIds(scene):
    return [scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())]


def isRefused(slicer, folder, ct, match):
    """Whether it is told in one sentence, with a hint, and the scene stays as it was."""
    # The application's scenes always have one.
    slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(slicer.mrmlScene)
    before = nodeIds(slicer.mrmlScene)
    with pytest.raises(UserError, match=match) as caught:
        importResults(folder, ct, SceneWriter())
    assert caught.value.message.count(". ") == 0 and caught.value.hint
    assert nodeIds(slicer.mrmlScene) == before and ResultSet.findAll(slicer.mrmlScene) == []
    return True


def test_the_folder_becomes_results_of_the_ct(slicer, folder):
    ct = exampleCt(slicer)
    found = importResults(folder, ct, SceneWriter())
    assert ResultSet.forInput(ct) == [found] and found.inputNode is ct
    assert [v.level for v in found.loadReview().vertebrae] == ["T12", "L1", "L2"]
    segmentation = found.segmentationNode.GetSegmentation()
    assert [segmentation.GetNthSegmentID(i) for i in range(3)] == [
        "vertebra_T12", "vertebra_L1", "vertebra_L2",
    ]  # fmt: skip
    assert HeightLinesWriter.isShown(found, "v02")
    assert found.centersNode.GetNthControlPointLabel(1) == "L1  G1 wedge, borderline"


def test_an_analysis_that_the_panel_saved_brings_its_review(slicer, folder):
    path = folder / "analysis.json"
    review = Review.fromJson(path.read_text("utf-8"))
    key = review.vertebrae[1].key
    review.overrideGrade(key, 2, "crush", "seen in the image", "First reader")
    writeJson(review, path)
    found = importResults(folder, exampleCt(slicer), SceneWriter())
    opened = found.loadReview()
    assert (opened.vertebra(key).grade, opened.vertebra(key).ai.grade) == (2, 1)
    assert [c.reader for c in opened.changes] == ["First reader"]
    assert found.centersNode.GetNthControlPointLabel(1) == "L1  G2 crush"


def test_a_second_import_stands_beside_the_first(slicer, folder):
    ct = exampleCt(slicer)
    first, second = (importResults(folder, ct, SceneWriter()) for _ in range(2))
    assert ResultSet.forInput(ct) == [first, second] and first.name != second.name


def test_voxels_kept_in_another_order_are_the_same_ct(slicer, folder):
    expected = importResults(folder, exampleCt(slicer), SceneWriter())
    ct = exampleCt(slicer, "from below")
    matrix = (
        slicer.vtkMatrix4x4() if hasattr(slicer, "vtkMatrix4x4") else matrixFromArray(np.eye(4))
    )
    ct.GetIJKToRASMatrix(matrix)
    values = slicer.util.arrayFromVolume(ct).copy()
    toRas = arrayFromMatrix(matrix)
    toRas[:3, 3] += toRas[:3, 2] * (len(values) - 1)
    toRas[:3, 2] *= -1
    ct.SetIJKToRASMatrix(matrixFromArray(toRas))
    slicer.util.updateVolumeFromArray(ct, values[::-1])
    found = importResults(folder, ct, SceneWriter())
    for one in ("vertebra_T12", "vertebra_L2"):
        a = segmentVoxelsRas(expected.segmentationNode, one)
        b = segmentVoxelsRas(found.segmentationNode, one)
        assert sorted(map(tuple, a.round(3))) == sorted(map(tuple, b.round(3)))


def moved(ct, x=0.0, y=0.0, z=0.0):
    origin = ct.GetOrigin()
    ct.SetOrigin(origin[0] + x, origin[1] + y, origin[2] + z)


@pytest.mark.parametrize("by", [{"z": 5.0}, {"x": 0.4}, {"y": -60.0}])
def test_a_ct_elsewhere_is_another_one(slicer, folder, by):
    ct = exampleCt(slicer)
    moved(ct, **by)
    assert isRefused(slicer, folder, ct, "another CT.* mm away")


def test_a_ct_of_other_voxels_is_another_one(slicer, folder):
    ct = exampleCt(slicer)
    ct.SetSpacing(1.5, 1.25, 2.5)
    assert isRefused(slicer, folder, ct, "another CT.*1.5 x 1.25 x 2 mm.*1.5 x 1.25 x 2.5 mm")


def test_a_ct_of_another_size_is_another_one(slicer, folder):
    ct = exampleCt(slicer)
    slicer.util.updateVolumeFromArray(ct, slicer.util.arrayFromVolume(ct)[:-1].copy())
    assert isRefused(slicer, folder, ct, "another CT.*44 x 48 x 54 voxels.*44 x 48 x 53")


def test_a_turned_ct_is_another_one(slicer, folder):
    ct = exampleCt(slicer)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = np.eye(4)
    turn[:2, :2] = [[0, -1], [1, 0]]
    transform.SetMatrixTransformToParent(matrixFromArray(turn))
    ct.SetAndObserveTransformNodeID(transform.GetID())
    assert isRefused(slicer, folder, ct, "another CT")


def seriesOf(slicer, ct, uid):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(ct) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), ct)
    hierarchy.SetItemUID(item, "DICOM", uid)


def test_another_series_of_the_same_geometry_is_another_ct(slicer, folder):
    ct = exampleCt(slicer)
    seriesOf(slicer, ct, "1.2.840.99")
    assert isRefused(slicer, folder, ct, "another DICOM series")
    seriesOf(slicer, ct, "1.2.840.7")
    assert importResults(folder, ct, SceneWriter()).inputNode is ct


def test_a_ct_that_is_gone_or_empty_is_told(slicer, folder):
    assert isRefused(slicer, folder, None, "No CT")
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert isRefused(slicer, folder, empty, "empty")


@pytest.mark.parametrize("name", ["analysis.json", "labels.nii.gz", "bodies.nii.gz"])
def test_a_folder_that_lacks_a_file_is_told(slicer, folder, name):
    (folder / name).unlink()
    assert isRefused(slicer, folder, exampleCt(slicer), f"{name} is missing")


def test_no_folder_at_all_is_told(slicer, folder):
    ct = exampleCt(slicer)
    assert isRefused(slicer, folder / "nowhere", ct, "analysis.json is missing")
    assert isRefused(slicer, folder / "analysis.json", ct, "analysis.json is missing")


@pytest.mark.parametrize("text", ["", "{", '{"vertebrae": []}', "\x00\xff"])
def test_a_damaged_analysis_is_told(slicer, folder, text):
    (folder / "analysis.json").write_bytes(text.encode("latin-1"))
    assert isRefused(slicer, folder, exampleCt(slicer), "cannot be read|not an analysis")


def test_a_damaged_label_map_is_told(slicer, folder):
    content = (folder / "bodies.nii.gz").read_bytes()
    (folder / "bodies.nii.gz").write_bytes(content[: len(content) // 2])
    assert isRefused(slicer, folder, exampleCt(slicer), "bodies.nii.gz cannot be read")


def test_label_maps_of_another_scan_are_told(slicer, folder, tmp_path):
    other = writeFolder(tmp_path / "other", move=lambda points: points + [0.0, 0.0, 12.0])
    (other / "labels.nii.gz").replace(folder / "labels.nii.gz")
    assert isRefused(slicer, folder, exampleCt(slicer), "labels.nii.gz .*another")


def test_a_later_version_is_told(slicer, folder):
    content = json.loads((folder / "analysis.json").read_text("utf-8"))
    (folder / "analysis.json").write_text(json.dumps({**content, "schema_version": "9.0"}))
    assert isRefused(slicer, folder, exampleCt(slicer), "version 9.0")
