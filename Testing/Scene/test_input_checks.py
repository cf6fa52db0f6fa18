"""Why a volume is unsuitable is said at once, in plain words."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from VertebraAnalysisLib import InputChecks
from VertebraAnalysisLib.Coordinates import matrixFromArray
from VertebraAnalysisLib.InputChecks import inputProblem, inputWarning


def ctVoxels(shape=(40, 64, 64)):
    values = np.random.default_rng(2).normal(40, 30, shape)
    values[:, : shape[1] // 6] = -1000
    values[:, shape[1] // 6 : shape[1] // 3] = -100
    values[:, shape[1] // 2 : shape[1] // 2 + 4] += 460
    return values.astype(np.int16)


def addVolume(slicer, voxels, className="vtkMRMLScalarVolumeNode", spacing=(1.0, 1.0, 1.0)):
    node = slicer.mrmlScene.AddNewNodeByClass(className, "volume")
    if voxels is not None:
        slicer.util.updateVolumeFromArray(node, voxels)
        node.SetSpacing(*spacing)
    return node


def problemOf(slicer, voxels, **more):
    return inputProblem(addVolume(slicer, voxels, **more))


def testCtIsSuitable(slicer):
    node = addVolume(slicer, ctVoxels())
    assert inputProblem(node) == ""
    assert inputWarning(node) == ""


def testValuesCutOffAboveAWindowAreNamed(slicer):
    cut = np.minimum(ctVoxels(), 300).astype(np.int32)
    for voxels in (cut.astype(np.int16), (cut + 1024).astype(np.uint16)):
        node = addVolume(slicer, voxels)
        assert inputProblem(node) == ""
        assert "above 300 HU were cut off" in inputWarning(node)


def testNothingChosenAsksForACt():
    assert inputProblem(None) == "Choose a CT volume."
    assert inputWarning(None) == ""


def testAskingForTheLimitsOfTheCoreLoadsNothingHeavy():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import VertebraAnalysisLib.InputChecks, VertebraAnalysisLib.RoiCrop\n"
        "heavy = {'torch', 'SimpleITK', 'scipy', 'vtk', 'slicer'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    module = Path(InputChecks.__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code, module], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def testLabelMapNode(slicer):
    voxels = np.zeros((30, 30, 30), np.uint8)
    assert "label map" in problemOf(slicer, voxels, className="vtkMRMLLabelMapVolumeNode")


def testLabelsInAScalarVolume(slicer):
    voxels = np.zeros((30, 40, 40), np.uint8)
    voxels[5:20, 10:30, 10:30] = 20
    voxels[21:29, 10:30, 10:30] = 21
    assert "labels" in problemOf(slicer, voxels)


def testColourVolume(slicer):
    voxels = np.zeros((20, 20, 20, 3), np.uint8)
    problem = problemOf(slicer, voxels, className="vtkMRMLVectorVolumeNode")
    assert "colour" in problem or "scalar" in problem


def testMrVolume(slicer):
    values = np.random.default_rng(3).gamma(2.0, 200.0, (40, 64, 64))
    problem = problemOf(slicer, values.astype(np.int16))
    assert "MR, or a CT without its density scale" in problem and "Choose the CT" in problem


def testEightBitCopyOfACt(slicer):
    grey = np.random.default_rng(4).normal(110, 40, (40, 64, 64))
    voxels = np.clip(grey, 0, 255).astype(np.uint8)
    assert "8-bit" in problemOf(slicer, voxels)


def testEmptyNodeAndConstantVolume(slicer):
    assert "empty" in problemOf(slicer, None)
    assert "empty" in problemOf(slicer, np.full((20, 20, 20), 7, np.int16))


def testAirOnly(slicer):
    noise = np.random.default_rng(5).integers(-1010, -990, (30, 30, 30)).astype(np.int16)
    assert "air" in problemOf(slicer, noise)


def testOneSlice(slicer):
    assert "single slice" in problemOf(slicer, ctVoxels((1, 64, 64)))


def testThickSlices(slicer):
    problem = problemOf(slicer, ctVoxels(), spacing=(1.0, 1.0, 8.0))
    assert "too thick" in problem
    assert "8 mm" in problem


def testTinySpacingAndTinyExtent(slicer):
    assert "voxel size" in problemOf(slicer, ctVoxels(), spacing=(0.01, 0.01, 0.01))
    assert "covers only" in problemOf(slicer, ctVoxels((4, 64, 64)))


def testValuesThatAreNoNumbers(slicer):
    voxels = ctVoxels().astype(np.float32)
    voxels[:, :, 20:30] = np.nan
    assert "not numbers" in problemOf(slicer, voxels)


def testTimePointOfASequence(slicer):
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
    node = addVolume(slicer, ctVoxels())
    sequence.SetDataNodeAtValue(node, "0")
    sequence.SetDataNodeAtValue(node, "1")
    browser.AddSynchronizedSequenceNode(sequence)
    proxy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "proxy")
    proxy.Copy(node)
    browser.AddProxyNode(proxy, sequence, False)
    problem = inputProblem(browser.GetProxyNode(sequence))
    assert "4D" in problem
    assert "Clone" in problem
    assert inputProblem(node) == ""


def addTransform(slicer, node, matrix):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())


def testRotationIsFineAndShearIsNot(slicer):
    node = addVolume(slicer, ctVoxels(), spacing=(0.8, 0.8, 1.5))
    turn = np.eye(4)
    turn[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    addTransform(slicer, node, turn)
    assert inputProblem(node) == ""
    shear = np.eye(4)
    shear[0, 2] = 0.2
    addTransform(slicer, node, shear)
    assert "shears" in inputProblem(node)


def testScalingTransformCountsForTheSpacing(slicer):
    node = addVolume(slicer, ctVoxels(), spacing=(1.0, 1.0, 2.0))
    addTransform(slicer, node, np.diag([1.0, 1.0, 4.0, 1.0]))
    assert "too thick" in inputProblem(node)


def testNonLinearTransform(slicer):
    import vtk

    node = addVolume(slicer, ctVoxels())
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for x, y, z in np.ndindex(2, 2, 2):
        source.InsertNextPoint(60 * x, 60 * y, 60 * z)
        target.InsertNextPoint(60 * x + 9 * y * z, 60 * y, 60 * z)
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    transform.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert "non-linear" in inputProblem(node)


def testShiftedAndCoarseVolumesAreAcceptedWithAWarning(slicer):
    shifted = addVolume(slicer, (ctVoxels() + 1024).astype(np.uint16))
    assert inputProblem(shifted) == ""
    assert "1024" in inputWarning(shifted)
    coarse = addVolume(slicer, ctVoxels(), spacing=(1.0, 1.0, 5.0))
    assert inputProblem(coarse) == ""
    assert "uncertain" in inputWarning(coarse)


def testOtherNodesAreNoVolume(slicer):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert "segmentation" in inputProblem(node)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    assert "not a scalar volume" in inputProblem(node)


def testLargeCtIsCheckedAtOnce(slicer):
    voxels = np.tile(ctVoxels((40, 256, 256)), (5, 2, 2))
    node = addVolume(slicer, voxels)
    assert inputProblem(node) == ""

    def seconds(act):
        began = time.process_time()
        act()
        return time.process_time() - began

    # However fast the computer: no more than a fraction of what ranking every voxel takes.
    ranking = min(seconds(lambda: np.median(voxels)) for _ in range(2))
    assert min(seconds(lambda: inputProblem(node)) for _ in range(5)) < 0.3 * ranking


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 8.0), (0.01, 1.0, 1.0)])
def testEveryProblemSaysWhatToDo(slicer, spacing):
    problem = problemOf(slicer, ctVoxels(), spacing=spacing)
    assert problem.count(". ") >= 1
    assert problem.endswith(".")
