"""Flags from comparing neighbours: bodies that run together, bodies of odd volume."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.analysis import Flag, Vertebra
from vertebra_core.flagging import with_flags
from vertebra_core.neighbour_flags import contact_share, neighbour_flags
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.stages import Candidate

DEPTH, WIDTH, HEIGHT = 30, 40, 24


def plain_body() -> np.ndarray:
    """A block in a box with three empty voxels on every side."""
    return np.pad(np.ones((HEIGHT, DEPTH, WIDTH), np.float16), 3)


def placed(body: np.ndarray, z_mm: int, arch: bool = False) -> Candidate:
    """A vertebra whose box begins at `z_mm`; its arch may reach through that of its neighbours."""
    vertebra = body.copy()
    if arch:
        vertebra[:, -3:, 18:28] = 1
    origin = (0.0, 0.0, float(z_mm))
    mask = VertebraMask((20.0, 15.0, z_mm + 15.0), (z_mm, 0, 0), origin, vertebra, body)
    return Candidate(mask, (20.0, 15.0, z_mm + 15.0), False, False)


def codes(candidates, names=("T12", "L1", "L2")) -> list[list[str]]:
    found = neighbour_flags(candidates, names[: len(candidates)])
    return [[f.code for f in own] for own in found]


def column(gap_mm: int) -> list[Candidate]:
    """Three blocks, head to foot, with so much between them."""
    return [placed(plain_body(), z, arch=True) for z in (2 * (HEIGHT + gap_mm), HEIGHT + gap_mm, 0)]


@pytest.mark.parametrize(("gap_mm", "share"), [(-3, 1.0), (0, 1.0), (1, 0.0), (4, 0.0)])
def test_bodies_meet_where_no_voxel_lies_between_them(gap_mm, share):
    upper, lower, _ = column(gap_mm)
    assert contact_share(upper.mask, lower.mask) == pytest.approx(share)
    assert contact_share(lower.mask, upper.mask) == pytest.approx(share)


def test_arches_that_meet_are_no_contact_of_bodies():
    upper, lower, _ = column(4)
    assert (upper.mask.vertebra > upper.mask.body).any()
    assert codes(column(4)) == [[], [], []]


def with_bridge(body: np.ndarray, share: float) -> np.ndarray:
    """Let the front of a block reach three voxels up, over so much of its depth."""
    bridged = body.copy()
    bridged[-3:, 3 : 3 + round(share * DEPTH), 3:-3] = 1
    return bridged


@pytest.mark.parametrize(("share", "flagged"), [(0.1, False), (0.4, False), (0.7, True)])
def test_a_bridge_at_the_rim_is_no_fusion(share, flagged):
    pair = [placed(plain_body(), HEIGHT + 3), placed(with_bridge(plain_body(), share), 0)]
    assert contact_share(pair[0].mask, pair[1].mask) == pytest.approx(share)
    assert codes(pair) == [["touching_neighbour"] * flagged] * 2


def test_a_body_that_lost_its_height_meets_its_neighbour_over_no_more_for_that():
    flat = plain_body()
    flat[3 : 3 + 2 * HEIGHT // 3] = 0
    pair = [placed(plain_body(), HEIGHT + 3), placed(with_bridge(flat, 0.4), 0)]
    assert contact_share(pair[0].mask, pair[1].mask) == pytest.approx(0.4)


def test_a_body_between_two_that_it_runs_into_carries_one_flag_that_names_both():
    names = ("T12", "L1", "L2")
    found = neighbour_flags(column(0), names)
    flagged = [
        with_flags(Vertebra(name, 1.0, None, (0.0, 0.0, 0.0)), own)
        for name, own in zip(names, found, strict=True)
    ]
    assert [[f.code for f in v.flags] for v in flagged] == [["touching_neighbour"]] * 3
    assert "T12" in flagged[1].flags[0].reason and "L2" in flagged[1].flags[0].reason


@pytest.mark.parametrize(
    ("names", "odd"),
    [(("C6", "L2"), False), (("T8", "T11"), False), (("T8", "T9"), True), (("T12", "L1"), True)],
)
def test_volumes_are_compared_between_levels_that_lie_near_each_other(names, odd):
    small = np.pad(np.ones((10, 16, 22), np.float16), ((3, 17), (3, 17), (3, 21)))
    assert small.shape == plain_body().shape
    found = codes([placed(small, 3 * HEIGHT), placed(plain_body(), 0)], names)
    assert found == [["implausible_shape"] * odd] * 2


def test_atlas_and_axis_are_compared_with_nobody():
    arch, axis = plain_body(), plain_body()
    arch[:, :, 12:] = 0
    neck = [placed(b, z) for b, z in ((arch, 90), (axis, 60), (arch, 30), (arch, 0))]
    assert codes(neck, ("C1", "C2", "C3", "C4")) == [[], [], [], []]
    # Elsewhere the same volumes are odd.
    assert codes(neck, ("T1", "T2", "T3", "T4"))[1] == ["implausible_shape"]


def test_a_code_is_carried_once_with_all_its_reasons_in_their_order():
    lesion = Flag("lesion_candidate", "Here.", (1.0, 2.0, 3.0), 0.7)
    before = Vertebra("L1", 1.0, None, (0.0, 0.0, 0.0), flags=(lesion, Flag("metal", "Screws.")))
    odd = (Flag("implausible_shape", "Ragged."), Flag("implausible_shape", "Huge."))
    after = with_flags(with_flags(before, odd), (*odd, Flag("borderline", "Near.")))
    assert after.flags == (
        *before.flags,
        Flag("implausible_shape", "Ragged. Huge."),
        Flag("borderline", "Near."),
    )
