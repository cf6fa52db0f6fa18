"""Losses: values at known points, gradients, masks."""

from __future__ import annotations

import math

import pytest
import torch
from vertebra_core.training.losses import (
    adaptive_wing,
    binary_cross_entropy,
    boundary_weight,
    chamfer_votes,
    focal,
    heat_loss,
    masked_smooth_l1,
    soft_dice,
)


def t(*values: float) -> torch.Tensor:
    return torch.tensor(values)


def test_adaptive_wing_is_the_published_formula():
    # |d| = 0.2 < theta, y = 1: omega ln(1 + (0.2 / 3) ** 1.1)
    near = 10 * math.log(1 + (0.2 / 3) ** 1.1)
    assert adaptive_wing(t(0.8), t(1.0)).item() == pytest.approx(near, rel=1e-5)
    power, ratio = 2.1, 0.5 / 3
    slope = 10 / (1 + ratio**power) * power * ratio ** (power - 1) / 3
    far = slope * 0.9 - (0.5 * slope - 10 * math.log(1 + ratio**power))
    assert adaptive_wing(t(0.9), t(0.0)).item() == pytest.approx(far, rel=1e-5)


@pytest.mark.parametrize("target", [0.0, 0.4, 1.0])
def test_adaptive_wing_is_smooth_where_its_branches_meet(target):
    below, above = (
        torch.tensor([target + 0.5 + step], requires_grad=True) for step in (-1e-4, 1e-4)
    )
    values = [adaptive_wing(x, t(target)) for x in (below, above)]
    assert abs((values[0] - values[1]).item()) < 1e-3
    for value in values:
        value.backward()
    assert below.grad.item() == pytest.approx(above.grad.item(), rel=1e-2)


def test_adaptive_wing_has_a_finite_gradient_when_right():
    x = t(0.0, 0.5, 1.0).requires_grad_()
    adaptive_wing(x, x.detach().clone()).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_missed_heat_costs_more_than_false_heat_of_the_same_size():
    target = torch.zeros(1, 16, 16, 16)
    target[:, 6:10, 6:10, 6:10] = 1.0
    missed = heat_loss(torch.zeros_like(target), target, floor=64.0)
    false = heat_loss(target + target.roll(6, 1), target, floor=64.0)
    assert missed > 2 * false > 0


def test_smooth_l1_counts_the_mask_only():
    predicted, target = torch.zeros(1, 3, 8, 8, 8), torch.zeros(1, 3, 8, 8, 8)
    mask = torch.zeros(1, 8, 8, 8)
    mask[:, :4] = 1
    target[:, :, 4:] = 100.0
    assert masked_smooth_l1(predicted, target, mask) == 0
    target[:, 0, :4] = 3.0
    expected = (3 - 0.5) * 256 / (256 + 50)
    assert masked_smooth_l1(predicted, target, mask).item() == pytest.approx(expected)


def test_chamfer_pulls_votes_to_the_nearest_centre():
    votes = torch.tensor([[0.0, 0, 1.0], [0, 0, 11.0]], requires_grad=True)
    centers = torch.tensor([[0.0, 0, 0], [0, 0, 10.0]])
    loss = chamfer_votes(votes, torch.ones(2), centers)
    assert loss.item() == pytest.approx(2.0, rel=2e-2)
    loss.backward()
    assert (votes.grad[:, 2] > 0).all()


def test_chamfer_without_votes_or_centres_is_zero():
    votes = torch.zeros(0, 3, requires_grad=True)
    assert chamfer_votes(votes, torch.zeros(0), torch.zeros(2, 3)).item() == 0
    assert chamfer_votes(torch.ones(2, 3), torch.ones(2), torch.zeros(0, 3)).item() == 0


def test_dice_is_zero_when_right_and_near_one_when_wrong():
    target = torch.zeros(1, 2, 16, 16, 16)
    target[:, :, 4:12] = 1.0
    assert soft_dice(target, target).item() == pytest.approx(0, abs=1e-6)
    assert soft_dice(1 - target, target).item() > 0.9


def test_dice_of_an_empty_target_falls_with_every_false_voxel():
    target = torch.zeros(1, 1, 16, 16, 16)
    few, many = target.clone(), target.clone()
    few[:, :, 0, 0, :8], many[:, :, :8] = 1.0, 1.0
    assert 0 < soft_dice(few, target) < soft_dice(many, target)


def test_losses_ignore_what_is_masked_out():
    target, mask = torch.zeros(1, 1, 8, 8, 8), torch.ones(1, 1, 8, 8, 8)
    mask[..., :4] = 0
    wrong = target - 5.0
    wrong[..., :4] = 5.0
    right = target - 5.0
    assert soft_dice(torch.sigmoid(wrong), target, mask) == soft_dice(
        torch.sigmoid(right), target, mask
    )
    for loss in (binary_cross_entropy, focal):
        assert loss(wrong, target, weight=mask) == loss(right, target, weight=mask)


def test_focal_loss_cares_less_about_easy_voxels():
    target = torch.zeros(2)
    easy, hard = torch.tensor([-4.0, -4.0]), torch.tensor([1.0, 1.0])
    ratio = focal(hard, target) / focal(easy, target)
    assert ratio > 100 * binary_cross_entropy(hard, target) / binary_cross_entropy(easy, target)


def test_boundary_weight_marks_both_sides_of_the_surface():
    target = torch.zeros(1, 1, 12, 12, 12)
    target[..., 6:] = 1.0
    weight = boundary_weight(target, extra=4.0, reach_voxels=2)[0, 0, 5, 5]
    assert weight.tolist() == [1, 1, 1, 1, 5, 5, 5, 5, 1, 1, 1, 1]
