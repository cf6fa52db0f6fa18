"""Flags that follow from geometry: slices in which discs cannot be seen."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.geometry_flags import geometry_flags
from vertebra_core.levels import level_named
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.stages import Candidate
from vertebra_core.volume import IDENTITY_DIRECTION, CtVolume

SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Slices stacked from side to side; the second axis runs from head to foot."""


CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)
"""Slices stacked from front to back; the second axis runs from head to foot."""


def tilted(degrees):
    """Course of a spine that leans forward, z, y, x."""
    return np.array([np.cos(np.radians(degrees)), -np.sin(np.radians(degrees)), 0.0])


def low_resolution(
    level, spacing_xyz_mm, direction=IDENTITY_DIRECTION, course_zyx=None, seeming_mm=0.0
):
    empty = np.zeros((2, 2, 2), np.float16)
    mask = VertebraMask((0.0, 0.0, 0.0), (0, 0, 0), (0.0, 0.0, 0.0), empty, empty)
    candidate = Candidate(mask, (0.0, 0.0, 0.0), False, False)
    ct = CtVolume(np.zeros((4, 4, 4), np.int16), spacing_xyz_mm, (0.0, 0.0, 0.0), direction)
    flags = geometry_flags(
        candidate, level_named(level), ct, course_zyx=course_zyx, seeming_mm=seeming_mm
    )
    return [f.reason for f in flags if f.code == "low_resolution"]


@pytest.mark.parametrize(
    ("level", "slice_mm", "flagged"),
    [
        ("T6", 2.0, False),
        ("T6", 2.5, True),
        ("T13", 3.0, True),
        ("L2", 3.0, False),
        ("C5", 3.0, False),
        ("L2", 3.5, True),
    ],
)
def test_thoracic_heights_are_coarse_in_thinner_slices_than_others(level, slice_mm, flagged):
    reasons = low_resolution(level, (0.8, 0.8, slice_mm))
    assert bool(reasons) is flagged
    assert all(f"{slice_mm:.1f} mm" in reason for reason in reasons)


def test_thick_sagittal_slices_show_discs_well():
    assert low_resolution("T6", (0.8, 0.8, 3.0), SAGITTAL) == []
    assert len(low_resolution("T6", (0.8, 2.8, 0.8), SAGITTAL)) == 1


def test_where_the_spine_leans_forward_thick_coronal_slices_hide_discs():
    assert low_resolution("T7", (0.7, 0.7, 3.0), CORONAL, tilted(5)) == []
    (reason,) = low_resolution("T1", (0.7, 0.7, 3.0), CORONAL, tilted(42))
    assert "2.5 mm along the tilted spine" in reason
    assert low_resolution("C7", (0.7, 0.7, 3.0), CORONAL, tilted(42)) == []


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 2.4), (2.4, 2.4, 2.4), (0.8, 0.8, 2.5)])
@pytest.mark.parametrize("degrees", [0, 20, 45])
def test_the_tilt_of_a_spine_changes_nothing_in_axial_slices_or_cubes(spacing, degrees):
    flagged = bool(low_resolution("T2", spacing, course_zyx=tilted(degrees)))
    assert flagged is (spacing[2] >= 2.5)


@pytest.mark.parametrize(
    ("level", "seeming_mm", "flagged"),
    [("T6", 2.7, False), ("T6", 2.8, True), ("L2", 2.8, False), ("L2", 3.3, True)],
)
def test_slices_that_seem_thick_make_heights_coarse_whatever_the_voxels_say(
    level, seeming_mm, flagged
):
    reasons = low_resolution(level, (1.5, 1.5, 1.5), seeming_mm=seeming_mm)
    assert bool(reasons) is flagged
    assert all("thicker than the voxels say" in reason for reason in reasons)


def test_thick_voxels_are_told_once():
    assert len(low_resolution("T6", (1.5, 1.5, 3.5), seeming_mm=3.5)) == 1
