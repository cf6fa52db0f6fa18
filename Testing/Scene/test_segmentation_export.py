"""Segmentations become label maps that the core reads: numbers, names, place."""

from __future__ import annotations

import time

import numpy as np
import pytest
from vertebra_core.reading import read_label_map
from vertebra_core.segment_levels import numbered_by_level
from VertebraAnalysisLib.Coordinates import matrixFromArray
from VertebraAnalysisLib.SegmentationExport import SegmentationExport
from VertebraAnalysisLib.UserError import UserError

SPACING = (1.6, 2.0, 2.5)
CORNER = (-20.0, 15.0, 700.0)


def placed(voxelsKji, firstIjk=(0, 0, 0), spacing=SPACING):
    """Oriented image data whose voxel (0, 0, 0) lies at CORNER, RAS mm."""
    import slicer
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = slicer.vtkOrientedImageData()
    last = np.asarray(firstIjk) + np.asarray(voxelsKji.shape[::-1]) - 1
    image.SetExtent(*np.column_stack([firstIjk, last]).ravel().tolist())
    kind = vtk.VTK_UNSIGNED_CHAR
    image.GetPointData().SetScalars(numpy_to_vtk(voxelsKji.ravel(), deep=True, array_type=kind))
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = CORNER
    image.SetImageToWorldMatrix(matrixFromArray(matrix))
    return image


def addSegment(slicer, node, name, image, label):
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetLabelValue(label)
    segment.AddRepresentation("Binary labelmap", image)
    node.GetSegmentation().AddSegment(segment, f"id {name}")


def addSegmentation(slicer):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "spine")
    node.GetSegmentation().SetSourceRepresentationName("Binary labelmap")
    return node


def twoBlocks():
    voxels = np.zeros((20, 16, 12), np.uint8)
    voxels[2:8, 3:9, 2:10] = 20
    voxels[10:18, 3:9, 2:10] = 21
    return voxels


def sharedLayer(slicer):
    node, image = addSegmentation(slicer), placed(twoBlocks())
    addSegment(slicer, node, "L1", image, 20)
    addSegment(slicer, node, "L2", image, 21)
    return node


def testSharedLayerReadsBackEqual(slicer, tmp_path):
    SegmentationExport.write(sharedLayer(slicer), tmp_path / "s.seg.nrrd")
    read = read_label_map(tmp_path / "s.seg.nrrd")
    # Slicer keeps no more than segments fill: an empty rim says that nothing is cut off there.
    rim = 2
    assert np.array_equal(read.labels, np.pad(twoBlocks(), rim))
    assert read.names == {20: "L1", 21: "L2"}
    corner = np.array([20.0, -15.0, 700.0]) - rim * np.array([-1, -1, 1]) * SPACING
    assert read.origin_lps_mm == pytest.approx(corner)
    assert read.spacing_xyz_mm == pytest.approx(SPACING)


def testSegmentsInOwnLayersAndCroppedExtentsFallIntoPlace(slicer, tmp_path):
    """As Segment Editor leaves them: every segment its own small box."""
    node, voxels = addSegmentation(slicer), twoBlocks()
    for name, label, box in (
        ("L1", 20, np.s_[2:8, 3:9, 2:10]),
        ("L2", 21, np.s_[10:18, 3:9, 2:10]),
    ):
        first = [part.start for part in box][::-1]
        addSegment(slicer, node, name, placed((voxels[box] == label).astype(np.uint8), first), 1)
    SegmentationExport.write(node, tmp_path / "s.seg.nrrd")
    read, _ = numbered_by_level(read_label_map(tmp_path / "s.seg.nrrd"))
    corner = read.lps_to_index(np.array([20.0, -15.0, 700.0]))
    start = np.rint(-corner).astype(int)
    rim = 3
    expected = np.pad(twoBlocks(), rim)[
        tuple(slice(s + rim, s + rim + n) for s, n in zip(start, read.labels.shape, strict=True))
    ]
    assert np.array_equal(read.labels, expected)
    assert expected.sum() == twoBlocks().sum()


def testLayersOfDifferentGridsAreBroughtTogether(slicer):
    node = addSegmentation(slicer)
    fine = np.kron(twoBlocks() == 20, np.ones((2, 2, 2))).astype(np.uint8)
    addSegment(slicer, node, "L1", placed(fine, spacing=tuple(s / 2 for s in SPACING)), 1)
    addSegment(slicer, node, "L2", placed((twoBlocks() == 21).astype(np.uint8)), 1)
    labels = SegmentationExport.labels(node)
    voxelMm3 = abs(np.linalg.det(labels.ijkToWorld[:3, :3]))
    for number, name in labels.names.items():
        block = twoBlocks() == {"L1": 20, "L2": 21}[name]
        volume = (labels.voxels == number).sum() * voxelMm3
        assert volume == pytest.approx(block.sum() * np.prod(SPACING), rel=0.25)


def testOverlapGoesToTheLaterSegment(slicer):
    node = addSegmentation(slicer)
    whole = np.ones((6, 6, 6), np.uint8)
    addSegment(slicer, node, "L1", placed(whole), 1)
    part = np.zeros((6, 6, 6), np.uint8)
    part[2:4] = 1
    addSegment(slicer, node, "L2", placed(part), 1)
    labels = SegmentationExport.labels(node)
    assert (labels.voxels[2:4] == 2).all()
    assert (labels.voxels[:2] == 1).all()


def testTransformAboveTheSegmentationIsTakenIn(slicer):
    node = sharedLayer(slicer)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[:3, 3] = (5, 6, 7)
    matrix[:2, :2] = [[0, -1], [1, 0]]
    transform.SetMatrixTransformToParent(matrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    labels = SegmentationExport.labels(node)
    assert labels.ijkToWorld[:3, 3] == pytest.approx((-15 + 5, -20 + 6, 707))


def testPartKeepsOnlyWhatIsAskedForInItsPlace(slicer):
    labels = SegmentationExport.labels(sharedLayer(slicer))
    part = labels.part({21: "L3"})
    assert part.voxels.shape == (8, 6, 8)
    assert set(np.unique(part.voxels)) == {21}
    assert part.names == {21: "L3"}
    assert part.ids == {21: "id L2"}
    assert part.ijkToWorld[:3, 3] == pytest.approx((-20 + 2 * 1.6, 15 + 3 * 2.0, 700 + 10 * 2.5))
    assert part.cornersRas()[-1] == pytest.approx((-20 + 9 * 1.6, 15 + 8 * 2.0, 700 + 17 * 2.5))
    with pytest.raises(UserError, match="empty"):
        labels.part({})


def testNothingInTheSceneChanges(slicer, tmp_path):
    node = sharedLayer(slicer)
    before = slicer.mrmlScene.GetNumberOfNodes(), node.GetSegmentation().GetMTime()
    SegmentationExport.write(node, tmp_path / "s.seg.nrrd")
    assert (slicer.mrmlScene.GetNumberOfNodes(), node.GetSegmentation().GetMTime()) == before


def testEmptySegmentationsAreRefused(slicer):
    node = addSegmentation(slicer)
    with pytest.raises(UserError, match="no segments"):
        SegmentationExport.labels(node)
    addSegment(slicer, node, "L1", placed(np.zeros((4, 4, 4), np.uint8)), 1)
    with pytest.raises(UserError, match="empty"):
        SegmentationExport.labels(node)


def testSegmentationOfSurfacesOnlyAsksForALabelMap(slicer):
    import vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "L1")
    node.GetSegmentation().RemoveRepresentation("Binary labelmap")
    with pytest.raises(UserError, match="binary label map"):
        SegmentationExport.labels(node)


def testWholeSpineOfALargeScanTakesASecondOrTwo(slicer):
    node = addSegmentation(slicer)
    voxels = np.zeros((500, 256, 256), np.uint8)
    for label in range(1, 25):
        voxels[20 * label : 20 * label + 15, 100:140, 100:140] = label
    image = placed(voxels)
    for label in range(1, 25):
        addSegment(slicer, node, f"segment {label}", image, label)
    began = time.process_time()
    labels = SegmentationExport.labels(node)
    assert time.process_time() - began < 3.0
    assert len(labels.names) == 24
