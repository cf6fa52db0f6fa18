"""Slice and 3D views rendered without windows."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def _openGl():
    # A missing OpenGL aborts the process, so it is looked for in another one.
    code = (
        "import vtkmodules.vtkRenderingOpenGL2; "
        "from vtkmodules.vtkRenderingCore import vtkRenderWindow; "
        "w = vtkRenderWindow(); w.SetOffScreenRendering(1); w.Render()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    if done.returncode != 0:
        pytest.skip("there is no OpenGL to render with")


@pytest.fixture
def volume(slicer, _openGl):
    voxels = np.full((60, 60, 60), -1000, np.int16)
    voxels[20:40, 20:40, 20:40] = 1000
    node = slicer.util.addVolumeFromArray(voxels, name="cube")
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(2000, 0)
    return node


def test_a_slice_view_shows_the_volume_where_it_is_told_to_look(slicer, volume, tmp_path):
    from SlicerBoot.OffscreenViews import OffscreenSliceView

    view = OffscreenSliceView("Yellow", "Sagittal", (200, 200))
    try:
        view.show(volume, heightMm=60)
        center = slicer.vtkMRMLSliceNode.CenteredJumpSlice
        slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 30, 30, 30, center)
        inside = view.render()
        assert inside[100, 100].min() > 230 and inside[8, 8].max() < 25
        view.savePng(tmp_path / "slice.png")
        assert (tmp_path / "slice.png").read_bytes()[:4] == b"\x89PNG"
        slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 5, 30, 30, center)
        assert view.render()[100, 100].max() < 25
    finally:
        view.close()


def test_a_3d_view_shows_a_model(slicer, volume):
    import vtk
    from SlicerBoot.OffscreenViews import OffscreenThreeDView

    sphere = vtk.vtkSphereSource()
    sphere.SetRadius(20)
    sphere.Update()
    view = OffscreenThreeDView("View1", (200, 200))
    try:
        empty = view.render()
        slicer.modules.models.logic().AddModel(sphere.GetOutput())
        view.look(slicer.vtkMRMLCameraNode.Left)
        assert np.abs(view.render().astype(int) - empty)[90:110, 90:110].max() > 40
    finally:
        view.close()
