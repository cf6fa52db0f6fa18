"""Bringing a vertebra into view, on real view nodes."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

CENTER_LPS = (12.0, -30.0, 145.0)
CENTER_RAS = np.array([-12.0, 30.0, 145.0])


@pytest.fixture
def views(slicer):
    nodes = {}
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        node = slicer.vtkMRMLSliceNode()
        node.SetName(name)
        node.SetLayoutName(name)
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene)
        node = slicer.mrmlScene.AddNode(node)
        node.SetOrientation(orientation)
        node.SetFieldOfView(120, 110, 1)
        nodes[name] = node
    nodes["camera"] = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode")
    nodes["camera"].SetPosition(0, 500, 0)
    nodes["camera"].SetFocalPoint(0, 0, 0)
    return SimpleNamespace(**nodes)


def _tiltedVertebra(degrees: float = 20.0):
    from vertebra_core.analysis import Vertebra

    s, c = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    # Tilted about the left-right axis, as the upper end of a kyphosis.
    axes = ((1.0, 0.0, 0.0), (0.0, c, s), (0.0, -s, c))
    return Vertebra("L1", 0.9, None, CENTER_LPS, axes)


def _matrix(node) -> np.ndarray:
    m = node.GetSliceToRAS()
    return np.array([[m.GetElement(i, j) for j in range(4)] for i in range(4)])


def test_all_views_are_centred_and_nothing_else_changes(slicer, views):
    from VertebraAnalysisLib.ViewNavigation import ViewNavigation

    slices = (views.Red, views.Yellow, views.Green)
    before = [_matrix(node) for node in slices]
    ViewNavigation(slicer.mrmlScene).showVertebra(_tiltedVertebra())
    for node, matrix in zip(slices, before, strict=True):
        now = _matrix(node)
        np.testing.assert_allclose(now[:3, 3], CENTER_RAS, atol=1e-6)
        np.testing.assert_allclose(now[:3, :3], matrix[:3, :3], atol=1e-9)
        assert node.GetFieldOfView()[:2] == (120, 110)
    np.testing.assert_allclose(views.camera.GetFocalPoint(), CENTER_RAS)
    np.testing.assert_allclose(views.camera.GetPosition(), CENTER_RAS + (0, 500, 0))


def test_along_its_axes_the_axial_view_lies_in_the_tilted_body(slicer, views):
    from VertebraAnalysisLib.Coordinates import lpsToRas
    from VertebraAnalysisLib.ViewNavigation import ViewNavigation

    vertebra = _tiltedVertebra()
    ViewNavigation(slicer.mrmlScene).showVertebra(vertebra, alongAxes=True)
    left, back, up = (np.array(lpsToRas(a)) for a in vertebra.axes_lps)
    assert abs(_matrix(views.Red)[:3, 2] @ up) == pytest.approx(1, abs=1e-6)
    assert abs(_matrix(views.Yellow)[:3, 2] @ left) == pytest.approx(1, abs=1e-6)
    assert abs(_matrix(views.Green)[:3, 2] @ back) == pytest.approx(1, abs=1e-6)
    # Head stays above and the front stays on the side where it was.
    assert _matrix(views.Yellow)[:3, 1] @ up == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(_matrix(views.Yellow)[:3, 3], CENTER_RAS, atol=1e-6)


def test_tilting_twice_does_not_add_up_and_can_be_taken_back(slicer, views):
    from VertebraAnalysisLib.ViewNavigation import ViewNavigation

    before = _matrix(views.Red)[:3, :3]
    navigation = ViewNavigation(slicer.mrmlScene)
    navigation.showVertebra(_tiltedVertebra(20), alongAxes=True)
    once = _matrix(views.Red)[:3, :3]
    navigation.showVertebra(_tiltedVertebra(20), alongAxes=True)
    np.testing.assert_allclose(_matrix(views.Red)[:3, :3], once, atol=1e-9)
    navigation.showVertebra(_tiltedVertebra(20))
    np.testing.assert_allclose(_matrix(views.Red)[:3, :3], before, atol=1e-9)


def test_a_tilt_that_a_saved_scene_brings_back_does_not_add_up_either(slicer, views, tmp_path):
    from result_folder import reopen
    from VertebraAnalysisLib.ViewNavigation import ViewNavigation

    before = _matrix(views.Yellow)[:3, :3]
    ViewNavigation(slicer.mrmlScene).showVertebra(_tiltedVertebra(), alongAxes=True)
    once = _matrix(views.Yellow)[:3, :3]
    reopen(slicer, tmp_path / "tilted.mrb")
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    yellow = next(node for node in nodes if node.GetLayoutName() == "Yellow")
    later = ViewNavigation(slicer.mrmlScene)
    later.showVertebra(_tiltedVertebra(), alongAxes=True)
    np.testing.assert_allclose(_matrix(yellow)[:3, :3], once, atol=1e-4)
    later.resetAxes()
    np.testing.assert_allclose(_matrix(yellow)[:3, :3], before, atol=1e-4)
    assert not [n for n in yellow.GetAttributeNames() if "VertebraAnalysis" in n]


def test_a_view_that_the_user_turned_meanwhile_is_left_alone(slicer, views):
    from VertebraAnalysisLib.ViewNavigation import ViewNavigation

    navigation = ViewNavigation(slicer.mrmlScene)
    navigation.showVertebra(_tiltedVertebra(), alongAxes=True)
    views.Red.SetOrientation("Coronal")
    chosen = _matrix(views.Red)[:3, :3]
    navigation.resetAxes()
    np.testing.assert_allclose(_matrix(views.Red)[:3, :3], chosen, atol=1e-9)


def test_a_vertebra_without_axes_is_shown_untilted(slicer, views):
    from dataclasses import replace

    from VertebraAnalysisLib.ViewNavigation import ViewNavigation

    before = _matrix(views.Yellow)[:3, :3]
    vertebra = replace(_tiltedVertebra(), axes_lps=None)
    ViewNavigation(slicer.mrmlScene).showVertebra(vertebra, alongAxes=True)
    np.testing.assert_allclose(_matrix(views.Yellow)[:3, :3], before, atol=1e-9)
    np.testing.assert_allclose(_matrix(views.Yellow)[:3, 3], CENTER_RAS, atol=1e-6)
