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


def low_resolution(level, spacing_xyz_mm, direction=IDENTITY_DIRECTION):
    empty = np.zeros((2, 2, 2), np.float16)
    mask = VertebraMask((0.0, 0.0, 0.0), (0, 0, 0), (0.0, 0.0, 0.0), empty, empty)
    candidate = Candidate(mask, (0.0, 0.0, 0.0), False, False)
    ct = CtVolume(np.zeros((4, 4, 4), np.int16), spacing_xyz_mm, (0.0, 0.0, 0.0), direction)
    flags = geometry_flags(candidate, level_named(level), ct)
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
