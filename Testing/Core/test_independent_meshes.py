"""The geometry that is kept from training: how it is read, and that no bank can be built of it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import vtk
from scipy import ndimage
from vertebra_core.errors import InputError
from vertebra_core.phantom.bank import build_bank
from vertebra_core.phantom.independent_meshes import (
    covered_levels,
    independent_library,
    stand_in_notes,
)
from vertebra_core.phantom.parametric_vertebra import parametric_vertebra
from vertebra_core.phantom.shape_library import ShapeLibrary

T7, T8, L3, C2 = 14, 15, 22, 2
FILES = {T8: "thoracic8.vtp", L3: "lumbar3.vtp"}


@pytest.fixture(scope="module")
def opensim(shared_data, tmp_path_factory):
    """A folder with two of the real meshes."""
    source = shared_data / "meshes" / "opensim"
    if not source.is_dir():
        pytest.skip(f"OpenSim meshes not found at {source}")
    folder = tmp_path_factory.mktemp("opensim")
    for name in FILES.values():
        shutil.copy(source / name, folder)
    return folder


@pytest.fixture(scope="module")
def library(opensim):
    return independent_library(opensim)


def _write_box(path, size_xyz):
    box = vtk.vtkCubeSource()
    box.SetXLength(size_xyz[0])
    box.SetYLength(size_xyz[1])
    box.SetZLength(size_xyz[2])
    writer = vtk.vtkXMLPolyDataWriter()
    writer.SetInputConnection(box.GetOutputPort())
    writer.SetFileName(str(path))
    writer.Write()


def _mesh_volume_mm3(path):
    reader = vtk.vtkXMLPolyDataReader()
    reader.SetFileName(str(path))
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputConnection(reader.GetOutputPort())
    volume = vtk.vtkMassProperties()
    volume.SetInputConnection(triangles.GetOutputPort())
    volume.Update()
    return volume.GetVolume() * 1e9


def test_real_meshes_are_whole_and_stand_upright(library, opensim):
    assert covered_levels(opensim) == set(FILES)
    assert [t.level for t in library.templates] == [T8, L3]
    for shape in library.templates:
        inside, body = shape.sdf < 0, shape.body_sdf < 0
        volume = _mesh_volume_mm3(opensim / FILES[shape.level])
        assert inside.sum() == pytest.approx(volume, rel=0.03)
        _, parts = ndimage.label(inside)
        assert parts == 1
        assert 0.5 < body.sum() / inside.sum() < 0.75
        # Behind the body lies what is not body, and the tip of the spinous process is its lowest.
        arch = np.argwhere(inside & ~body) + shape.origin_zyx_mm
        assert arch[:, 1].mean() > 15
        tip = arch[arch[:, 1] > np.percentile(arch[:, 1], 97)]
        assert tip[:, 0].mean() < -5 and abs(tip[:, 2].mean()) < 3
        # The body's frame is that of its endplates: both are level.
        for end in (0, -1):
            rows = [np.flatnonzero(body[:, 35 + y, 55])[end] for y in (-8, 0, 8)]
            assert np.ptp(rows) <= 3


def test_every_vertebra_comes_from_the_meshes_as_far_as_they_reach(library):
    rng = np.random.default_rng(0)
    assert {library.draw(L3, rng).source for _ in range(12)} == {"opensim"}
    assert {library.draw(T7, rng).source for _ in range(12)} == {"opensim (T8)"}
    assert library.draw(C2, rng).source == "parametric"
    assert stand_in_notes((C2, T7, T8, L3), FILES) == (
        "C2 is parametric: there is no mesh of it.",
        "T7 is shaped by the mesh of a neighbouring level.",
    )


def test_no_bank_is_built_of_geometry_kept_for_evaluation(library, tmp_path):
    with pytest.raises(ValueError, match="kept for evaluation"):
        build_bank(tmp_path / "bank", 1, 0, library)
    library.save(tmp_path / "cache")
    assert independent_library(tmp_path / "nowhere", tmp_path / "cache").evaluation_only
    with pytest.raises(InputError, match="kept for evaluation"):
        ShapeLibrary.with_templates(tmp_path / "nowhere", tmp_path / "cache")


def test_shapes_used_for_training_are_not_taken_for_independent_ones(tmp_path):
    vertebra = parametric_vertebra(L3, np.random.default_rng(0))
    ShapeLibrary((vertebra,)).save(tmp_path)
    with pytest.raises(InputError, match="used for training"):
        independent_library(tmp_path, tmp_path)


def test_a_folder_or_mesh_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(InputError, match="no meshes of vertebrae"):
        independent_library(tmp_path)
    _write_box(tmp_path / "lumbar3.vtp", (35.0, 30.0, 45.0))
    with pytest.raises(InputError, match=r"lumbar3\.vtp is 4\.5e\+04 mm large") as caught:
        independent_library(tmp_path)
    assert "metres" in caught.value.hint
    empty = vtk.vtkXMLPolyDataWriter()
    empty.SetInputData(vtk.vtkPolyData())
    empty.SetFileName(str(tmp_path / "lumbar3.vtp"))
    empty.Write()
    with pytest.raises(InputError, match="holds no mesh"):
        independent_library(tmp_path)
