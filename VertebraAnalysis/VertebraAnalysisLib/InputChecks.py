"""Says at once why a volume of the scene cannot be analysed, before anything is started.

The core checks the whole volume again; here a sample must do, so that choosing a volume stays
instant. What the sample finds suspicious is looked at whole before it is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from vertebra_core.intensity import UNSIGNED_SHIFT, IntensitySample, Scale, sample_intensities
from vertebra_core.volume_limits import (
    COARSE_SPACING_MM,
    MAX_SPACING_MM,
    MAX_VOXELS,
    MIN_EXTENT_MM,
    MIN_SLICES,
    MIN_SPACING_MM,
)

from .Coordinates import arrayFromMatrix

_SAMPLE_VOXELS = 300_000
_SHEAR_TOLERANCE = 1e-3
_CHOOSE_CT = "Choose the CT series."


def inputProblem(volumeNode: Any) -> str:
    """Return why a node cannot be analysed, in one or two plain sentences; empty if it can.

    Parameters
    ----------
    volumeNode : vtkMRMLNode or None
    """
    if volumeNode is None:
        return "Choose a CT volume."
    problem = _kindProblem(volumeNode) or _gridProblem(volumeNode) or _placeProblem(volumeNode)
    return problem or _valueProblem(volumeNode)


def inputWarning(volumeNode: Any) -> str:
    """Return what makes results of a suitable volume less certain; empty if nothing does."""
    if volumeNode is None or volumeNode.GetImageData() is None:
        return ""
    spacing = _spacing(volumeNode)
    if max(spacing) > COARSE_SPACING_MM:
        return (
            f"The voxels are {_times(spacing)} mm: heights and mild fractures are uncertain above "
            "3 mm. Choose a thinner reconstruction if there is one."
        )
    sample = _sample(_voxels(volumeNode))
    if sample is None:
        return ""
    shifted = sample.scale() is Scale.UNSIGNED_SHIFTED
    ceiling = sample.ceiling_hu(UNSIGNED_SHIFT if shifted else 0)
    if ceiling is not None:
        return (
            f"Values above {ceiling:.0f} HU were cut off: contours of bone, heights and densities "
            "are uncertain. Choose the CT as the scanner made it."
        )
    if shifted:
        return "The values are Hounsfield units plus 1024; 1024 will be subtracted."
    return ""


def _kindProblem(node: Any) -> str:
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return f"This is a label map, not a CT. {_CHOOSE_CT}"
    if node.IsA("vtkMRMLSegmentationNode"):
        return f"This is a segmentation, not a CT. {_CHOOSE_CT}"
    if node.IsA("vtkMRMLMultiVolumeNode") or node.IsA("vtkMRMLDiffusionWeightedVolumeNode"):
        return "This is a 4D volume. Export one time point as a scalar volume and choose that."
    if node.IsA("vtkMRMLTensorVolumeNode") or not node.IsA("vtkMRMLScalarVolumeNode"):
        return f"This is not a scalar volume. {_CHOOSE_CT}"
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        return f"The volume is empty. Load it again, or choose another. {_CHOOSE_CT}"
    components = image.GetNumberOfScalarComponents()
    if components != 1:
        return (
            f"The volume has {components} values per voxel (colour or vector data), not one. "
            f"{_CHOOSE_CT}"
        )
    if _isTimePoint(node):
        return (
            "The volume is one time point of a 4D sequence and changes with it. Clone it in the "
            "Data module (right click, Clone) and choose the copy."
        )
    return ""


def _gridProblem(node: Any) -> str:
    size = node.GetImageData().GetDimensions()
    spacing = _spacing(node)
    if min(size) < MIN_SLICES:
        return (
            f"The volume is a single slice ({_times(size)} voxels). Load the whole series and "
            "choose that."
        )
    if not np.isfinite(spacing).all() or min(spacing) < MIN_SPACING_MM:
        return (
            f"The voxel size is {_times(spacing)} mm; a spine CT has at least {MIN_SPACING_MM} mm. "
            "Correct the spacing in the Volumes module, or load the DICOM series again."
        )
    if max(spacing) > MAX_SPACING_MM:
        return (
            f"The slices are too thick ({max(spacing):.3g} mm): above {MAX_SPACING_MM:g} mm "
            "vertebrae cannot be told apart. Choose the series with the thinnest slices."
        )
    extent = [n * s for n, s in zip(size, spacing, strict=True)]
    if min(extent) < MIN_EXTENT_MM:
        return f"The volume covers only {_times(extent)} mm. Choose the whole series."
    if float(np.prod([float(n) for n in size])) > MAX_VOXELS:
        return f"The volume is too large ({_times(size)} voxels). Crop it to the spine first."
    return ""


def _placeProblem(node: Any) -> str:
    import vtk

    transform = node.GetParentTransformNode()
    if transform is None:
        return ""
    if not transform.IsTransformToWorldLinear():
        return (
            "The volume is under a non-linear transform. Harden the transform in the Transforms "
            "module, or take the volume out of it."
        )
    world, own = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(world)
    node.GetIJKToRASMatrix(own)
    if _shear((arrayFromMatrix(world) @ arrayFromMatrix(own))[:3, :3]) > _SHEAR_TOLERANCE:
        return (
            "The transform of the volume shears it, so heights would be wrong. Harden the "
            "transform in the Transforms module, or take the volume out of it."
        )
    return ""


def _valueProblem(node: Any) -> str:
    voxels = _voxels(node)
    if voxels.dtype.kind not in "iuf":
        return f"The values of the volume are no plain numbers. {_CHOOSE_CT}"
    sample = _sample(voxels)
    if sample is None:
        return (
            "Some voxels are not numbers (NaN or infinite). Load the DICOM series again, or fill "
            "them with -1024."
        )
    if sample.scale() in (Scale.HOUNSFIELD, Scale.UNSIGNED_SHIFTED):
        return ""
    # Bone or fat may lie between the rows of the sample: look closer before refusing.
    sample = sample_intensities(voxels)
    return _scaleProblem(sample.scale(), f"values from {sample.low:g} to {sample.high:g}")


def _scaleProblem(scale: Scale, span: str) -> str:
    return {
        Scale.CONSTANT: f"The volume is empty: all voxels have one value. {_CHOOSE_CT}",
        Scale.ALL_AIR: f"The volume shows nothing but air ({span}). {_CHOOSE_CT}",
        Scale.LABEL_MAP: f"The volume holds labels, not a CT ({span}). {_CHOOSE_CT}",
        Scale.EIGHT_BIT: (
            f"The volume holds 8-bit grey values ({span}), not Hounsfield units. Choose the "
            "original CT series: the density scale cannot be restored."
        ),
        Scale.MAGNETIC_RESONANCE: (
            f"The volume is MR, or a CT without its density scale ({span}, no air or fat below 0). "
            f"{_CHOOSE_CT}"
        ),
        Scale.UNKNOWN: (
            f"The values are not Hounsfield units ({span}). Choose the original CT series, or "
            "apply its rescale slope and intercept."
        ),
    }.get(scale, "")


def _sample(voxels: np.ndarray) -> IntensitySample | None:
    """Sample whole rows, evenly spread: neighbours in a row stay so. None if any is no number."""
    step = max(1, int(np.sqrt(voxels.size / _SAMPLE_VOXELS)))
    rows = voxels[::step, ::step]
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        return None
    return sample_intensities(rows)


def _voxels(node: Any) -> np.ndarray:
    import slicer

    return slicer.util.arrayFromVolume(node)


def _isTimePoint(node: Any) -> bool:
    """Tell whether a sequence browser with more than one item drives the node."""
    scene = node.GetScene()
    if scene is None:
        return False
    for i in range(scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode")):
        browser = scene.GetNthNodeByClass(i, "vtkMRMLSequenceBrowserNode")
        if browser.IsProxyNodeID(node.GetID()) and browser.GetNumberOfItems() > 1:
            return True
    return False


def _spacing(node: Any) -> tuple[float, ...]:
    """Voxel size in the world; a transform may scale."""
    import vtk

    transform = node.GetParentTransformNode()
    if transform is None or not transform.IsTransformToWorldLinear():
        return tuple(node.GetSpacing())
    world, own = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(world)
    node.GetIJKToRASMatrix(own)
    axes = (arrayFromMatrix(world) @ arrayFromMatrix(own))[:3, :3]
    return tuple(float(length) for length in np.linalg.norm(axes, axis=0))


def _shear(axes: np.ndarray) -> float:
    unit = axes / np.linalg.norm(axes, axis=0)
    return float(np.abs((unit.T @ unit)[np.triu_indices(3, 1)]).max())


def _times(values: Any) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
