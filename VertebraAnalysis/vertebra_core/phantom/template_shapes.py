"""Vertebrae and pelvic bones taken from public masks and meshes.

Sources (see the README of the public data folder): expert masks of VerSe'19/'20 (Sekuboyina et
al. 2021, CC BY-SA 4.0), the Visible Human lumbosacral meshes of RemusR9 (BSD-3), the mean lumbar
surface of 87 patients of Clouthier et al. (MIT) and the cervical meshes of ArtiSynth (BSD-style).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
import vtk
from scipy import ndimage
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy

from ..errors import InputError
from ..levels import level_named
from .mask_fields import STEP_MM, vertebra_field, whole_vertebrae
from .shape import BoneShape, VertebraShape
from .shape_frame import (
    CLIP_MM,
    Field,
    cut_body,
    distance_field,
    find_frame,
    grid_points,
    sample,
)
from .shape_measurement import body_centre, finished_shape

_PAD_MM = 5.0

# Genant grades 2, 2 and 3 (VerSe'19 manifest): collapsed bodies are no intact shapes.
_FRACTURED = {("sub-verse004", 16), ("sub-verse004", 17), ("sub-verse004", 20)}

# Rows give LPS x, y, z (mm) from a mesh's own axes.
_VHM_TO_LPS = np.array([[0, 1000, 0], [-1000, 0, 0], [0, 0, 1000.0]])
_ARTISYNTH_TO_LPS = np.eye(3)
_MEAN_LUMBAR_TO_LPS = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])


def load_template_shapes(data_folder: Path) -> tuple[VertebraShape, ...]:
    """Load every intact vertebra of the public data folder that may be trained on.

    Parameters
    ----------
    data_folder : Path
        Holds ``masks`` and ``meshes``; files that are absent are passed over.
    """
    folder = Path(data_folder)
    shapes = mask_shapes(folder / "masks") + mesh_shapes(folder / "meshes")
    return tuple(sorted(shapes, key=lambda s: (s.level, s.source)))


def mask_shapes(folder: Path) -> tuple[VertebraShape, ...]:
    """Load the vertebrae of every ``*_seg-vert_msk.nii.gz``, without those cut off or fractured."""
    shapes = []
    for path in sorted(Path(folder).glob("*_seg-vert_msk.nii.gz")):
        subject = path.name.split("_")[0]
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
        labels = sitk.GetArrayFromImage(image).round().astype(np.uint8)
        for vertebra in whole_vertebrae(labels, np.array(image.GetSpacing()[::-1])):
            if (subject, vertebra.number) not in _FRACTURED:
                field = vertebra_field(vertebra)
                shapes.append(shape_from_field(field, vertebra.number, subject))
    return tuple(shapes)


def mesh_shapes(folder: Path) -> tuple[VertebraShape, ...]:
    """Load the vertebrae of the Visible Human, mean lumbar and ArtiSynth meshes."""
    folder = Path(folder)
    found: list[tuple[vtk.vtkPolyData, str, str]] = []
    for i in range(1, 6):
        path = folder / "vhm_lumbosacral" / f"L{i}_Schrumpfverpacken.obj"
        if path.exists():
            found.append((read_mesh(path, _VHM_TO_LPS), f"L{i}", "vhm_lumbosacral"))
    for i in range(1, 8):
        path = folder / "artisynth_cervical" / f"c{i}.obj"
        if path.exists():
            found.append((read_mesh(path, _ARTISYNTH_TO_LPS), f"C{i}", "artisynth_cervical"))
    if (folder / "mean_lumbar" / "meanMesh_vertices.csv").exists():
        parts = _split(_read_csv_mesh(folder / "mean_lumbar", _MEAN_LUMBAR_TO_LPS))
        for mesh, name in zip(parts, ("L2", "L3", "L4", "L5"), strict=True):
            found.append((mesh, name, "mean_lumbar"))
    return tuple(
        shape_from_field(mesh_field(mesh, STEP_MM), level_named(name).number, source)
        for mesh, name, source in found
    )


def load_sacrum(data_folder: Path) -> BoneShape | None:
    """Load the Visible Human sacrum, its frame that of the S1 body; None where it is absent."""
    return _pelvic_bone(data_folder, "S1_Schrumpfverpacken.obj", 1.0)


def load_pelvis(data_folder: Path) -> BoneShape | None:
    """Load the Visible Human hip bones in the frame of the S1 body; None where they are absent."""
    return _pelvic_bone(data_folder, "Pelvis.obj", 1.5)


def shape_from_field(field: Field, level: int, source: str) -> VertebraShape:
    """Bring a vertebra into its own frame, cut its body out and measure it."""
    return placed_shape(field, level, source).shape


@dataclass(frozen=True)
class PlacedShape:
    """A vertebra in its own frame, and where that frame lies in the field it was found in.

    Attributes
    ----------
    shape : VertebraShape
    center_zyx_mm : ndarray, shape (3,)
    axes : ndarray, shape (3, 3)
        Rows: the body's up, back and left unit vectors, z, y, x.
    """

    shape: VertebraShape
    center_zyx_mm: np.ndarray
    axes: np.ndarray


def placed_shape(field: Field, level: int, source: str) -> PlacedShape:
    """Do as `shape_from_field` does, and say where the vertebra stood."""
    rng = np.random.default_rng(level)
    centre, axes = find_frame(field, level, rng)
    points = grid_points()
    sdf = sample(field, centre, axes, points)
    body = cut_body(sdf, level)
    if level != 1:
        # The body's centre of mass becomes the origin.
        shift = body_centre(body) * [1, 1, 0]
        centre = centre + shift @ axes
        sdf = sample(field, centre, axes, points)
        body = cut_body(sdf, level)
    return PlacedShape(finished_shape(sdf, body, level, source), centre, axes)


def _pelvic_bone(data_folder: Path, name: str, step_mm: float) -> BoneShape | None:
    folder = Path(data_folder) / "meshes" / "vhm_lumbosacral"
    if not (folder / name).exists() or not (folder / "S1_body.obj").exists():
        return None
    points = vtk_to_numpy(read_mesh(folder / "S1_body.obj", _VHM_TO_LPS).GetPoints().GetData())
    centre, axes = first_sacral_frame(points[:, ::-1].astype(float))
    mesh = read_mesh(folder / name, _VHM_TO_LPS)
    field = mesh_field(mesh, step_mm)
    local = (vtk_to_numpy(mesh.GetPoints().GetData())[:, ::-1] - centre) @ axes.T
    low, high = np.floor(local.min(0) - 8), np.ceil(local.max(0) + 8)
    lines = [np.arange(a, b + step_mm, step_mm) for a, b in zip(low, high, strict=True)]
    sdf = sample(field, centre, axes, np.stack(np.meshgrid(*lines, indexing="ij")))
    return BoneShape(
        np.clip(sdf, -CLIP_MM, CLIP_MM).astype(np.float16),
        tuple(float(v) for v in low),
        step_mm,
        "vhm_lumbosacral",
    )


def first_sacral_frame(points_zyx_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and axes of the S1 body from surface points; up is the endplate's normal."""
    points = points_zyx_mm[np.abs(points_zyx_mm[:, 2]) < 12]
    y = points[:, 1]
    # The endplate is the upper envelope between the promontory and the back wall.
    bins = np.linspace(np.percentile(y, 10), np.percentile(y, 80), 9)
    tops = [points[(y >= a) & (y < b), 0].max() for a, b in zip(bins[:-1], bins[1:], strict=True)]
    tilt = -np.arctan(np.polyfit((bins[:-1] + bins[1:]) / 2, tops, 1)[0])
    c, s = np.cos(tilt), np.sin(tilt)
    axes = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
    local = points @ axes.T
    middle = (np.percentile(local, 2, axis=0) + np.percentile(local, 98, axis=0)) / 2
    return (middle * [1, 1, 0]) @ axes, axes


def mesh_field(mesh: vtk.vtkPolyData, step_mm: float) -> Field:
    """Return the signed distance to a closed mesh, points x, y, z in mm, facing either way."""
    points = vtk_to_numpy(mesh.GetPoints().GetData())
    low = np.floor(points.min(0) - _PAD_MM)
    size = np.ceil((points.max(0) + _PAD_MM - low) / step_mm).astype(int) + 1
    stencil = vtk.vtkPolyDataToImageStencil()
    stencil.SetInputData(mesh)
    stencil.SetOutputSpacing(step_mm, step_mm, step_mm)
    stencil.SetOutputOrigin(*low)
    stencil.SetOutputWholeExtent(0, size[0] - 1, 0, size[1] - 1, 0, size[2] - 1)
    image = vtk.vtkImageStencilToImage()
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.SetOutputScalarTypeToUnsignedChar()
    image.Update()
    scalars = vtk_to_numpy(image.GetOutput().GetPointData().GetScalars())
    mask = ndimage.binary_fill_holes(scalars.reshape(size[::-1]).astype(bool))
    return distance_field(mask, low[::-1], step_mm)


def read_mesh(path: Path, to_lps: np.ndarray) -> vtk.vtkPolyData:
    """Read a mesh as triangles.

    Parameters
    ----------
    path : Path
        OBJ or VTP file.
    to_lps : ndarray, shape (3, 3)
        Takes the mesh's own points to LPS x, y, z in mm.

    Raises
    ------
    InputError
        ``bad_mesh`` if the file holds no mesh.
    """
    reader = vtk.vtkOBJReader() if path.suffix == ".obj" else vtk.vtkXMLPolyDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    clean = vtk.vtkCleanPolyData()
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputConnection(reader.GetOutputPort())
    clean.SetInputConnection(triangles.GetOutputPort())
    clean.Update()
    mesh = clean.GetOutput()
    if mesh.GetNumberOfPoints() == 0:
        raise InputError("bad_mesh", f"The file {path} holds no mesh that can be read.")
    points = vtk_to_numpy(mesh.GetPoints().GetData()) @ to_lps.T
    return _with_points(mesh, points)


def _with_points(mesh: vtk.vtkPolyData, points: np.ndarray) -> vtk.vtkPolyData:
    out = vtk.vtkPolyData()
    out.DeepCopy(mesh)
    array = vtk.vtkPoints()
    array.SetData(numpy_to_vtk(np.ascontiguousarray(points, np.float64), deep=True))
    out.SetPoints(array)
    return out


def _read_csv_mesh(folder: Path, to_lps: np.ndarray) -> vtk.vtkPolyData:
    vertices = np.loadtxt(folder / "meanMesh_vertices.csv", delimiter=",")
    faces = np.loadtxt(folder / "meanMesh_faces.csv", delimiter=",").astype(np.int64) - 1
    cells = np.hstack([np.full((len(faces), 1), 3), faces]).ravel()
    mesh = vtk.vtkPolyData()
    polygons = vtk.vtkCellArray()
    polygons.ImportLegacyFormat(numpy_to_vtkIdTypeArray(cells, deep=True))
    mesh.SetPolys(polygons)
    return _with_points(mesh, vertices @ to_lps.T)


def _split(mesh: vtk.vtkPolyData) -> list[vtk.vtkPolyData]:
    """Split into connected pieces of some size, head to foot."""
    regions = vtk.vtkPolyDataConnectivityFilter()
    regions.SetInputData(mesh)
    regions.SetExtractionModeToSpecifiedRegions()
    probe = vtk.vtkPolyDataConnectivityFilter()
    probe.SetInputData(mesh)
    probe.SetExtractionModeToAllRegions()
    probe.Update()
    parts = []
    for i in range(probe.GetNumberOfExtractedRegions()):
        regions.InitializeSpecifiedRegionList()
        regions.AddSpecifiedRegion(i)
        clean = vtk.vtkCleanPolyData()
        clean.SetInputConnection(regions.GetOutputPort())
        clean.Update()
        part = vtk.vtkPolyData()
        part.DeepCopy(clean.GetOutput())
        if part.GetNumberOfPoints() > 1000:
            parts.append(part)
    parts.sort(key=lambda p: -np.mean(p.GetBounds()[4:]))
    return parts
