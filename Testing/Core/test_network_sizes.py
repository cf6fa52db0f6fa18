"""Networks that stand for other works come in two sizes, and are applied as they were trained."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch
from torch import nn
from toy_bank import quick_training, toy_bank
from vertebra_core.grading.fracture_grades import fracture_opinions
from vertebra_core.grading.fracture_networks import (
    CROP_SHAPE_ZYX,
    GRADE,
    MASK,
    WALL,
    FracNet,
    FracResNet,
    FracSegNet,
)
from vertebra_core.labelling.single_network import MASK_SHAPE_ZYX, SingleVertebraNetwork
from vertebra_core.models import load_weights_file
from vertebra_core.training import train_fracture, train_single_labelling, train_vertebraformer
from vertebra_core.training.fracture_samples import PhantomFractureSource
from vertebra_core.vertebraformer.outputs import WINDOW_ZYX
from vertebra_core.volume import CtVolume

TINY_CROP = {"crop_shape": (16, 16, 16), "crop_spacing_mm": 2.0, "folded": True}


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return toy_bank(tmp_path_factory.mktemp("bank"))


def _config(module, *arguments):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.config_from(
        parser.parse_args(["--bank", "B", "--out", "O", "--steps", "1", *arguments])
    )


@pytest.mark.parametrize("kind", [FracNet, FracSegNet, FracResNet])
def test_folded_networks_answer_on_the_grid_of_the_crop(kind):
    network = kind(widths=(8, 8), folded=True, **({"depths": (1, 1)} if kind is FracResNet else {}))
    output = network(torch.randn(2, 1, 16, 24, 16))
    assert output[GRADE].shape == (2, 4) and output[WALL].shape == (2, 3)
    if kind is not FracNet:
        assert output[MASK].shape == (2, 1, 16, 24, 16)
    sum(o.sum() for o in output.values()).backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", list(train_fracture.NETWORKS))
def test_weights_say_what_crops_they_were_trained_on(name, bank, tmp_path):
    config = train_fracture.FractureConfig(
        quick_training(tmp_path), bank, name, "focal", True, (8, 8), **TINY_CROP
    )
    train_fracture.train_fracture(config)
    network, _ = load_weights_file(tmp_path / f"{name}_focal.safetensors")
    assert (network.crop_shape, network.crop_spacing_mm) == ((16, 16, 16), 2.0)
    ct = CtVolume(np.full((40, 50, 60), 40, np.int16), (1.0,) * 3, (0.0,) * 3)
    (opinion,) = fracture_opinions(ct, [(30.0, 25.0, 20.0)], network)
    assert opinion.origin_index_zyx == (5, 10, 15)
    assert opinion.mask is None or opinion.mask.shape == (32, 32, 32)


def test_weights_from_before_the_sizes_are_the_published_network():
    network = FracNet(widths=[8, 8], dropout=0.3, walls=True)
    assert (network.crop_shape, network.crop_spacing_mm) == (CROP_SHAPE_ZYX, 1.0)
    assert not network.backbone.folded


@pytest.mark.parametrize("shape, spacing", [((15, 16, 16), 1.5), ((16, 16), 1.0), ((0, 8, 8), 1.0)])
def test_crops_off_the_working_grid_are_refused(shape, spacing):
    with pytest.raises(ValueError, match="does not fit the grid of 1 mm"):
        FracNet(widths=(8, 8), crop_shape=shape, crop_spacing_mm=spacing)


class _BrightIsBone(nn.Module):
    """Says bone where the crop is bright; crops of 24 voxels of 1.5 mm."""

    crop_shape, crop_spacing_mm = (24, 24, 24), 1.5

    def forward(self, x):
        self.seen = x.shape
        return {GRADE: torch.tensor([[9.0, 0, 0, 0]]), MASK: 20 * x}


def test_a_coarse_networks_mask_lies_where_the_bone_is():
    hu = np.full((60, 60, 60), -300, np.int16)
    hu[24:36, 20:32, 28:40] = 1000
    ct = CtVolume(hu, (1.0,) * 3, (0.0,) * 3)
    network = _BrightIsBone()
    (opinion,) = fracture_opinions(ct, [(33.5, 25.5, 29.5)], network)
    assert network.seen == (1, 1, 24, 24, 24)
    assert opinion.mask.shape == (36, 36, 36)
    found = np.argwhere(opinion.mask > 0.5) + opinion.origin_index_zyx
    assert np.abs(found.min(0) - [24, 20, 28]).max() <= 1
    assert np.abs(found.max(0) - [35, 31, 39]).max() <= 1


def test_samples_come_at_the_spacing_of_the_crop(bank):
    source = PhantomFractureSource(bank, False, (24, 24, 24), 2.0)
    fine = PhantomFractureSource(bank, False, (48, 48, 48), 1.0)
    name = source.names()[0]
    volumes = [
        float(s.draw(name, np.random.default_rng(5))["vertebra"].float().sum()) * mm**3
        for s, mm in ((source, 2.0), (fine, 1.0))
    ]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.05)


def test_a_single_mask_is_folded_twice_and_nothing_of_it_is_lost():
    network = SingleVertebraNetwork(**train_single_labelling.SMALL_NETWORK).eval()
    assert network.config()["folds"] == 2
    mask = torch.zeros(1, 1, *MASK_SHAPE_ZYX)
    before = network(mask)
    mask[0, 0, 13, 27, 54] = 1
    assert before.shape == (1, 26) and not torch.equal(before, network(mask))


def test_small_trains_by_default_and_full_is_as_published():
    fracture = _config(train_fracture, "--network", "fracnet")
    assert fracture.folded and np.prod(fracture.crop_shape) < np.prod(CROP_SHAPE_ZYX) / 3
    sides = [n * fracture.crop_spacing_mm for n in fracture.crop_shape]
    assert sides == list(CROP_SHAPE_ZYX)
    full = _config(train_fracture, "--network", "fracnet", "--size", "full")
    assert (full.crop_shape, full.crop_spacing_mm, full.folded) == (CROP_SHAPE_ZYX, 1.0, False)
    assert _config(train_single_labelling).network == train_single_labelling.SMALL_NETWORK
    assert _config(train_single_labelling, "--size", "full").network is None
    assert _config(train_vertebraformer).block_shape == train_vertebraformer.SMALL_BLOCK
    assert _config(train_vertebraformer, "--size", "full").block_shape == WINDOW_ZYX
