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

from ..levels import level_named
from ..program import leave
from ..terminology import terminology_entry

_ALGORITHM = "VertebraAnalysis"


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
    for name, file, visible in (
        ("Vertebrae", "labels", True),
        ("Vertebral bodies", "bodies", False),
    ):
        voxels = np.load(folder / f"{file}.npy")
        matrix = geometry["labels"]["ijk_to_ras"]
        _add_segmentation(slicer, scene, name, voxels, matrix, levels, volume, visible)
    points = slicer.vtkMRMLMarkupsJsonStorageNode()
    scene.AddNode(points)
    points.SetFileName(str(folder / "vertebrae.mrk.json"))
    markups = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Vertebra points")
    markups.CreateDefaultDisplayNodes()
    if not points.ReadData(markups):
        raise RuntimeError("the points could not be read back")
    scene.RemoveNode(points)
    markups.SetName("Vertebra points")
    _add_table(scene, analysis["vertebrae"])
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", "Vertebra analysis")
    text.SetText((folder / "analysis.json").read_text("utf-8"))
    text.SetEncoding(VTK_ENCODING_UTF_8)
    text.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
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
    hu = np.load(folder / "ct.npy", mmap_mode="r")
    volume.SetAndObserveImageData(_image(vtkImageData(), hu))
    volume.SetIJKToRASMatrix(_matrix(geometry["ijk_to_ras"]))
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(1100, 300)
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
    levels: list[str],
    volume: Any,
    visible: bool,
) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    shared = _image(slicer.vtkOrientedImageData(), voxels)
    shared.SetImageToWorldMatrix(_matrix(ijk_to_ras))
    representation = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(representation)
    for level in map(level_named, levels):
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
        segment.SetTag("DICOM.SegmentAlgorithmName", _ALGORITHM)
        segmentation.AddSegment(segment, f"vertebra_{level.name}")
    if volume is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    display = node.GetDisplayNode()
    display.SetVisibility(visible)
    display.SetOpacity2DFill(0.25)


def _add_table(scene: Any, vertebrae: list[dict[str, Any]]) -> None:
    columns: dict[str, list[str]] = {
        "level": [v["level"] for v in vertebrae],
        "grade": [_text(v["grade"]) for v in vertebrae],
        "shape": [_text(v["shape"]) for v in vertebrae],
        "borderline": ["yes" if v["borderline"] else "no" for v in vertebrae],
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
        # The table format knows no quoting.
        "notes": [
            " ".join(f["reason"] for f in v["flags"]).replace('"', "'").replace("\t", " ")
            for v in vertebrae
        ],
    }
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", "Vertebra table")
    for name, values in columns.items():
        column = vtkStringArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(value)
        node.GetTable().AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)


def _text(value: object) -> str:
    if value is None:
        return ""
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
