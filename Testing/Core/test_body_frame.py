"""The frame of a body follows the body, however it lies and whatever has happened to it."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_bodies import arch_level, body_level, rotation, sampled
from vertebra_core.grading import body_frame
from vertebra_core.grading.body_frame import BodyFrameError, fit_body_frame
from vertebra_core.phantom.fracture import Fracture, source_points

_SIZE = (22.0, 28.0, 36.0)
_CENTER = np.array([28.3, 28.7, 34.2])


def _body(z, y, x):
    return body_level(z, y, x, *_SIZE)


def _vertebra(z, y, x):
    return np.minimum(_body(z, y, x), arch_level(z, y, x, *_SIZE))


def _fractured(fracture):
    def level(z, y, x):
        given = (np.asarray(c, np.float32) for c in (z, y, x))
        return _body(*source_points(fracture, *given, *_SIZE))

    return level


def _masks(axes, body=_body, whole=_vertebra, spacing=(1.5, 1.5, 1.5)):
    shape = tuple(int(np.ceil(n / s)) for n, s in zip((57, 84, 70), spacing, strict=True))
    return tuple(sampled(f, axes, _CENTER, shape, spacing) for f in (body, whole))


def _angle_deg(a, b) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(a, b), -1, 1))))


@pytest.mark.parametrize(
    "turns", [(0, 0, 0), (38, 0, 0), (-25, 15, 0), (10, -30, 0), (12, 10, 20), (0, 0, -20)]
)
def test_axes_and_centre_follow_a_tilted_body(turns):
    axes = rotation(*turns)
    body, whole = _masks(axes)
    frame = fit_body_frame(body, 1.5, whole)
    assert _angle_deg(frame.axes_zyx[0], axes[0]) < 2.5
    assert _angle_deg(frame.axes_zyx[2], axes[2]) < 2.5
    assert np.linalg.norm(np.array(frame.center_zyx_mm) - _CENTER) < 1.0
    assert frame.depth_mm == pytest.approx(_SIZE[1], abs=1.2)
    assert frame.width_mm == pytest.approx(_SIZE[2], abs=2.0)


def test_up_back_and_left_are_those_of_the_patient():
    body, whole = _masks(rotation())
    left, back, up = fit_body_frame(body, 1.5, whole).axes_lps
    assert left[0] > 0.99 and back[1] > 0.99 and up[2] > 0.99


def test_back_is_found_without_a_hint_when_the_patient_lies_turned():
    axes = rotation(axial_deg=70)
    center = np.array([28.0, 42.0, 42.0])
    body, whole = (sampled(f, axes, center, (38, 56, 56), (1.5,) * 3) for f in (_body, _vertebra))
    frame = fit_body_frame(body, 1.5, whole)
    assert _angle_deg(frame.axes_zyx[1], axes[1]) < 4


@pytest.mark.parametrize(
    ("shape", "loss", "allowed_deg"), [("wedge", 0.4, 9), ("biconcave", 0.5, 4), ("crush", 0.5, 4)]
)
def test_a_fracture_does_not_tilt_the_frame_badly(shape, loss, allowed_deg):
    # Half of a wedge's own angle belongs to the bisector of its endplates.
    fracture = Fracture.random(shape, loss, np.random.default_rng(2))
    axes = rotation(15, 5, 0)
    body, whole = _masks(
        axes,
        _fractured(fracture),
        lambda z, y, x: np.minimum(_fractured(fracture)(z, y, x), arch_level(z, y, x, *_SIZE)),
    )
    frame = fit_body_frame(body, 1.5, whole)
    assert _angle_deg(frame.axes_zyx[0], axes[0]) < allowed_deg
    assert _angle_deg(frame.axes_zyx[2], axes[2]) < 3


def test_osteophytes_on_one_side_do_not_tilt_the_frame():
    def spurred(z, y, x):
        spur = np.sqrt((z - 9) ** 2 + (y + 13) ** 2 + (x - 9) ** 2) - 5.0
        return np.minimum(_body(z, y, x), spur)

    axes = rotation()
    body, whole = _masks(axes, spurred)
    frame = fit_body_frame(body, 1.5, np.maximum(whole, body))
    assert _angle_deg(frame.axes_zyx[0], axes[0]) < 2.5


def test_masks_with_thick_slices_are_enough():
    axes = rotation(20, 8, 5)
    spacing = (3.0, 1.0, 1.0)
    body, whole = (m > 0.5 for m in _masks(axes, spacing=spacing))
    frame = fit_body_frame(body, spacing, whole)
    assert _angle_deg(frame.axes_zyx[0], axes[0]) < 4
    assert _angle_deg(frame.axes_zyx[2], axes[2]) < 4


def test_points_of_the_frame_come_back_from_the_crop():
    body, whole = _masks(rotation(20, 10, 5))
    frame = fit_body_frame(body, 1.5, whole)
    point = np.array([3.0, -4.0, 5.0])
    grid = frame.grid(*(np.array([c]) for c in point))
    np.testing.assert_allclose(grid[:, 0, 0, 0], frame.to_crop(point), atol=1e-3)
    back = np.asarray(frame.axes_zyx) @ (frame.to_crop(point) - np.asarray(frame.center_zyx_mm))
    np.testing.assert_allclose(back, point, atol=1e-6)


def test_nothing_has_no_frame():
    with pytest.raises(BodyFrameError):
        fit_body_frame(np.zeros((20, 20, 20), np.float32), 1.0)


def test_no_bone_between_the_walls_is_refused_instead_of_centred_nowhere(monkeypatch):
    # What a torn mask of a turned scan gave: walls, and nothing between them.
    body, whole = _masks(rotation(20, 10, 5))
    monkeypatch.setattr(body_frame, "walls_of", lambda *_: (200.0, 204.0))
    with pytest.raises(BodyFrameError, match="no height between its walls"):
        fit_body_frame(body, 1.5, whole)
