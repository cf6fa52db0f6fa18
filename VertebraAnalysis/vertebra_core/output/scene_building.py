"""Builds a 3D Slicer scene from what `scene_mrb` left in a folder; run in a process of its own.

The one file of the core that knows 3D Slicer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import VTK_ENCODING_UTF_8, vtkOutputWindow, vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ..levels import is_level_number, level_named, level_numbered
from ..program import leave
from ..terminology import terminology_entry
from .scene_keys import (
    ALGORITHM_NAME,
    INPUT_ROLE,
    KEY_ATTRIBUTE,
    KEYS_ATTRIBUTE,
    PLAIN_ATTRIBUTE,
    RESULT_SET_ATTRIBUTE,
    segment_id,
    vertebra_keys,
)
from .unquoted import unquoted


def write_scene(folder: Path) -> tuple[Any, ...]:
    """Write ``scene.mrb`` into `folder`, from the files there.

    Returns
    -------
    tuple
        The scene and what belongs to it; taking it apart takes half a second.

    Raises
    ------
    RuntimeError
        If 3D Slicer's library refuses a file.
    """
    import slicer

    output = vtkOutputWindow()
    output.SetDisplayModeToAlwaysStdErr()
    vtkOutputWindow.SetInstance(output)
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    keep = [logic, _markups_logic(slicer, scene, logic), *_remote_io(slicer, scene, logic, folder)]

    geometry = json.loads((folder / "geometry.json").read_text("utf-8"))
    analysis = json.loads((folder / "analysis.json").read_text("utf-8"))
    volume = _add_ct(slicer, scene, folder, geometry["ct"]) if "ct" in geometry else None
    levels = [v["level"] for v in analysis["vertebrae"]]
    keys = vertebra_keys(len(levels))
    results = {INPUT_ROLE: volume}
    for role, name, file, visible in (
        ("segmentation", "Vertebrae", "labels", True),
        ("bodies", "Vertebral bodies", "bodies", False),
    ):
        voxels = np.load(folder / f"{file}.npy")
        matrix = geometry["labels"]["ijk_to_ras"]
        segments = [*zip(keys, levels, strict=True), *_without_key(voxels, levels)]
        results[role] = _add_segmentation(
            slicer, scene, name, voxels, matrix, segments, volume, visible
        )
    results["centers"] = _add_points(slicer, scene, folder, keys)
    results["table"] = _add_table(scene, analysis["vertebrae"])
    _add_text(slicer, scene, (folder / "analysis.json").read_text("utf-8"), results)
    if not scene.WriteToMRB(str(folder / "scene.mrb")):
        raise RuntimeError("3D Slicer's library could not write the scene")
    return scene, keep


def _markups_logic(slicer: Any, scene: Any, application: Any) -> Any:
    # Registers the markups node classes in the scene.
    logic = slicer.vtkSlicerMarkupsLogic()
    logic.SetMRMLScene(scene)
    logic.SetMRMLApplicationLogic(application)
    for name in ("vtkSlicerSegmentationsModuleLogic", "vtkSlicerTablesLogic"):
        other = getattr(slicer, name)()
        other.SetMRMLScene(scene)
        application.SetModuleLogic(name, other)
    application.SetModuleLogic("Markups", logic)
    return logic


def _remote_io(slicer: Any, scene: Any, application: Any, folder: Path) -> tuple[Any, Any]:
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.SetMRMLApplicationLogic(application)
    remote.GetCacheManager().SetRemoteCacheDirectory(str(folder))
    manager = slicer.vtkDataIOManagerLogic()
    manager.SetMRMLScene(scene)
    manager.SetMRMLApplicationLogic(application)
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    return remote, manager


def _image(image: Any, voxels: np.ndarray) -> Any:
    z, y, x = voxels.shape
    image.SetDimensions(x, y, z)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(voxels).ravel(), deep=True))
    return image


def _matrix(values: list[float]) -> Any:
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(values)
    return matrix


def _add_ct(slicer: Any, scene: Any, folder: Path, geometry: dict[str, Any]) -> Any:
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", geometry["name"])
    # Before there are voxels, so that no window is sought that would not be used.
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(1100, 300)
    hu = np.load(folder / "ct.npy", mmap_mode="r")
    volume.SetAndObserveImageData(_image(vtkImageData(), hu))
    volume.SetIJKToRASMatrix(_matrix(geometry["ijk_to_ras"]))
    volume.AddDefaultStorageNode()
    volume.GetStorageNode().SetUseCompression(int(geometry["packed"]))
    volume.GetStorageNode().SetCompressionParameter("gzip_fastest")
    for view in ("Red", "Yellow", "Green"):
        # Without these the slice views stay empty when the scene is opened.
        shown = slicer.vtkMRMLSliceCompositeNode()
        shown.SetSingletonTag(view)
        shown.SetLayoutName(view)
        scene.AddNode(shown).SetBackgroundVolumeID(volume.GetID())
    return volume


def _add_segmentation(
    slicer: Any,
    scene: Any,
    name: str,
    voxels: np.ndarray,
    ijk_to_ras: list[float],
    segments: list[tuple[str, str]],
    volume: Any,
    visible: bool,
) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    shared = _image(slicer.vtkOrientedImageData(), voxels)
    shared.SetImageToWorldMatrix(_matrix(ijk_to_ras))
    representation = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(representation)
    for key, level in ((key, level_named(name)) for key, name in segments):
        segment = slicer.vtkSegment()
        segment.SetName(level.name)
        segment.SetNameAutoGenerated(False)
        segment.SetColor(*(c / 255 for c in level.color_rgb))
        segment.SetColorAutoGenerated(False)
        segment.SetLabelValue(level.number)
        segment.AddRepresentation(representation, shared)
        segment.SetTag(segment.GetTerminologyEntryTagName(), terminology_entry(level.name))
        # Without these 3D Slicer's DICOM export calls the result of a program "manual".
        segment.SetTag("DICOM.SegmentAlgorithmType", "AUTOMATIC")
        segment.SetTag("DICOM.SegmentAlgorithmName", ALGORITHM_NAME)
        if key:
            segment.SetTag(KEY_ATTRIBUTE, key)
        segmentation.AddSegment(segment, segment_id(level.name))
    if volume is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    display = node.GetDisplayNode()
    display.SetVisibility(visible)
    display.SetOpacity2DFill(0.25)
    return node


def _without_key(voxels: np.ndarray, levels: list[str]) -> list[tuple[str, str]]:
    """Levels of the label map that are not in the analysis, such as S1, each with no key."""
    numbers = np.flatnonzero(np.bincount(voxels[voxels > 0])).tolist()
    names = [level_numbered(number).name for number in numbers if is_level_number(number)]
    return [("", name) for name in names if name not in levels]


def _add_points(slicer: Any, scene: Any, folder: Path, keys: tuple[str, ...]) -> Any:
    file = slicer.vtkMRMLMarkupsJsonStorageNode()
    scene.AddNode(file)
    file.SetFileName(str(folder / "vertebrae.mrk.json"))
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Vertebra points")
    node.CreateDefaultDisplayNodes()
    if not file.ReadData(node):
        raise RuntimeError("the points could not be read back")
    scene.RemoveNode(file)
    node.SetName("Vertebra points")
    # A list locked as a whole would not answer clicks; its points are locked one by one.
    node.SetLocked(False)
    node.SetFixedNumberOfControlPoints(True)
    node.SetAttribute(KEYS_ATTRIBUTE, " ".join(keys))
    return node


def _add_text(slicer: Any, scene: Any, text: str, results: dict[str, Any]) -> None:
    """The analysis itself, which refers to the nodes of its results by their roles."""
    node = scene.AddNewNodeByClass("vtkMRMLTextNode", "Vertebra analysis")
    node.SetText(text)
    node.SetEncoding(VTK_ENCODING_UTF_8)
    node.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
    node.SetAttribute(RESULT_SET_ATTRIBUTE, "1")
    node.SetAttribute(PLAIN_ATTRIBUTE, "1")
    for role, other in results.items():
        if other is not None:
            node.SetNodeReferenceID(role, other.GetID())


def _add_table(scene: Any, vertebrae: list[dict[str, Any]]) -> Any:
    columns: dict[str, list[str]] = {
        "level": [v["level"] for v in vertebrae],
        "grade": [_text(v["grade"]) for v in vertebrae],
        "shape": [_text(v["shape"]) for v in vertebrae],
        "borderline": [_text(v["borderline"]) for v in vertebrae],
        **{
            f"{key} mm": [_text((v["heights_mm"] or {}).get(name)) for v in vertebrae]
            for key, name in (("Ha", "anterior"), ("Hm", "middle"), ("Hp", "posterior"))
        },
        **{
            f"{name} loss": [_text((v["height_loss"] or {}).get(name)) for v in vertebrae]
            for name in ("wedge", "biconcave", "crush")
        },
        "density HU": [_text(v["density_hu"]) for v in vertebrae],
        "volume ml": [_text(v["volume_ml"]) for v in vertebrae],
        "level probability": [_text(v["level_probability"]) for v in vertebrae],
        "notes": [unquoted(" ".join(f["reason"] for f in v["flags"])) for v in vertebrae],
    }
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", "Vertebra table")
    for name, values in columns.items():
        column = vtkStringArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(value)
        node.GetTable().AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)
    # Corrections are made in the panel, which keeps who made them.
    node.SetLocked(True)
    return node


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Load the library, wait for a line that says that the files are there, build the scene."""
    import slicer  # noqa: F401

    if sys.stdin.readline():
        # Named, so that it stands until the process ends.
        _scene = write_scene(Path(sys.argv[1]))
        leave(0)


if __name__ == "__main__":
    main()
