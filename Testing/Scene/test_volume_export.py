"""Volumes on their way to the analysis: same voxels, same place, nothing changed in the scene."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from vertebra_core.reading import read_ct
from vertebra_core.volume_source import VolumeSource
from VertebraAnalysisLib import NrrdFile
from VertebraAnalysisLib.Coordinates import LpsGeometry, ijkToRas, matrixFromArray
from VertebraAnalysisLib.UserError import UserError
from VertebraAnalysisLib.VolumeExport import VolumeExport


def rotation(degrees, axis):
    a = np.radians(degrees)
    i, j = [k for k in range(3) if k != axis]
    matrix = np.eye(4)
    matrix[i, i] = matrix[j, j] = np.cos(a)
    matrix[i, j], matrix[j, i] = -np.sin(a), np.sin(a)
    return matrix


def ctVoxels(kind=np.int16):
    """Body-like values of which no two planes are alike."""
    random = np.random.default_rng(1)
    values = random.normal(40, 30, (20, 32, 40))
    values[:, :6] = -1000
    values[:, 6:10] = -100
    values[:, 20:24] = 500 + random.integers(0, 99, (20, 4, 40))
    return values.round().astype(kind)


def addCt(slicer, voxels=None, spacing=(0.9, 0.8, 1.5), matrix=None):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    slicer.util.updateVolumeFromArray(node, ctVoxels() if voxels is None else voxels)
    own = np.diag([*spacing, 1.0])
    own[:3, 3] = (-31.25, 17.5, 903.125)
    node.SetIJKToRASMatrix(matrixFromArray(own if matrix is None else matrix))
    return node


def worldCorner(node, ijk):
    """Where a voxel lies according to Slicer, LPS mm."""
    import vtk

    ras, world = vtk.vtkMatrix4x4(), [0.0, 0.0, 0.0]
    node.GetIJKToRASMatrix(ras)
    point = ras.MultiplyPoint((*ijk, 1))[:3]
    node.TransformPointToWorld(point, world)
    return np.array([-world[0], -world[1], world[2]])


PLACES = {
    "upright": np.eye(4),
    "LPS storage": np.diag([-1.0, -1.0, 1.0, 1.0]),
    "sagittal": np.array([[0, 0, 1.0, 0], [1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]]),
    "left-handed": np.diag([1.0, 1.0, -1.0, 1.0]),
    "oblique": rotation(17, 0) @ rotation(-8, 2),
}


@pytest.mark.parametrize("place", PLACES)
def testVolumeReadsBackVoxelAndGeometryEqual(slicer, tmp_path, place):
    matrix = PLACES[place] @ np.diag([0.7, 0.9, 2.0, 1.0])
    matrix[:3, 3] = (12.3456789, -200.5, 1001.25)
    node = addCt(slicer, matrix=matrix)
    VolumeExport.write(node, tmp_path / "ct.nrrd")
    ct = read_ct(tmp_path / "ct.nrrd")
    assert np.array_equal(ct.hu, ctVoxels())
    assert ct.spacing_xyz_mm == pytest.approx((0.7, 0.9, 2.0))
    for ijk in ((0, 0, 0), (39, 0, 0), (0, 31, 0), (39, 31, 19)):
        assert ct.index_to_lps(np.array(ijk[::-1])) == pytest.approx(worldCorner(node, ijk))


def testTransformAboveTheVolumeIsTakenIn(slicer, tmp_path):
    node = addCt(slicer)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    outer = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = rotation(25, 0) @ rotation(10, 1)
    matrix[:3, 3] = (5, -60, 33)
    transform.SetMatrixTransformToParent(matrixFromArray(matrix))
    outer.SetMatrixTransformToParent(matrixFromArray(rotation(-40, 2)))
    transform.SetAndObserveTransformNodeID(outer.GetID())
    node.SetAndObserveTransformNodeID(transform.GetID())
    VolumeExport.write(node, tmp_path / "ct.nrrd")
    ct = read_ct(tmp_path / "ct.nrrd")
    assert np.array_equal(ct.hu, ctVoxels())
    for ijk in ((0, 0, 0), (39, 31, 19), (5, 20, 3)):
        assert ct.index_to_lps(np.array(ijk[::-1])) == pytest.approx(worldCorner(node, ijk))


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64, np.uint16])
def testVoxelTypesKeepTheirValues(slicer, tmp_path, kind):
    voxels = ctVoxels() + (1024 if kind is np.uint16 else 0)
    VolumeExport.write(addCt(slicer, voxels.astype(kind)), tmp_path / "ct.nrrd")
    assert np.array_equal(read_ct(tmp_path / "ct.nrrd").hu, ctVoxels())


def testPathsMayHaveSpacesAndAnyScript(slicer, tmp_path):
    folder = tmp_path / "Pr\u00fcfung 1 \u810a\u690e"
    folder.mkdir()
    VolumeExport.write(addCt(slicer), folder / "M\u00fcller CT.nrrd")
    assert np.array_equal(read_ct(folder / "M\u00fcller CT.nrrd").hu, ctVoxels())


@pytest.mark.parametrize("name", ["2: Chest 1.0 \u810a\u690e", "C:\\ct := 1", "--help", " "])
def testFileTellsTheNameOfTheVolumeInPlaceOfItsOwn(slicer, tmp_path, name):
    node = addCt(slicer)
    node.SetName(name)
    VolumeExport.write(node, tmp_path / "ct.nrrd")
    assert read_ct(tmp_path / "ct.nrrd").source == VolumeSource(name.strip() or None)


def testSceneIsNotModified(slicer, tmp_path):
    node = addCt(slicer)
    roi = addRoi(slicer, (-10, 30, 915), (20, 20, 12))
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    times = [n.GetMTime() for n in (node, node.GetImageData(), roi)]
    VolumeExport.write(node, tmp_path / "ct.nrrd", roi)
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    assert [n.GetMTime() for n in (node, node.GetImageData(), roi)] == times


def addRoi(slicer, center, size):
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetSize(*size)
    roi.SetCenter(*center)
    return roi


def testRegionKeepsTheVoxelsInsideInTheirPlace(slicer, tmp_path):
    node = addCt(slicer, spacing=(1.0, 1.0, 1.5))
    # The volume begins at (-31.25, 17.5, 903.125): voxels 10-25, 8-22 and 2-11.
    low, high = np.array([10, 8, 2]), np.array([25, 22, 11])
    own = np.array([1.0, 1.0, 1.5])
    corner = np.array([-31.25, 17.5, 903.125])
    first, last = corner + low * own, corner + high * own
    roi = addRoi(slicer, (first + last) / 2, last - first + 0.2)
    VolumeExport.write(node, tmp_path / "part.nrrd", roi)
    part = read_ct(tmp_path / "part.nrrd")
    assert np.array_equal(part.hu, ctVoxels()[2:12, 8:23, 10:26])
    assert part.origin_lps_mm == pytest.approx(tuple(worldCorner(node, (10, 8, 2))))


def testRegionReachingBeyondTheVolumeIsCutAtItsEdge(slicer, tmp_path):
    node = addCt(slicer)
    VolumeExport.write(node, tmp_path / "all.nrrd", addRoi(slicer, (0, 0, 900), (999, 999, 999)))
    assert np.array_equal(read_ct(tmp_path / "all.nrrd").hu, ctVoxels())


def testRotatedRegionAndTransformsAreFollowed(slicer, tmp_path):
    """A region and a volume that are turned together hold the same voxels."""
    node = addCt(slicer, spacing=(1.0, 1.0, 1.0))
    roi = addRoi(slicer, (-15, 32, 912), (16.2, 14.2, 12.2))
    VolumeExport.write(node, tmp_path / "straight.nrrd", roi)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = rotation(30, 2) @ rotation(20, 0)
    matrix[:3, 3] = (100, 50, -20)
    transform.SetMatrixTransformToParent(matrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    roi.SetAndObserveTransformNodeID(transform.GetID())
    VolumeExport.write(node, tmp_path / "turned.nrrd", roi)
    straight, turned = (read_ct(tmp_path / f"{n}.nrrd") for n in ("straight", "turned"))
    assert np.array_equal(straight.hu, turned.hu)
    assert straight.hu.size < ctVoxels().size / 4


@pytest.mark.parametrize("size", [(3.0, 40.0, 40.0), (40.0, 40.0, 0.5)])
def testTooSmallRegionIsRefusedInOneSentence(slicer, tmp_path, size):
    with pytest.raises(UserError, match="region of interest") as told:
        VolumeExport.write(addCt(slicer), tmp_path / "x.nrrd", addRoi(slicer, (-15, 30, 915), size))
    assert told.value.hint
    assert not (tmp_path / "x.nrrd").exists()


def testEmptyVolumeIsRefused(slicer, tmp_path):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    with pytest.raises(UserError, match="empty"):
        VolumeExport.write(node, tmp_path / "x.nrrd")


def testFullDiskIsToldInOneSentence(slicer, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("VertebraAnalysisLib.VolumeExport.writeNrrd", full)
    with pytest.raises(UserError, match="No space left"):
        VolumeExport.write(addCt(slicer), tmp_path / "x.nrrd")


def testBigEndianAndStridedVoxelsAreWrittenRight(tmp_path):
    matrix = ijkToRas(LpsGeometry((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel())))
    voxels = np.flip(ctVoxels().astype(">i2"), 2)
    NrrdFile.writeNrrd(tmp_path / "x.nrrd", voxels, matrix)
    assert np.array_equal(read_ct(tmp_path / "x.nrrd").hu, voxels.astype(np.int16))


def testTypeThatNrrdLacksIsAnError(tmp_path):
    with pytest.raises(ValueError, match="complex"):
        NrrdFile.writeNrrd(tmp_path / "x.nrrd", np.zeros((2, 2, 2), complex), np.eye(4))
