"""From a volume to centres: targets, windows, and the whole of `localise`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from vertebra_core.errors import Cancelled
from vertebra_core.localisation.localise import (
    Centre,
    LocalisationOptions,
    _without_weak_ends,
    localise,
)
from vertebra_core.localisation.outputs import OFFSET_UNIT_MM
from vertebra_core.localisation.sliding_window import Windows, run_everywhere, window_starts
from vertebra_core.localisation.targets import heat_sigma_mm, localisation_targets
from vertebra_core.volume import CtVolume

SPACING_MM = 2.0


def test_heat_shrinks_where_neighbours_are_close():
    centers = np.array([[0.0, 0, 0], [16, 0, 0], [32, 0, 0], [70, 0, 0]])
    sigma = heat_sigma_mm(centers)
    assert sigma[0] == pytest.approx(0.18 * 16)
    assert sigma[3] == 5.0
    assert heat_sigma_mm(centers[:1]).tolist() == [5.0]


def targets_of_two():
    instances = torch.zeros((30, 24, 24), dtype=torch.uint8)
    instances[4:12, 6:14, 6:18] = 20
    instances[17:25, 6:14, 6:18] = 21
    instances[14:20, 16:22, 10:14] = 20
    centers = np.array([[8.0, 10.0, 12.0], [21.0, 10.0, 12.0]])
    return instances, centers, np.array([20, 21]), np.array([4.0, 4.0])


def test_offsets_lead_to_the_own_centre_even_past_a_nearer_one():
    instances, centers, numbers, sigma = targets_of_two()
    made = localisation_targets(instances, centers, numbers, sigma, SPACING_MM)
    # A spinous process of the upper vertebra hangs down behind the lower one.
    assert made.offset_mm[:, 18, 18, 12].tolist() == [-20.0, -16.0, 0.0]
    assert made.offset_mm[:, 18, 10, 12].tolist() == [6.0, 0.0, 0.0]
    assert made.offset_weight[18, 18, 12] == 1
    assert made.offset_weight[29, 0, 0] == 0
    assert made.heat[8, 10, 12] == 1
    assert torch.equal(made.foreground > 0, instances > 0)


def test_nothing_is_learnt_outside_the_field_of_view():
    instances, centers, numbers, sigma = targets_of_two()
    seen = torch.ones_like(instances, dtype=torch.bool)
    seen[:13] = False
    made = localisation_targets(instances, centers, numbers, sigma, SPACING_MM, seen)
    assert not made.heat[:13].any() and not made.foreground[:13].any()
    assert not made.offset_weight[:13].any()
    assert made.heat[21, 10, 12] == 1


def test_voxels_of_a_vertebra_without_known_centre_are_left_out():
    instances, centers, numbers, sigma = targets_of_two()
    made = localisation_targets(instances, centers[:1], numbers[:1], sigma[:1], SPACING_MM)
    assert made.offset_weight[20, 10, 7] == 0
    assert made.foreground[20, 10, 7] == 1


@pytest.mark.parametrize("size", [5, 8, 9, 16, 23, 100])
def test_windows_cover_everything_and_overlap(size):
    starts = window_starts(size, 8, 3)
    covered = np.zeros(max(size, 8), int)
    for start in starts:
        covered[start : start + 8] += 1
    assert covered.min() >= 1 and starts[-1] + 8 <= max(size, 8)
    assert all(b - a <= 5 for a, b in zip(starts, starts[1:], strict=False))


class Double(nn.Module):
    def forward(self, x):
        return torch.cat([2 * x, x * 0 + 3], 1)


def test_windows_blend_without_seams():
    image = np.random.default_rng(0).normal(0, 1, (21, 18, 9)).astype(np.float32)
    out = run_everywhere(Windows(image, Double(), (0.0, 0.0), 0.0, (8, 8, 16), 3))
    assert out.shape == (2, 21, 18, 9)
    assert np.allclose(out[0], 2 * image, atol=1e-4)
    assert np.allclose(out[1], 3)


def test_unwanted_windows_are_not_run_and_get_the_background():
    image = np.zeros((16, 8, 8), np.float32)
    image[8:] = 1
    wanted = Windows(
        image, Double(), (-5.0, -6.0), 0.0, (8, 8, 8), 0, wanted=lambda block: block.max() > 0
    )
    out = run_everywhere(wanted)
    assert (out[0, :8] == -5).all() and (out[1, :8] == -6).all()
    assert np.allclose(out[0, 8:], 2)


def test_windows_can_be_cancelled_between_two():
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    fractions: list[float] = []
    with pytest.raises(Cancelled):
        run_everywhere(
            Windows(np.ones((32, 8, 8), np.float32), Double(), (0.0, 0.0), 0.0, (8, 8, 8), 0),
            on_progress=fractions.append,
            cancelled=cancelled,
        )
    assert fractions == [0.25, 0.5]


class BrightBlocks(nn.Module):
    """A LocNet that knows the centres of bright boxes by looking at the whole window."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from scipy import ndimage

        bright = (x[0, 0] > 1.5).numpy()
        parts, count = ndimage.label(bright)
        out = torch.full((1, 5, *bright.shape), -8.0)
        out[0, 1:4] = 0
        if count == 0:
            return out
        centers = np.array(ndimage.center_of_mass(bright, parts, range(1, count + 1)))
        grid = np.indices(bright.shape)
        distance = np.square(grid[:, None] - centers.T[:, :, None, None, None]).sum(0)
        nearest = centers[distance.argmin(0)].transpose(3, 0, 1, 2)
        offset = (nearest - grid) * SPACING_MM / OFFSET_UNIT_MM
        out[0, 0] = torch.from_numpy(4 - distance.min(0)).clamp(-8, 4)
        out[0, 1:4] = torch.from_numpy(offset)
        out[0, 4] = torch.from_numpy(np.where(bright, 5.0, -8.0))
        return out


CENTERS = [(40 - 12 * i, 20 + i % 2, 24) for i in range(4)]


def ct_with_boxes(extra=()) -> CtVolume:
    hu = np.full((60, 50, 60), -50, np.float32)
    for z, y, x in [*CENTERS, *extra]:
        hu[z - 3 : z + 4, y - 4 : y + 5, x - 5 : x + 6] = 900
    return CtVolume(hu, (SPACING_MM,) * 3, (-60.0, -40.0, 100.0))


@pytest.mark.parametrize("method", ["votes", "heat"])
def test_spine_is_found_head_to_foot_in_world_coordinates(method):
    ct = ct_with_boxes()
    options = LocalisationOptions(method=method, window_zyx=(60, 50, 60))
    found = localise(ct, BrightBlocks(), options)
    expected = ct.index_to_lps(np.array(CENTERS, float))
    positions = np.array([c.position_lps_mm for c in found.centres])
    assert positions.shape == expected.shape
    assert np.abs(positions - expected).max() < 0.5
    assert all(0 <= c.score <= 1 for c in found.centres)


def test_what_is_off_the_spine_is_rejected_but_told():
    ct = ct_with_boxes(extra=[(16, 24, 52)])
    options = LocalisationOptions(window_zyx=(60, 50, 60))
    found = localise(ct, BrightBlocks(), options)
    assert len(found.centres) == 4
    assert len(found.rejected) == 1
    everything = LocalisationOptions(window_zyx=(60, 50, 60), keep_chain_only=False)
    assert len(localise(ct, BrightBlocks(), everything).centres) == 5


def test_weak_end_of_the_chain_is_cut_off_but_a_hot_one_stays():
    def centre(z: float, votes: float, heat: float) -> Centre:
        return Centre((0.0, 0.0, z), 0.5 * heat + 0.4, votes, heat)

    spine = [centre(-30.0 * i, 1500.0, 0.8) for i in range(5)]
    sacrum, cut = centre(-150.0, 200.0, 0.3), centre(-150.0, 200.0, 0.7)
    assert _without_weak_ends(list(range(6)), [*spine, sacrum]) == list(range(5))
    assert _without_weak_ends(list(range(6)), [*spine, cut]) == list(range(6))
    top = [centre(30.0, 200.0, 0.3), *spine]
    assert _without_weak_ends(list(range(6)), top) == list(range(1, 6))


def test_air_is_not_searched_and_gives_nothing():
    class Refuse(nn.Module):
        def forward(self, x):
            raise AssertionError("there is no bone to look at")

    ct = CtVolume(np.full((40, 40, 40), -900, np.float32), (SPACING_MM,) * 3, (0.0, 0.0, 0.0))
    assert localise(ct, Refuse()).centres == ()


def test_wrong_grid_and_unknown_method_are_refused():
    ct = ct_with_boxes()
    with pytest.raises(ValueError, match="method"):
        localise(ct, BrightBlocks(), LocalisationOptions(method="guess"))
    coarse = CtVolume(ct.hu, (3.0, 3.0, 3.0), ct.origin_lps_mm)
    with pytest.raises(ValueError, match="working grid"):
        localise(coarse, BrightBlocks())
