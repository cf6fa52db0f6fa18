"""The grade head states grades and a height loss, and learns the loss from fractured bodies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_bank import toy_bank
from vertebra_core.grading.learned import grade_probabilities
from vertebra_core.grading.network import GRADES, HEIGHT_LOSS, N_OUTPUTS, stated_height_loss
from vertebra_core.phantom.scene import load_scene
from vertebra_core.training.grading_samples import UNKNOWN, PhantomGradingSource
from vertebra_core.training.train_grading import height_loss_error


def outputs(grades: tuple[float, ...], mean: float, log_sd: float) -> torch.Tensor:
    """One row of a head's output, its loss as the network states it."""
    output = torch.zeros(1, N_OUTPUTS)
    output[0, GRADES] = torch.tensor(grades)
    output[0, HEIGHT_LOSS] = torch.tensor([mean, log_sd])
    return output


def test_a_sure_loss_decides_among_fractures_and_not_whether_there_is_one():
    undecided = (0.0, 0.0, 0.0, 0.0)
    for mean, grade in ((-0.8, 1), (0.2, 2), (2.0, 3)):
        output = outputs(undecided, mean, -2.5)
        loss, sd = stated_height_loss(output)
        assert float(loss) == pytest.approx(0.3 + 0.1 * mean) and float(sd) < 0.005
        stated = grade_probabilities(output)[0]
        assert float(stated[0]) == pytest.approx(0.25)
        assert int(stated[1:].argmax()) + 1 == grade and float(stated[grade]) > 0.7


def test_a_vague_loss_leaves_the_grades_as_they_were_told():
    told = (0.5, 3.0, 0.0, -3.0)
    stated = grade_probabilities(outputs(told, 0.0, 1.8))[0]
    assert int(stated.argmax()) == 1
    assert float(stated.sum()) == pytest.approx(1.0) and (stated > 0).all()


def test_the_loss_is_learnt_from_fractured_bodies_whose_loss_is_known():
    output = torch.zeros(4, N_OUTPUTS, requires_grad=True)
    true, grades = torch.tensor([0.4, 0.0, float("nan"), 0.2]), torch.tensor([3, 0, 0, 1])
    height_loss_error(output, true, grades).backward()
    moved = output.grad[:, HEIGHT_LOSS].abs().sum(1) > 0
    assert moved.tolist() == [True, False, False, True]
    assert torch.isfinite(output.grad).all()
    # The stated mean, 0.3, is pulled up towards 0.4 and down towards 0.2.
    assert output.grad[0, HEIGHT_LOSS][0] < 0 < output.grad[3, HEIGHT_LOSS][0]
    none = height_loss_error(output, torch.full((4,), float("nan")), torch.full((4,), UNKNOWN))
    assert none.item() == 0.0


@pytest.mark.parametrize(("grade", "low", "high"), [(1, 0.0, 0.25), (2, 0.25, 0.4), (3, 0.4, 1.0)])
def test_a_reader_s_grade_tells_between_which_losses_the_loss_lies(grade, low, high):
    output = torch.zeros(1, N_OUTPUTS, requires_grad=True)
    optimizer = torch.optim.Adam([output], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        unknown, told = torch.tensor([float("nan")]), torch.tensor([grade])
        height_loss_error(output, unknown, told).backward()
        optimizer.step()
    loss, _ = stated_height_loss(output.detach())
    assert low < loss.item() < high
    assert int(grade_probabilities(output.detach())[0, 1:].argmax()) + 1 == grade


def test_a_better_loss_costs_less_and_false_certainty_more():
    true = torch.tensor([0.3])
    close, far = (outputs((0.0,) * 4, mean, -1.0) for mean in (0.1, 1.0))
    grade = torch.tensor([2])
    assert height_loss_error(close, true, grade) < height_loss_error(far, true, grade)
    vague = outputs((0.0,) * 4, 1.0, 0.5)
    assert height_loss_error(vague, true, grade) < height_loss_error(far, true, grade)


def test_samples_carry_the_true_height_loss(tmp_path):
    bank = toy_bank(tmp_path)
    scene = load_scene(sorted(bank.glob("*.npy"))[0])
    losses = {np.float32(v.height_loss) for v in scene.vertebrae}
    assert 0.0 in losses and max(losses) > 0.2
    source = PhantomGradingSource(bank)
    rng = np.random.default_rng(0)
    drawn = [source.draw(source.names()[0], rng) for _ in range(8)]
    assert {float(s["height_loss"]) > 0.2 for s in drawn} == {True, False}
    for sample in drawn:
        assert (float(sample["height_loss"]) >= 0.2) == (int(sample["grade"]) > 0)


def test_the_height_loss_of_a_phantom_is_its_largest(tmp_path):
    vertebra = load_scene(sorted(toy_bank(tmp_path).glob("*.npy"))[0]).vertebrae[0]
    sunk = replace(
        vertebra,
        height_anterior_mm=14.0,
        height_middle_mm=15.0,
        height_posterior_mm=19.0,
        intact_heights_mm=(20.0, 18.0, 20.0),
    )
    assert sunk.height_loss == pytest.approx(0.3)
