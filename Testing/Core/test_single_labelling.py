"""Single-vertebra labelling: masks, training, and names before and after positional logic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from toy_bank import quick_training, toy_bank
from vertebra_core.labelling.single_label import label_single_vertebrae, resized_mask
from vertebra_core.labelling.single_network import MASK_SHAPE_ZYX, SingleVertebraNetwork
from vertebra_core.levels import level_named, level_numbered
from vertebra_core.models import load_weights_file
from vertebra_core.segmentation.crops import CROP_SHIFT_ZYX_MM
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.settings import LARGE_CROP_ZYX
from vertebra_core.training.mask_samples import PhantomMaskSource
from vertebra_core.training.train_single_labelling import (
    SingleLabellingConfig,
    train_single_labelling,
)

TINY = {"widths": (4, 4, 8, 8), "depths": (1,) * 4, "width": 16, "layers": 1, "heads": 2}
ROW = ("T11", "T12", "L1", "L2", "L3")


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return toy_bank(tmp_path_factory.mktemp("bank"))


def test_samples_are_masks_of_the_level_they_name(bank):
    source = PhantomMaskSource(bank)
    rng = np.random.default_rng(0)
    samples = [source.draw(name, rng) for name in source.names() * 4]
    known = {level_numbered(n).order for n in (20, 21, 22)}
    assert {int(s["level"]) for s in samples} <= known
    for sample in samples:
        assert tuple(sample["mask"].shape) == MASK_SHAPE_ZYX
        assert 1000 < int(sample["mask"].sum()) < 60000


def test_it_trains_and_its_weights_load_with_their_temperature(bank, tmp_path):
    training = quick_training(tmp_path, steps=3, batch_size=2)
    figures = train_single_labelling(SingleLabellingConfig(training, bank, TINY))
    assert 0 <= figures["right"] <= figures["within_one"] <= 1
    network, record = load_weights_file(tmp_path / "single_labelling.safetensors")
    assert record.metadata["architecture"] == "SingleVertebraNetwork"
    assert float(network.temperature) == pytest.approx(figures["temperature"], rel=1e-3)
    assert network(torch.zeros(2, 1, *MASK_SHAPE_ZYX)).shape == (2, 26)


def test_tokens_must_be_shared_evenly_by_the_heads():
    with pytest.raises(ValueError, match="heads"):
        SingleVertebraNetwork((4, 8), (1, 1), 15, 1, 2)


def _mask(probability: np.ndarray, centre: tuple[float, float, float]) -> VertebraMask:
    """A vertebra whose array is the large crop around `centre`."""
    middle = (np.asarray(LARGE_CROP_ZYX) - 1) / 2 - CROP_SHIFT_ZYX_MM
    origin = tuple(float(c) for c in np.asarray(centre) - middle[::-1])
    return VertebraMask(centre, (0, 0, 0), origin, probability, probability)


def _cut_to_box(mask: VertebraMask) -> VertebraMask:
    """The same vertebra in the box it fills, as segmentation gives it."""
    where = np.argwhere(mask.vertebra > 0)
    low, high = where.min(0), where.max(0) + 1
    part = mask.vertebra[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    origin = tuple(float(o) for o in np.asarray(mask.origin_lps_mm) + low[::-1])
    return VertebraMask(mask.center_lps_mm, tuple(int(v) for v in low), origin, part, part)


@pytest.mark.parametrize("cut", [False, True])
def test_a_mask_keeps_its_size_and_place_when_resized(cut):
    probability = np.zeros(LARGE_CROP_ZYX, np.float16)
    probability[20:60, 28:84, 28:84] = 1
    whole = _mask(probability, (3.0, -20.0, 410.0))
    mask = resized_mask(_cut_to_box(whole) if cut else whole)
    assert tuple(mask.shape) == MASK_SHAPE_ZYX
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    where = mask.nonzero().float()
    assert where.mean(0).tolist() == pytest.approx([23.5, 47.5, 47.5], abs=0.6)
    assert float(mask.sum()) == pytest.approx(24 * 48 * 48, rel=0.1)


class SizeSays(nn.Module):
    """Takes the number of mask voxels for the level: row k holds k + 1 slices."""

    def __init__(self, levels: tuple[str, ...], sure: float) -> None:
        super().__init__()
        self._orders = [level_named(n).order for n in levels]
        self._sure = sure
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, masks):
        logits = torch.zeros(len(masks), 26)
        for i, mask in enumerate(masks):
            k = int(mask[0].any(2).any(1).sum()) // 4 - 1
            logits[i, self._orders[k]] = self._sure
        return logits


def _row(count: int) -> tuple[list[VertebraMask], np.ndarray]:
    masks, centres = [], []
    for k in range(count):
        probability = np.zeros(LARGE_CROP_ZYX, np.float16)
        slices = round((4 * (k + 1) + 1) * LARGE_CROP_ZYX[0] / MASK_SHAPE_ZYX[0])
        probability[5 : 5 + slices, 40:70, 40:70] = 1
        centre = (0.0, 0.0, 400.0 - 30.0 * k)
        masks.append(_cut_to_box(_mask(probability, centre)))
        centres.append(centre)
    return masks, np.array(centres)


def test_positional_logic_corrects_a_level_named_twice():
    masks, centres = _row(5)
    network = SizeSays(("T11", "T12", "T12", "L2", "L3"), 4.0)
    assignment, alone = label_single_vertebrae(masks, centres, network)
    assert alone == ("T11", "T12", "T12", "L2", "L3")
    assert tuple(d.level.name for d in assignment.detections) == ROW


def test_nothing_to_name_gives_nothing_and_lengths_must_agree():
    assignment, alone = label_single_vertebrae([], np.zeros((0, 3)), SizeSays(ROW, 1.0))
    assert alone == () and assignment.detections == ()
    with pytest.raises(ValueError, match="masks"):
        label_single_vertebrae([], np.zeros((2, 3)), SizeSays(ROW, 1.0))
