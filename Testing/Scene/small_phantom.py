"""A small synthetic CT with its truth, made once, for tests that run the real analysis."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from VertebraAnalysisLib.Coordinates import LpsGeometry, ijkToRas, matrixFromArray

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SmallPhantom:
    """Files of a phantom: ``ct.nii.gz`` and ``labels.nii.gz`` (VerSe numbers)."""

    folder: Path

    def addCtTo(self, slicer: Any) -> Any:
        """Add the CT to the scene and return its node."""
        return addVolume(slicer, self.folder / "ct.nii.gz", "vtkMRMLScalarVolumeNode", "CT")

    def addSegmentationTo(self, slicer: Any) -> Any:
        """Add the true vertebrae as a segmentation of one layer, segments named by level."""
        from vertebra_core.levels import level_numbered

        labels = addVolume(
            slicer, self.folder / "labels.nii.gz", "vtkMRMLLabelMapVolumeNode", "labels"
        )
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "vertebrae")
        slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, node)
        slicer.mrmlScene.RemoveNode(labels)
        segmentation = node.GetSegmentation()
        for segmentId in list(segmentation.GetSegmentIDs()):
            segment = segmentation.GetSegment(segmentId)
            segment.SetName(f"vertebra {level_numbered(segment.GetLabelValue()).name}")
        return node


def addVolume(slicer: Any, path: Path, className: str, name: str) -> Any:
    """Add an image file to the scene as a volume node of `className`."""
    import SimpleITK as sitk  # noqa: N813

    image = sitk.ReadImage(str(path))
    node = slicer.mrmlScene.AddNewNodeByClass(className, name)
    slicer.util.updateVolumeFromArray(node, sitk.GetArrayFromImage(image))
    place = LpsGeometry(image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    node.SetIJKToRASMatrix(matrixFromArray(ijkToRas(place)))
    return node


@pytest.fixture(scope="session")
def smallPhantom(tmp_path_factory) -> SmallPhantom:
    """A phantom of coarse voxels, so that an analysis takes seconds."""
    # Every test module that imports the fixture has its own; they share what is made once.
    if not _made:
        _made.append(_phantom(tmp_path_factory.mktemp("phantom")))
    return _made[0]


_made: list[SmallPhantom] = []


def _phantom(folder: Path) -> SmallPhantom:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(REPOSITORY / "VertebraAnalysis")
    words = ["phantom", "-o", str(folder), "--seed", "3", "--pixel", "1.5", "--slice", "2"]
    subprocess.run(
        [sys.executable, "-m", "vertebra_core", *words],
        env=environment,
        check=True,
        capture_output=True,
        timeout=600,
    )
    (ct,) = folder.rglob("ct.nii.gz")
    return SmallPhantom(ct.parent)
