"""Rendering of phantom scenes as CT."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_phantom import BODY_CENTER_YX_MM, toy_scene
from vertebra_core.phantom.appearance import Appearance
from vertebra_core.phantom.codes import Tissue
from vertebra_core.phantom.filters import filter_axis, gaussian_kernel, sharpened_kernel
from vertebra_core.phantom.painter import Painter
from vertebra_core.phantom.random_field import SmoothField
from vertebra_core.phantom.sampling import sample_scene
from vertebra_core.phantom.scan_protocol import ScanProtocol
from vertebra_core.phantom.scanner import render, visible
from vertebra_core.phantom.slice_profile import slice_matrix

CLEAN = ScanProtocol(
    noise_hu=0.0,
    streak_hu=0.0,
    beam_hardening_hu=0.0,
    cupping_hu=0.0,
    slice_mm=1.0,
    increment_mm=1.0,
)
CENTER = (48.0, *BODY_CENTER_YX_MM)


@pytest.fixture(scope="module")
def sampled():
    return sample_scene(toy_scene(), CENTER, 1.0, (60, 110, 100), rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def plain_look() -> Appearance:
    """An average patient without contrast, lesions or cement."""
    rng = np.random.default_rng(0)
    while True:
        look = Appearance.random(rng)
        usual = abs(look.tissue_hu[Tissue.FAT] + 104) < 15 and look.phase == "none"
        if usual and np.isinf(look.lesion_threshold) and not look.cement_levels:
            return replace(
                look, trabecular_hu=None, cortical_thickness_mm=0.5, cortical_hu=1100.0,
                trabecular_band_hu=0.0, loose_zone_hu=0.0, disc_gas_share=0.0, endplate_ratio=1.2,
            )  # fmt: skip


def test_same_seed_gives_the_same_scan(sampled, plain_look):
    a, b, other = (
        render(sampled, 1.0, plain_look, ScanProtocol(), np.random.default_rng(s))
        for s in (5, 5, 6)
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, other)
    assert a.dtype == torch.float32 and a.shape == sampled.tissue.shape


def test_tissues_take_their_densities(sampled, plain_look):
    hu = render(sampled, 1.0, plain_look, CLEAN, np.random.default_rng(0))
    clear = sampled.bone_sdf > 5
    for tissue in (Tissue.MUSCLE, Tissue.AORTA):
        found = float(hu[clear & (sampled.tissue == tissue)].median())
        assert found == pytest.approx(plain_look.tissue_hu[tissue], abs=8)
    assert float(hu[0, 0, 0]) == pytest.approx(-1000, abs=5)


def test_spongy_bone_has_the_density_that_the_scene_states(sampled, plain_look):
    look = replace(plain_look, sclerosis_hu=0.0)
    hu = render(sampled, 1.0, look, CLEAN, np.random.default_rng(0))
    core = sampled.body(21) & (sampled.bone_sdf < -5)
    assert float(hu[core].mean()) == pytest.approx(180.0, abs=15)


def test_cortex_stands_out_and_is_smeared_by_the_point_spread(sampled, plain_look):
    def cortex(psf_mm):
        protocol = replace(CLEAN, psf_mm=psf_mm)
        hu = render(sampled, 1.0, plain_look, protocol, np.random.default_rng(0))
        rim = sampled.body(21) & (sampled.bone_sdf > -1)
        return float(hu[rim].median())

    assert 250 < cortex(0.6) < 700
    assert cortex(1.2) < cortex(0.3)


def test_endplates_can_be_thicker_than_walls(sampled, plain_look):
    def contrast(ratio):
        look = replace(plain_look, endplate_ratio=ratio, cortical_variation=0.0, sclerosis_hu=0.0)
        hu = render(sampled, 1.0, look, CLEAN, np.random.default_rng(0))
        wall = float(hu[25:34, 55, 25:40].max(1).values.mean())
        endplate = float(hu[14:24, 56:65, 46:55].amax(0).mean())
        return endplate - wall

    assert contrast(1.8) > contrast(1.0) + 60


def test_lower_ends_of_bodies_can_be_denser_than_upper_ones(sampled, plain_look):
    below, above = _end_densities(sampled, plain_look)
    denser = replace(plain_look, end_asymmetry=0.8, end_gradient_hu=80.0)
    denser_below, looser_above = _end_densities(sampled, denser)
    assert denser_below > below + 40 and looser_above < above - 40


def test_uneven_ends_leave_walls_arches_and_the_core_as_they_were(sampled, plain_look):
    looks = plain_look, replace(plain_look, end_asymmetry=0.8, end_gradient_hu=80.0)
    even, uneven = (render(sampled, 1.0, x, CLEAN, np.random.default_rng(0)) for x in looks)
    changed = (uneven - even).abs() > 1
    assert not changed[sampled.bone_sdf < -9].any()
    far = torch.nn.functional.max_pool3d(sampled.body(21)[None].float(), 9, 1, 4)[0] == 0
    others = [sampled.body(n) for n in (20, 22)]
    assert not changed[far & ~others[0] & ~others[1] & sampled.vertebra(21)].any()


def test_slabs_leave_no_seam_in_bodies(sampled, plain_look):
    look = replace(plain_look, end_asymmetry=0.8, end_gradient_hu=80.0)
    painter = Painter((60, 110, 100), (1.0,) * 3, look, torch.Generator().manual_seed(0))
    whole = painter.paint(sampled)
    rows = (sampled.body(21) & (sampled.bone_sdf < -2)).any(2).any(1).nonzero()[:, 0]
    slab = slice(int(rows[3]), int(rows[-3]))
    fields = ("labels", "bone_sdf", "tissue")
    part = replace(sampled, **{name: getattr(sampled, name)[slab] for name in fields})
    difference = (painter.paint(part, slab.start) - whole[slab]).abs()
    inside = sampled.body(21)[slab] & (sampled.bone_sdf[slab] < -2)
    assert inside[0].any() and inside[-1].any()
    assert float(difference[inside].max()) < 20


def test_severe_osteoporosis_leaves_marrow_no_denser_than_soft_tissue(sampled, plain_look):
    for seed in range(5):
        osteoporotic = plain_look.demineralised(np.random.default_rng(seed))
        looks = plain_look, osteoporotic
        sound, porous = (render(sampled, 1.0, x, CLEAN, np.random.default_rng(0)) for x in looks)
        core = sampled.body(21) & (sampled.bone_sdf < -5)
        assert float(porous[core].mean()) < 80 < float(sound[core].mean())
        shell = sampled.body(21) & (sampled.bone_sdf > -1)
        assert float(porous[core].mean()) < float(porous[shell].mean()) < float(sound[shell].mean())
        assert float((sound - porous).abs()[sampled.bone_sdf > 4].max()) < 1


def test_training_sees_severe_osteoporosis_more_often_than_evaluation():
    def porous_share(draw) -> float:
        drawn = [draw(np.random.default_rng(seed)) for seed in range(300)]
        return float(np.mean([look.trabecular_hu < 60 for look in drawn]))

    assert porous_share(Appearance.random) < 0.15
    assert porous_share(Appearance.random_training) > 0.2


def _end_densities(sampled, look) -> tuple[float, float]:
    """Mean HU within 6 mm of the lower and of the upper end of a body, its walls left out."""
    hu = render(sampled, 1.0, look, CLEAN, np.random.default_rng(0))
    body = sampled.body(21)
    rows = body.any(2).any(1).nonzero()[:, 0]
    core = torch.zeros_like(body)
    core[:, 52:60, 46:55] = True
    ends = slice(int(rows[0]), int(rows[0]) + 6), slice(int(rows[-1]) - 5, int(rows[-1]) + 1)
    return tuple(float(hu[end][(body & core)[end]].mean()) for end in ends)


def test_arches_have_a_cortex_of_their_own(sampled, plain_look):
    arch = sampled.vertebra(21) & ~sampled.body(21)
    means = [
        float(
            render(
                sampled, 1.0, replace(plain_look, arch_cortex_scale=s), CLEAN,
                np.random.default_rng(0),
            )[arch].mean()
        )
        for s in (0.6, 1.1, 2.0)
    ]  # fmt: skip
    assert means[0] < means[1] < means[2]
    body = sampled.body(21) & (sampled.bone_sdf < -4)
    looks = (replace(plain_look, arch_cortex_scale=s) for s in (0.6, 2.0))
    inner = [render(sampled, 1.0, x, CLEAN, np.random.default_rng(0))[body] for x in looks]
    torch.testing.assert_close(*inner)


def test_worn_facets_are_denser_in_places_and_leave_bodies_alone(sampled, plain_look):
    arch = sampled.vertebra(21) & ~sampled.body(21) & (sampled.bone_sdf < -1)
    body = sampled.body(21) & (sampled.bone_sdf < -4)
    gained = []
    for seed in range(4):
        looks = (replace(plain_look, arthrosis_hu=v) for v in (0.0, 500.0))
        healthy, worn = (render(sampled, 1.0, x, CLEAN, np.random.default_rng(seed)) for x in looks)
        torch.testing.assert_close(healthy[body], worn[body])
        gained.append((worn - healthy)[arch])
    gained = torch.cat(gained)
    assert float(gained.max()) > 60
    assert 0.2 < float((gained < 20).float().mean()) < 0.9


def test_spongy_bone_has_level_bands(sampled, plain_look):
    core = sampled.body(21) & (sampled.bone_sdf < -4)

    def differences(axis):
        looks = (replace(plain_look, trabecular_band_hu=v) for v in (0.0, 60.0))
        even, banded = (render(sampled, 1.0, x, CLEAN, np.random.default_rng(2)) for x in looks)
        steps = torch.diff(banded - even, dim=axis).abs()
        inside = core.narrow(axis, 1, core.shape[axis] - 1)
        return float(steps[inside].mean())

    assert differences(0) > 2 * differences(1)
    assert differences(0) > 2 * differences(2)


def test_bodies_can_be_loose_between_shell_and_core(sampled, plain_look):
    looks = (replace(plain_look, loose_zone_hu=v) for v in (0.0, 80.0))
    even, loose = (render(sampled, 1.0, x, CLEAN, np.random.default_rng(2)) for x in looks)
    lost, body = even - loose, sampled.body(21)
    zone = body & (sampled.bone_sdf > -3.5) & (sampled.bone_sdf < -2.5)
    assert float(lost[zone].mean()) == pytest.approx(80, abs=15)
    assert float(lost[body & (sampled.bone_sdf < -9)].abs().mean()) < 5
    assert float(lost[sampled.vertebra(21) & ~body & (sampled.bone_sdf < -1.5)].mean()) < 20


def test_gas_fills_as_much_of_the_discs_as_asked_and_nothing_else(sampled, plain_look):
    disc = (sampled.tissue == Tissue.DISC) & (sampled.bone_sdf > 1.5)
    far = (sampled.tissue != Tissue.DISC) & (sampled.bone_sdf > 3)
    shares = []
    for seed in range(6):
        looks = (replace(plain_look, disc_gas_share=v) for v in (0.0, 0.3))
        plain, gassy = (render(sampled, 1.0, x, CLEAN, np.random.default_rng(seed)) for x in looks)
        shares.append(float((gassy[disc] < plain[disc] - 150).float().mean()))
        assert float((gassy - plain)[far].abs().quantile(0.98)) < 25
    assert 0.05 < np.mean(shares) < 0.5


def test_cement_and_lesions_appear_where_asked(sampled, plain_look):
    def core(**changes):
        look = replace(plain_look, **changes)
        hu = render(sampled, 1.0, look, CLEAN, np.random.default_rng(0))
        return [hu[sampled.body(n) & (sampled.bone_sdf < -4)] for n in (21, 22)]

    treated, untouched = core(cement_levels=(21,))
    assert float(treated.max()) > 700 > float(untouched.max())
    lytic = core(lesion_hu=-200.0, lesion_threshold=0.5)
    plain = core()
    assert float(lytic[0].mean()) < float(plain[0].mean()) - 20


def test_occupancy_is_subvoxel(plain_look):
    # A surface that moves by half a voxel changes the rim's density, not only its place.
    scene, rims = toy_scene(), []
    for shift in (0.0, 0.25, 0.5):
        block = sample_scene(scene, (48.0 + shift, *BODY_CENTER_YX_MM), 1.0, (41, 9, 9))
        hu = render(block, 1.0, plain_look, CLEAN, np.random.default_rng(0))
        rims.append(float(hu[7:10, 4, 4].max()))
    assert max(rims) - min(rims) > 20


def test_noise_has_the_stated_strength_at_one_millimetre(plain_look):
    air_free = sample_scene(toy_scene(), (48.0, 40.0, 50.0), 1.0, (48, 12, 60))
    quiet, noisy = (
        render(air_free, 1.0, plain_look, replace(CLEAN, noise_hu=n, slice_mm=1.5), rng)
        for n, rng in ((0.0, np.random.default_rng(2)), (20.0, np.random.default_rng(2)))
    )
    difference = noisy - quiet
    assert float(difference.std()) == pytest.approx(20.0, rel=0.08)
    along_x = (difference[..., 1:] * difference[..., :-1]).mean() / difference.var()
    assert 0.1 < float(along_x) < 0.7


def test_thick_slices_blur_the_ends_of_bodies_but_not_their_sides(sampled, plain_look):
    thin, thick = (
        render(
            sampled, 1.0, plain_look, replace(CLEAN, slice_mm=t, increment_mm=t),
            np.random.default_rng(0),
        )
        for t in (1.0, 5.0)
    )  # fmt: skip
    line = (slice(None), 55, 50)
    assert float(thick[line].max()) < float(thin[line].max()) - 60
    side = (30, 55, slice(None))
    assert float(thick[side].max()) > 0.75 * float(thin[side].max())


def test_coarse_pixels_blur_the_sides_of_bodies(sampled, plain_look):
    fine, coarse = (
        render(sampled, 1.0, plain_look, replace(CLEAN, pixel_mm=p), np.random.default_rng(0))
        for p in (0.0, 3.0)
    )
    assert fine.shape == coarse.shape
    side = (30, 55, slice(None))
    assert float(coarse[side].max()) < float(fine[side].max()) - 60
    assert float(coarse.mean()) == pytest.approx(float(fine.mean()), abs=4.0)


def test_slices_may_be_stacked_along_another_axis(sampled, plain_look):
    protocol = replace(CLEAN, slice_mm=5.0, increment_mm=5.0, slice_axis=2)
    hu = render(sampled, 1.0, plain_look, protocol, np.random.default_rng(0))
    plain = render(sampled, 1.0, plain_look, CLEAN, np.random.default_rng(0))
    assert hu.shape == plain.shape
    side = (30, 55, slice(None))
    assert float(hu[side].max()) < float(plain[side].max()) - 60


def test_field_of_view_is_filled_and_reported(sampled, plain_look):
    protocol = replace(
        CLEAN,
        cut_fractions=(0.0, 0.25, 0.0, 0.0, 0.1, 0.0),
        circle=(0.0, 0.0, 45.0),
        fill_hu=-2000.0,
    )
    hu = render(sampled, 1.0, plain_look, protocol, np.random.default_rng(0))
    seen = visible(hu.shape, 1.0, protocol)
    assert ((hu == -2000) == ~seen).all()
    assert not seen[-15:].any() and seen[10, 55, 50] and not seen[10, 0, 50]
    assert not seen[:, :, :10].any()
    assert visible(hu.shape, 1.0, CLEAN) is None


def test_stored_range_and_grey_levels(sampled, plain_look):
    protocol = replace(CLEAN, clamp_hu=(-500.0, 780.0), levels=256)
    hu = render(sampled, 1.0, plain_look, protocol, np.random.default_rng(0))
    assert float(hu.min()) == -500 and float(hu.max()) <= 780
    assert len(hu.unique()) <= 257
    whole = render(sampled, 1.0, plain_look, CLEAN, np.random.default_rng(0))
    assert (whole == whole.round()).all()


def test_metal_throws_streaks(sampled, plain_look):
    tissue = sampled.tissue.clone()
    tissue[26:34, 55:75, 38:42] = Tissue.METAL
    with_metal = replace(sampled, tissue=tissue)
    hu, without = (
        render(s, 1.0, plain_look, CLEAN, np.random.default_rng(0)) for s in (with_metal, sampled)
    )
    assert float(hu[30, 65, 40]) > 1500
    beside = (slice(28, 32), slice(40, 50), slice(30, 50))
    far = (slice(0, 5), slice(40, 50), slice(30, 50))
    assert float((hu - without)[beside].std()) > 25
    assert float((hu - without)[far].std()) < 5


def test_contrast_brightens_vessels():
    rng = np.random.default_rng(0)
    looks = [Appearance.random(rng) for _ in range(200)]
    aorta = {
        phase: np.median([a.tissue_hu[Tissue.AORTA] for a in looks if a.phase == phase])
        for phase in ("none", "arterial", "portal venous")
    }
    assert aorta["none"] < 60 < 120 < aorta["portal venous"] < 200 < aorta["arterial"]


def test_random_draws_are_centred_on_clinical_ct():
    rng = np.random.default_rng(1)
    looks = [Appearance.random(rng) for _ in range(300)]
    protocols = [ScanProtocol.random(rng) for _ in range(300)]
    for tissue, low, high in (
        (Tissue.FAT, -115, -90),
        (Tissue.MUSCLE, 38, 66),
        (Tissue.LUNG, -900, -780),
    ):
        values = np.array([a.tissue_hu[tissue] for a in looks])
        assert low < np.median(values) < high
    fat = np.array([a.tissue_hu[Tissue.FAT] for a in looks])
    assert 0.03 < np.mean(np.abs(fat + 104) > 30) < 0.15
    noise = np.array([p.noise_hu for p in protocols])
    assert np.mean((noise > 6) & (noise < 32)) > 0.8
    assert 110 < np.median([a.trabecular_hu for a in looks]) < 190
    slices = np.array([p.slice_mm for p in protocols])
    assert slices.min() < 0.9 and slices.max() > 4.0


def test_kernels_sum_to_one_and_sharpening_overshoots():
    for kernel in (gaussian_kernel(0.3), gaussian_kernel(2.0), sharpened_kernel(0.6, 0.8)):
        assert float(kernel[0] + 2 * kernel[1:].sum()) == pytest.approx(1.0, abs=1e-5)
    step = torch.zeros(5, 5, 40)
    step[..., 20:] = 100
    assert float(filter_axis(step, gaussian_kernel(0.8), 2).max()) <= 100.001
    assert float(filter_axis(step, sharpened_kernel(0.6, 0.8), 2).max()) > 104


def test_slice_profile_averages_and_keeps_constants():
    matrix = slice_matrix(50, 1.0, np.array([-2.0, 10.0, 20.0, 55.0]), 4.0)
    torch.testing.assert_close(matrix.sum(1), torch.ones(4))
    voxels = torch.arange(50).float()
    assert float(matrix[1] @ voxels) == pytest.approx(10.0, abs=0.05)
    spread = float((matrix[1] @ (voxels - 10) ** 2).sqrt())
    assert spread == pytest.approx(4.0 / 2.355, rel=0.12)


def test_smooth_fields_have_unit_variance_and_join_from_slab_to_slab():
    field = SmoothField((60, 64, 70), (1.0, 1.0, 1.0), 4.0, torch.Generator().manual_seed(1))
    whole = field.evaluate()
    assert float(whole.std()) == pytest.approx(1.0, abs=0.12)
    torch.testing.assert_close(torch.cat([field.evaluate(0, 23), field.evaluate(23)]), whole)
    assert float((whole[:, :, 1:] - whole[:, :, :-1]).abs().max()) < 1.5
