"""FracNet, FracSegNet, FracResNet: losses, samples, training, saved weights, inference."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_bank import BANK_SEEDS, quick_training, toy_bank
from vertebra_core.analysis import Flag, Vertebra
from vertebra_core.fracture_stage import with_opinion
from vertebra_core.grading.fracture_grades import FractureOpinion, fracture_opinions
from vertebra_core.grading.fracture_networks import GRADE, MASK, WALL, WALLS
from vertebra_core.models import load_weights_file
from vertebra_core.phantom.fracture_truth import broken_walls
from vertebra_core.phantom.scene import load_scene
from vertebra_core.training.class_losses import (
    CLASS_LOSSES,
    class_loss,
    inverse_frequency_weights,
    known_binary_cross_entropy,
    two_class_dice,
    unified_focal,
    unified_focal_mask,
)
from vertebra_core.training.fracture_samples import PhantomFractureSource
from vertebra_core.training.train_fracture import (
    NETWORKS,
    FractureConfig,
    FractureTask,
    train_fracture,
)
from vertebra_core.volume import CtVolume

CROP = (32, 32, 32)
SMALL = (16, 24, 24)
WIDTHS = (4, 8, 8)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return toy_bank(tmp_path_factory.mktemp("bank"))


@pytest.mark.parametrize("name", CLASS_LOSSES)
def test_right_and_sure_costs_less_than_wrong_and_sure(name):
    classes = torch.tensor([0, 1, 2, 3])
    sure = 8.0 * torch.nn.functional.one_hot(classes, 4).float()
    weights = inverse_frequency_weights(torch.tensor([60.0, 20.0, 15.0, 5.0]))
    right = class_loss(name, sure, classes, weights)
    wrong = class_loss(name, sure, classes.flip(0), weights)
    assert float(right) < 0.1 < float(wrong)


@pytest.mark.parametrize("name", ["focal", "weighted_cross_entropy"])
def test_a_mistake_on_a_rare_grade_costs_more(name):
    weights = inverse_frequency_weights(torch.tensor([90.0, 5.0, 4.0, 1.0]))
    logits = torch.zeros(2, 4)
    common = class_loss(name, logits[:1], torch.tensor([0]), weights)
    rare = class_loss(name, logits[:1], torch.tensor([3]), weights)
    if name == "weighted_cross_entropy":  # its mean is over weights: one sample alone cannot tell
        pair = class_loss(name, torch.tensor([[3.0, 0, 0, 0]] * 2), torch.tensor([0, 3]), weights)
        assert float(pair) > 2.0
    else:
        assert float(rare) > 20 * float(common)


def test_unknown_loss_is_told():
    with pytest.raises(ValueError, match="no loss 'hinge'"):
        class_loss("hinge", torch.zeros(1, 4), torch.tensor([0]), torch.ones(4))


def test_unified_focal_has_finite_gradients_even_where_all_is_right():
    p = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    loss = unified_focal(p, torch.eye(2))
    loss.backward()
    assert float(loss.detach()) < 0.01
    assert torch.isfinite(p.grad).all()


def test_mask_losses_fall_with_overlap():
    truth = torch.zeros(1, 1, 8, 8, 8)
    truth[..., 2:6, 2:6, 2:6] = 1
    good, bad = 10 * (2 * truth - 1), 10 * (1 - 2 * truth)
    for loss in (two_class_dice, unified_focal_mask):
        assert float(loss(good, truth)) < float(loss(torch.zeros_like(truth), truth))
        assert float(loss(torch.zeros_like(truth), truth)) < float(loss(bad, truth))
    assert float(two_class_dice(good, truth)) == pytest.approx(0, abs=0.01)


def test_what_is_unknown_costs_nothing():
    logits = torch.tensor([[3.0, -3.0]], requires_grad=True)
    nothing = known_binary_cross_entropy(logits, torch.full((1, 2), math.nan))
    assert float(nothing.detach()) == 0
    half = known_binary_cross_entropy(logits, torch.tensor([[math.nan, 1.0]]))
    half.backward()
    assert logits.grad[0, 0] == 0 and logits.grad[0, 1] < 0


def test_walls_count_as_broken_from_what_their_endplates_lost(bank):
    sound = load_scene(bank / f"scene_{BANK_SEEDS[0]:08d}.npy").vertebrae[0]
    body = replace(
        sound,
        grade=2,
        shape="wedge",
        intact_heights_mm=(20.0, 20.0, 20.0),
        height_anterior_mm=14.0,
        height_posterior_mm=17.0,
        endplate_losses=(0.25, 0.05),
    )
    assert broken_walls(body) == (1.0, 0.0, 1.0)
    assert broken_walls(replace(body, endplate_losses=(0.0, 0.3))) == (0.0, 1.0, 1.0)
    assert broken_walls(replace(body, height_posterior_mm=19.0))[2] == 0.0
    assert broken_walls(replace(body, grade=0)) == (0.0, 0.0, 0.0)


def test_walls_of_scenes_that_do_not_state_them_are_unknown(bank):
    path = bank / f"scene_{BANK_SEEDS[0]:08d}.npy"
    older = replace(load_scene(path).vertebrae[0], grade=2, endplate_losses=(math.nan, math.nan))
    superior, inferior, _ = broken_walls(older)
    assert math.isnan(superior) and math.isnan(inferior)


def test_samples_hold_the_vertebra_and_its_grade(bank):
    source = PhantomFractureSource(bank, shape_zyx=(48, 48, 48))
    rng = np.random.default_rng(3)
    samples = [source.draw(name, rng) for name in source.names() * 2]
    assert {int(s["grade"]) for s in samples} <= {0, 2}
    for sample in samples:
        inside = sample["vertebra"] > 200
        assert inside.sum() > 3000
        assert inside[20:28, 20:28, 20:28].float().mean() > 0.7
    shares = source.grade_frequencies()
    assert shares.sum() == pytest.approx(1)
    assert shares[2] > 0 and shares[1] == 0


@pytest.mark.parametrize("loss", CLASS_LOSSES)
@pytest.mark.parametrize("network", list(NETWORKS))
def test_every_network_trains_with_every_loss_and_its_weights_load(network, loss, bank, tmp_path):
    config = FractureConfig(
        quick_training(tmp_path, batch_size=2), bank, network, loss, True, WIDTHS, CROP
    )
    figures = train_fracture(config)
    assert 0 <= figures["exact"] <= 1
    loaded, record = load_weights_file(tmp_path / f"{network}_{loss}.safetensors")
    assert record.metadata["architecture"].lower() == network
    with torch.no_grad():
        output = loaded(torch.zeros(1, 1, *CROP))
    assert output[GRADE].shape == (1, 4) and output[WALL].shape == (1, 3)
    assert (MASK in output) == (network != "fracnet")
    if MASK in output:
        assert output[MASK].shape == (1, 1, *CROP)


def test_walls_can_be_left_out(bank, tmp_path):
    training = quick_training(tmp_path)
    config = FractureConfig(training, bank, "fracnet", "focal", False, WIDTHS, CROP)
    figures = train_fracture(config)
    assert "walls_right" not in figures
    loaded, _ = load_weights_file(tmp_path / "fracnet_focal.safetensors")
    assert set(loaded(torch.zeros(1, 1, *CROP))) == {GRADE}


def test_a_trained_network_judges_the_vertebrae_of_a_ct(bank, tmp_path):
    config = FractureConfig(
        quick_training(tmp_path), bank, "fracresnet", "focal", True, WIDTHS, CROP
    )
    train_fracture(config)
    network, _ = load_weights_file(tmp_path / "fracresnet_focal.safetensors")
    ct = CtVolume(np.full((40, 50, 60), 40, np.int16), (1.0, 1.0, 1.0), (10.0, 20.0, 30.0))
    inside, corner = (40.0, 45.0, 50.0), (10.0, 20.0, 30.0)
    opinions = fracture_opinions(ct, [inside, corner], network)
    assert sum(opinions[0].grade_probabilities) == pytest.approx(1, abs=1e-4)
    assert opinions[0].grade == int(np.argmax(opinions[0].grade_probabilities))
    assert set(opinions[0].wall_probabilities) == set(WALLS)
    assert opinions[0].mask.shape == CROP
    assert opinions[0].origin_index_zyx == (5, 10, 15)
    assert opinions[1].origin_index_zyx == (-15, -15, -15)


def test_the_networks_grade_replaces_that_of_morphometry():
    measured = Vertebra("L1", 0.9, None, (0, 0, 0), grade=2, shape="wedge", morphometric_grade=2)
    sound = with_opinion(measured, FractureOpinion((0.9, 0.1, 0, 0), {}, None, (0, 0, 0)))
    assert (sound.grade, sound.shape, sound.morphometric_grade) == (0, "normal", 2)
    severe = with_opinion(measured, FractureOpinion((0, 0.1, 0, 0.9), {}, None, (0, 0, 0)))
    assert (severe.grade, severe.shape, severe.learned_grade) == (3, "wedge", 3)
    unshaped = with_opinion(
        replace(measured, grade=0, shape="normal"),
        FractureOpinion((0, 1, 0, 0), {}, None, (0, 0, 0)),
    )
    assert (unshaped.grade, unshaped.shape) == (1, None)


def test_flags_concern_the_networks_grade_where_it_is_the_one_stated():
    of_heights = (Flag("borderline", "Near."), Flag("grade_disagreement", "Split."))
    measured = Vertebra("L1", 0.9, None, (0, 0, 0), grade=0, shape="normal", morphometric_grade=0)
    measured = replace(measured, borderline=True, flags=(*of_heights, Flag("metal", "Screws.")))
    same = with_opinion(measured, FractureOpinion((0.9, 0.1, 0, 0), {}, None, (0, 0, 0)))
    assert [f.code for f in same.flags] == ["metal"] and same.borderline is False
    other = with_opinion(measured, FractureOpinion((0, 0.1, 0.9, 0), {}, None, (0, 0, 0)))
    assert other.flags[1:] == (
        Flag("grade_disagreement", "Heights say grade 0, the fracture network 2."),
    )
    assert other.borderline is False


@pytest.mark.parametrize("loss", CLASS_LOSSES)
def test_two_crops_are_learnt_by_heart(loss, bank):
    torch.manual_seed(0)
    config = FractureConfig(quick_training(None), bank, "fracsegnet", loss, True, (8, 8), SMALL)
    task = FractureTask(config)
    source = task.source(validation=False)
    rng = np.random.default_rng(2)
    drawn = [source.draw(source.names()[0], rng) for _ in range(12)]
    chosen = [next(s for s in drawn if int(s["grade"]) == g) for g in (0, 2)]
    inputs, targets = task.prepare(chosen, None)
    network = task.build_network().eval()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(80):
        total, _ = task.loss(network(inputs), targets)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    with torch.no_grad():
        figures = task.measure(network(inputs), targets)
    assert figures["exact"] == 1.0
    assert figures["dice"] > 0.7
