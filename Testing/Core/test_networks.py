"""The network family: folding, shapes, rebuilding, precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vertebra_core.networks.allocator import keep_freed_memory
from vertebra_core.networks.blocks import AttentionGate, depth_to_space, space_to_depth
from vertebra_core.networks.normalisation import AIR, normalise_hu, normalise_hu_array
from vertebra_core.networks.subpixel_unet import SubpixelUNet


def small(**changes) -> SubpixelUNet:
    torch.manual_seed(0)
    return SubpixelUNet(**({"in_channels": 2, "out_channels": 3, "widths": (8, 16)} | changes))


def test_unfolding_undoes_folding_and_puts_sub_voxels_where_they_were():
    x = torch.arange(2 * 3 * 4 * 6 * 8, dtype=torch.float32).reshape(2, 3, 4, 6, 8)
    folded = space_to_depth(x)
    assert folded.shape == (2, 24, 2, 3, 4)
    assert torch.equal(depth_to_space(folded), x)
    # Sub-voxel (1, 0, 1) of channel 2 is folded channel 2*8 + 0b101.
    assert torch.equal(folded[:, 2 * 8 + 5], x[:, 2, 1::2, 0::2, 1::2])


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("finest_convolutions", [1, 2])
def test_output_has_the_grid_of_the_input(attention, finest_convolutions):
    network = small(attention=attention, finest_convolutions=finest_convolutions)
    assert network(torch.zeros(1, 2, 8, 12, 16)).shape == (1, 3, 8, 12, 16)


def test_grid_that_does_not_fold_is_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        small()(torch.zeros(1, 2, 8, 10, 16))


def test_sizes_that_make_no_network_are_refused():
    with pytest.raises(ValueError, match="positive"):
        SubpixelUNet(widths=(8, 0))


def test_network_rebuilt_from_its_config_gives_the_same_output():
    network = small(attention=True).eval()
    again = SubpixelUNet(**network.config())
    again.load_state_dict(network.state_dict())
    x = torch.randn(1, 2, 8, 8, 8)
    assert torch.equal(network(x), again.eval()(x))


def test_every_weight_takes_part():
    network = small(attention=True)
    network(torch.randn(1, 2, 16, 16, 16)).square().mean().backward()
    unused = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert unused == []


def test_bfloat16_agrees_with_float32():
    network = small(attention=True).eval()
    x = torch.randn(1, 2, 16, 16, 16)
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(x).float()
    assert (rounded - exact).abs().max() < 0.1 * exact.abs().max()


def test_start_probabilities_are_met_on_average():
    network = small().eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.start_at((0.01, 0.5, 0.2))
        output = torch.sigmoid(network(torch.randn(1, 2, 8, 8, 8)))
    for channel, p in enumerate((0.01, 0.5, 0.2)):
        assert torch.allclose(output[:, channel], torch.tensor(p), atol=1e-5)


def test_single_sub_voxel_can_change_a_single_output():
    """Output voxels are not tied in blocks of eight: the last layers see every sub-voxel."""
    network = small(in_channels=1, out_channels=1).eval()
    x = torch.zeros(1, 1, 8, 8, 8)
    y = x.clone()
    y[0, 0, 4, 4, 5] = 3.0
    with torch.no_grad():
        block = (network(y) - network(x))[0, 0, 4:6, 4:6, 4:6].flatten()
    assert block.std() > 1e-3


def test_attention_gate_scales_the_skip_between_nothing_and_all():
    gate = AttentionGate(4, 8)
    skip, coarse = torch.ones(1, 4, 4, 4, 4), torch.randn(1, 8, 2, 2, 2)
    with torch.no_grad():
        weighted = gate(skip, coarse)
    assert float(weighted.min()) > 0 and float(weighted.max()) <= 1
    # All channels of a voxel share one weight.
    assert torch.allclose(weighted[:, :1].expand_as(weighted), weighted)


def test_normalisation_clips_and_agrees_between_libraries():
    hu = np.array([-2000, -300, 150, 550, 4000], np.float32)
    expected = np.array([AIR, AIR, 0, 1, 2.875], np.float32)
    assert np.allclose(normalise_hu_array(hu), expected)
    assert np.allclose(normalise_hu(torch.from_numpy(hu)).numpy(), expected)


def test_allocator_only_acts_where_it_knows_the_library(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    assert keep_freed_memory() is False
