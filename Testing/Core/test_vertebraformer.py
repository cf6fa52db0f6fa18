"""VertebraFormer: network, modulation, imaging domains, training, whole scans, lesion flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from example_analysis import example
from torch import nn
from torch.nn import functional
from toy_bank import quick_training, toy_bank
from vertebra_core.analysis import Flag, Vertebra
from vertebra_core.analysis_json import analysis_from_dict, analysis_to_dict
from vertebra_core.errors import Cancelled
from vertebra_core.lesion_stage import LesionStage, lesion_flag, with_lesion_flags
from vertebra_core.levels import level_named, level_numbered
from vertebra_core.models import load_weights_file
from vertebra_core.networks.blocks import space_to_depth
from vertebra_core.phantom.scan_protocol import ScanProtocol
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.stages import Candidate
from vertebra_core.training.former_samples import PhantomFormerSource, is_body
from vertebra_core.training.former_targets import (
    UNKNOWN,
    center_offsets,
    coarse_levels,
    lesion_heat,
)
from vertebra_core.training.imaging_domains import (
    DOMAINS,
    domain_numbers,
    domain_of,
    draw_protocol,
)
from vertebra_core.training.train_vertebraformer import (
    FormerConfig,
    FormerTask,
    train_vertebraformer,
)
from vertebra_core.vertebraformer.apply import LesionCandidate, apply_vertebraformer
from vertebra_core.vertebraformer.instances import part_into_vertebrae
from vertebra_core.vertebraformer.modulation import CAPS, N_DETAILS, scan_texture
from vertebra_core.vertebraformer.network import VertebraFormer
from vertebra_core.vertebraformer.outputs import (
    DOMAIN,
    LESIONS,
    N_LEVELS,
    NUMBERING,
    OFFSETS,
    SEGMENTATION,
)
from vertebra_core.volume import CtVolume

TINY = {"widths": (8, 8, 8), "width": 12, "layers": 2, "heads": 2}
BLOCK = (32, 32, 32)
L1_TO_L3 = [level_named(name).order for name in ("L1", "L2", "L3")]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return toy_bank(tmp_path_factory.mktemp("bank"))


def test_every_task_has_its_grid_and_odd_sizes_are_refused():
    network = VertebraFormer(**TINY)
    output = network(torch.randn(2, 1, 16, 24, 32))
    assert output[SEGMENTATION].shape == (2, 2, 16, 24, 32)
    assert output[NUMBERING].shape == (2, N_LEVELS, 8, 12, 16)
    assert output[OFFSETS].shape == (2, 3, 8, 12, 16)
    assert output[LESIONS].shape == (2, 2, 8, 12, 16)
    assert output[DOMAIN].shape == (2, len(DOMAINS))
    assert DOMAIN not in VertebraFormer(**TINY, modulation=False)(torch.randn(1, 1, 16, 16, 16))
    with pytest.raises(ValueError, match="multiple of 8"):
        network(torch.zeros(1, 1, 20, 16, 16))


def test_modulation_changes_nothing_until_it_has_learnt_and_then_depends_on_the_scan():
    torch.manual_seed(0)
    network = VertebraFormer(**TINY).eval()
    plain = VertebraFormer(**TINY, modulation=False).eval()
    shared = {k: v for k, v in network.state_dict().items() if not k.startswith("modulation")}
    plain.load_state_dict(shared)
    x = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        assert torch.allclose(network(x)[NUMBERING], plain(x)[NUMBERING], atol=1e-5)
        nn.init.normal_(network.modulation.codes)
        assert not torch.allclose(network(x)[NUMBERING], plain(x)[NUMBERING], atol=1e-3)
        features = torch.randn(1, 8, 8, 8, 8)
        one, _ = network.modulation(features)
        other, _ = network.modulation(5 * features + 2)
    assert one.shape == (2, 2, 1, 1, 12)
    assert not torch.allclose(one, other, atol=1e-3)


def texture_of(block: torch.Tensor) -> torch.Tensor:
    """Texture of a block [z, y, x], a row per cap, a column per detail (x, y, yx, z, ...)."""
    return scan_texture(space_to_depth(block[None, None])).view(len(CAPS), N_DETAILS)


def test_texture_tells_noise_sharpness_and_slice_thickness_and_no_brightness():
    noise = 0.05 * torch.randn(24, 24, 24, generator=torch.Generator().manual_seed(1))
    along_x, along_y, along_z = 0, 1, 3
    plain = texture_of(noise)
    assert torch.allclose(texture_of(noise + 0.7), plain, atol=1e-3)
    assert (texture_of(3 * noise) > plain).all()
    smooth = functional.avg_pool3d(noise[None], 3, 1, 1)[0]
    assert (texture_of(smooth)[:, [along_x, along_y, along_z]] < plain[:, [0, 1, 3]]).all()
    thick = noise[::4].repeat_interleave(4, 0)
    assert (texture_of(thick)[:, along_z] < texture_of(thick)[:, along_y] - 1).all()
    assert torch.allclose(texture_of(thick)[:, along_x], texture_of(thick)[:, along_y], atol=0.2)
    # An edge of bone adds under the highest cap only what it adds.
    edge = noise.clone()
    edge[:, :, 13:] += 3.0
    more = texture_of(edge) - plain
    assert more[2, along_x] > 2 * more[0, along_x] > 0 and more[:, along_z].abs().max() < 1e-3


def test_domains_are_kernel_and_slice_thickness():
    protocol = ScanProtocol(sharpening=0.0, slice_mm=1.0)
    assert DOMAINS[domain_of(protocol)] == "smooth-thin"
    assert DOMAINS[domain_of(ScanProtocol(sharpening=0.2, slice_mm=2.0))] == "standard-medium"
    assert DOMAINS[domain_of(ScanProtocol(sharpening=0.8, slice_mm=5.0))] == "sharp-thick"
    assert {DOMAINS[i] for i in domain_numbers(["sharp"])} == {
        "sharp-thin",
        "sharp-medium",
        "sharp-thick",
    }
    assert domain_numbers(["smooth-thin", "thick"]) == {0, 2, 5, 8}
    with pytest.raises(ValueError, match="blurred"):
        domain_numbers(["blurred"])
    rng = np.random.default_rng(0)
    drawn = {domain_of(draw_protocol(rng, domain_numbers(["sharp"]))) for _ in range(20)}
    assert drawn <= {6, 7, 8} and len(drawn) > 1


def test_samples_hold_levels_bodies_and_lesions_in_the_right_place(bank):
    source = PhantomFormerSource(bank, shape_zyx=(48, 48, 48), domains=domain_numbers(["thin"]))
    rng = np.random.default_rng(1)
    lesions = centers = 0
    for _ in range(6):
        sample = source.draw(source.names()[0], rng)
        assert DOMAINS[int(sample["domain"])].endswith("thin")
        numbers = set((sample["codes"] & 0x7F).unique().tolist())
        assert numbers <= {0, 20, 21, 22}
        for order, center in enumerate(sample["centers"].tolist()):
            assert np.isfinite(center).all() == (order in L1_TO_L3)
            near = [
                slice(max(0, round(c) - 2), max(0, round(c) + 3)) for c in np.nan_to_num(center)
            ]
            own = sample["codes"][tuple(near)]
            if np.isfinite(center).all() and own.shape == (5, 5, 5) and bool((own > 0).all()):
                middle = int(own[2, 2, 2]) & 0x7F
                assert level_numbered(middle).order == order
                centers += 1
        for z, y, x, kind in sample["lesions"].tolist():
            index = [round(v) if np.isfinite(v) else -1 for v in (z, y, x)]
            if min(index) < 0 or max(index) >= 48:
                continue
            lesions += 1
            assert kind in (0, 1)
            assert bool(is_body(sample["codes"])[tuple(index)])
    assert lesions > 1 and centers > 1


def test_targets_of_the_coarse_grid():
    codes = torch.zeros(8, 8, 8, dtype=torch.uint8)
    codes[2:6, 2:6, 2:6] = 20 | 0x80
    levels = coarse_levels(codes)
    assert levels.shape == (4, 4, 4)
    assert (levels[1:3, 1:3, 1:3] == level_named("L1").order).all()
    assert int((levels >= 0).sum()) == 8
    rows = torch.tensor([[8.5, 8.5, 8.5, 1.0], [float("nan")] * 4])
    visible = torch.ones(20, 20, 20, dtype=torch.bool)
    heat = lesion_heat(rows, visible)
    assert heat.shape == (2, 10, 10, 10)
    assert heat[0].max() == 0 and heat[1].max() == pytest.approx(1.0, abs=1e-3)
    assert tuple((heat[1] == heat[1].max()).nonzero()[0].tolist()) == (4, 4, 4)
    visible[:10] = False
    assert not lesion_heat(rows, visible)[:, :5].any() and lesion_heat(rows, visible)[1, 5].any()


def test_offsets_lead_to_the_centre_of_the_own_vertebra():
    levels = torch.full((6, 6, 6), UNKNOWN)
    levels[1, 2, 3], levels[4, 4, 4], levels[5, 5, 5] = 19, 20, 21
    centers = torch.full((26, 3), float("nan"))
    centers[19], centers[20] = torch.tensor([2.5, 8.5, 3.5]), torch.tensor([8.5, 8.5, 8.5])
    offset, known = center_offsets(levels, centers)
    # Coarse voxels are 4 mm wide; the one at 1, 2, 3 has its middle at 2.5, 4.5, 6.5 fine ones.
    assert offset[:, 1, 2, 3].tolist() == [0.0, 8.0, -6.0]
    assert offset[:, 4, 4, 4].tolist() == [0.0, 0.0, 0.0]
    assert known.nonzero().tolist() == [[1, 2, 3], [4, 4, 4]]
    assert not offset[:, 5, 5, 5].any()


def test_touching_bodies_are_parted_by_their_votes_and_echoes_are_dropped():
    masks = torch.full((2, 40, 24, 24), -9.0)
    masks[:, 4:36, 6:18, 6:18] = 9.0
    z, y, x = torch.meshgrid(*(torch.arange(n) + 0.0 for n in (20, 12, 12)), indexing="ij")
    target = torch.where(z < 10, 5.5, 13.5)
    offsets = 4.0 * torch.stack([target - z, 5.5 - y, 5.5 - x])
    levels = torch.zeros(N_LEVELS, 20, 12, 12)
    levels[19, :10], levels[20, 10:] = 4.0, 4.0
    levels[7, 3, 5, 5] = 9.0  # A single voxel that says something else is outvoted.
    # A few voxels vote for a third centre, far from the others.
    offsets[2, 9:11, 5:7, 3] = 4.0 * 14
    found = part_into_vertebrae(masks, levels, offsets)
    order = np.argsort(found.centers[:, 0])
    assert np.allclose(found.centers[order], [[11.5, 11.5, 11.5], [27.5, 11.5, 11.5]], atol=0.3)
    assert found.evidence.argmax(1)[order].tolist() == [19, 20]
    assert (found.owner[4:18, 6:18, 8:18] == order[0]).all()
    assert (found.owner[22:36, 6:18, 8:18] == order[1]).all()
    assert (found.owner[:4] == -1).all()


@pytest.mark.parametrize("modulation", [True, False])
def test_it_trains_with_and_without_modulation_and_its_weights_load(modulation, bank, tmp_path):
    config = FormerConfig(
        quick_training(tmp_path),
        bank,
        modulation,
        domains=("smooth", "standard"),
        validation_domains=("sharp",),
        network=TINY,
        block_shape=BLOCK,
    )
    figures = train_vertebraformer(config)
    assert "false_heat" in figures
    assert ("domain_right" in figures) == modulation
    name = "vertebraformer" if modulation else "vertebraformer_plain"
    network, record = load_weights_file(tmp_path / f"{name}.safetensors")
    assert record.metadata["architecture"] == "VertebraFormer"
    assert (network.modulation is not None) == modulation
    assert network.window == BLOCK


class BrightSays(nn.Module):
    """Intensity names what is there: 1 bone of L1, 2 body of L1, 3 body of L2, 4 a lytic lesion.

    Centres are the middles of the bodies in its window, which must show them whole.
    """

    size_multiple = 8

    def __init__(self, window=(64, 40, 32)):
        super().__init__()
        self.window = window

    def forward(self, x):
        x = x / 0.7
        value = x[:, 0].round()
        masks = torch.stack([value >= 1, value >= 2], 1).float() * 20 - 10
        small = nn.functional.max_pool3d(x, 2)[:, 0].round()
        levels = torch.full((len(x), N_LEVELS, *small.shape[1:]), -5.0)
        offsets = torch.zeros(len(x), 3, *small.shape[1:])
        places = torch.stack(
            torch.meshgrid(*(torch.arange(n) for n in small.shape[1:]), indexing="ij")
        )
        for name, here, body in (
            ("L1", (small >= 1) & (small < 3), value[0] == 2),
            ("L2", small >= 3, value[0] >= 3),
        ):
            levels[:, level_named(name).order][here] = 5.0
            if bool(body.any()):
                middle = (body.nonzero().float().mean(0) - 0.5) / 2
                to_middle = (middle[:, None, None, None] - places) * 4.0
                offsets[0, :, here[0]] = to_middle[:, here[0]]
        heat = torch.stack([small == 4, small == 9], 1).float() * 12 - 6
        return {SEGMENTATION: masks, NUMBERING: levels, OFFSETS: offsets, LESIONS: heat}


def _ct() -> CtVolume:
    value = np.full((60, 50, 44), -1.0, np.float32)
    value[34:46, 10:26, 12:30] = 2
    value[38:42, 26:44, 19:23] = 1
    value[12:24, 10:26, 12:30] = 3
    value[16:20, 14:18, 18:22] = 4
    return CtVolume(value * 280 + 150, (2.0, 2.0, 2.0), (-10.0, 5.0, 100.0))


def test_vertebrae_levels_and_lesions_are_read_off_a_scan():
    ct = _ct()
    done: list[float] = []
    found = apply_vertebraformer(ct, BrightSays(), done.append)
    assert done[-1] == 1.0
    expected = ct.index_to_lps(np.array([[39.5, 17.5, 20.5], [17.5, 17.5, 20.5]]))
    assert np.abs(found.centres_lps_mm - expected).max() < 0.6
    orders = found.level_log_probabilities.argmax(1).tolist()
    assert orders == [level_named("L1").order, level_named("L2").order]
    assert (found.owner[38:42, 26:44, 19:23] == 0).all()
    assert (found.owner[12:24, 10:26, 12:30] == 1).all()
    assert found.owner[0, 0, 0] == -1 and not found.body[39, 35, 20]
    (lesion,) = found.lesions
    assert lesion.kind == "lytic" and lesion.confidence > 0.9
    place = ct.index_to_lps(np.array([17.5, 15.5, 19.5]))
    assert np.abs(np.array(lesion.position_lps_mm) - place).max() < 2.0


@pytest.mark.parametrize("fast", [False, True])
def test_it_computes_in_bfloat16_only_where_that_is_fast(fast, monkeypatch):
    used = set()

    class Records(BrightSays):
        def forward(self, x):
            used.add(torch.is_autocast_enabled("cpu"))
            return super().forward(x)

    monkeypatch.setattr("vertebra_core.vertebraformer.apply.bfloat16_is_fast", lambda device: fast)
    apply_vertebraformer(_ct(), Records())
    assert used == {fast}


def test_a_scan_without_bone_shows_nothing():
    empty = CtVolume(np.full((20, 20, 20), -900.0, np.float32), (2.0,) * 3, (0.0,) * 3)
    found = apply_vertebraformer(empty, BrightSays((16, 16, 16)))
    assert not len(found.centres_lps_mm) and found.lesions == ()
    assert (found.owner == -1).all()


def _mask(center) -> VertebraMask:
    probability = np.zeros((20, 20, 20), np.float16)
    probability[4:16, 4:16, 4:16] = 1
    origin = tuple(c - 9.5 for c in center)
    return VertebraMask(center, (0, 0, 0), origin, probability, probability)


def test_lesions_are_flagged_on_the_vertebra_they_lie_in():
    centers = ((0.0, 0.0, 60.0), (0.0, 0.0, 30.0))
    vertebrae = [Vertebra(n, 0.9, None, c) for n, c in zip(("L1", "L2"), centers, strict=True)]
    lesions = [
        LesionCandidate("lytic", (1.0, 2.0, 34.0), 0.81),
        LesionCandidate("sclerotic", (0.0, 7.5, 64.0), 0.5),
        LesionCandidate("sclerotic", (200.0, 0.0, 60.0), 0.9),
        LesionCandidate("lytic", (0.0, 14.0, 60.0), 0.9),
        LesionCandidate("lytic", (0.0, 0.0, 30.0), 0.45),
    ]
    flagged = with_lesion_flags(vertebrae, [_mask(c) for c in centers], lesions)
    (first,), (second,) = flagged[0].flags, flagged[1].flags
    assert second.code == "lesion_candidate"
    assert second.position_lps_mm == (1.0, 2.0, 34.0) and second.confidence == 0.81
    assert "lytic" in second.reason and "0.81" in second.reason and "34.0" in second.reason
    assert "sclerotic" in first.reason


def test_the_stage_flags_lesions_on_what_is_graded_tells_how_far_it_is_and_can_be_stopped():
    ct = _ct()
    fine = CtVolume(ct.hu.repeat(2, 0).repeat(2, 1).repeat(2, 2), (1.0,) * 3, (-10.5, 4.5, 99.5))
    center = tuple(float(v) for v in ct.index_to_lps(np.array([17.5, 15.5, 19.5])))
    graded = Vertebra("L2", 0.9, None, center, grade=1, flags=(Flag("borderline", "So."),))
    stage, done = LesionStage(BrightSays()), []
    given = fine, [Candidate(_mask(center), center, False, False)], [graded]
    (result,) = stage(*given, done.append, lambda: False)
    assert len(done) > 1 and done[-1] == 1.0
    with pytest.raises(Cancelled):
        stage(*given, done.append, lambda: True)
    assert result.grade == 1
    assert [f.code for f in result.flags][:1] == ["borderline"]
    assert [f.code for f in result.flags][1:] == ["lesion_candidate"]


def test_position_and_confidence_survive_the_file_and_other_flags_gain_no_keys():
    lesion = lesion_flag(LesionCandidate("lytic", (1.0, 2.0, 3.0), 0.75))
    other = Flag("metal", "Metal lies in the body.")
    analysis = example()[3]
    vertebra = replace(analysis.vertebrae[0], flags=(lesion, other))
    analysis = replace(analysis, vertebrae=(vertebra, *analysis.vertebrae[1:]))
    content = analysis_to_dict(analysis)
    assert set(content["vertebrae"][0]["flags"][1]) == {"code", "reason"}
    assert analysis_from_dict(content).vertebrae[0].flags == (lesion, other)


@pytest.mark.slow
def test_it_learns_a_block_by_heart(bank):
    torch.manual_seed(0)
    config = FormerConfig(quick_training(None), bank, network=TINY, block_shape=BLOCK)
    task = FormerTask(config)
    source = task.source(validation=False)
    rng = np.random.default_rng(5)
    sample = max(
        (source.draw(source.names()[0], rng) for _ in range(6)),
        key=lambda s: int((s["codes"] > 0).sum()),
    )
    inputs, targets = task.prepare([sample], None)
    network = task.build_network()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss, _ = task.loss(network(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        figures = task.measure(network(inputs), targets)
    assert losses[-1] < 0.5 * losses[0]
    assert figures["dice_vertebra"] > 0.7
    assert figures["voxels_named"] > 0.6
    assert figures["vote_error_mm"] < 8.0
