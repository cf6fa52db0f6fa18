"""Distances that matter only nearby."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from vertebra_core.segmentation.near_distance import MAX_REACH_VOXELS, squared_distance


@pytest.mark.parametrize("reach", [1, 4, MAX_REACH_VOXELS])
@pytest.mark.parametrize("share", [0.0003, 0.01, 0.3])
@pytest.mark.parametrize("shape", [(30, 24, 41), (1, 7, 60)])
def test_distances_are_those_of_a_whole_transform_up_to_the_reach(reach, share, shape):
    mask = np.random.default_rng(reach).random(shape) < share
    mask.flat[17] = True
    exact = np.rint(ndimage.distance_transform_edt(~mask) ** 2)
    found = squared_distance(mask, reach)
    near = exact <= reach**2
    assert (found[near] == exact[near]).all()
    assert (found[~near] > reach**2).all()


def test_without_a_mask_everything_is_far():
    assert (squared_distance(np.zeros((4, 5, 6), bool), 3) > 9).all()


@pytest.mark.parametrize("reach", [0, MAX_REACH_VOXELS + 1])
def test_other_reaches_are_refused(reach):
    with pytest.raises(ValueError, match="reach"):
        squared_distance(np.zeros((4, 5, 6), bool), reach)
