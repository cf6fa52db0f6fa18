"""The labelling network: shapes, padding, normalisation, learning, and naming a CT with it."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_phantom import toy_scene
from vertebra_core.labelling.crops import (
    CROP_SHAPE_ZYX,
    CROP_SPACING_MM,
    VertebraSequence,
    crop_origin,
    cut_crop,
    stack_sequences,
)
from vertebra_core.labelling.label import (
    IMAGE_TEMPERATURE,
    label_vertebrae,
    level_log_probabilities,
    row_log_probabilities,
    row_temperature,
)
from vertebra_core.labelling.network import (
    N_CLASSES,
    NO_VERTEBRA,
    SACRUM,
    SEQUENCE_HEAD,
    LabellingNetwork,
    place_features,
)
from vertebra_core.levels import level_named
from vertebra_core.models import save_weights
from vertebra_core.networks.normalisation import AIR
from vertebra_core.phantom.scene import save_scene
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.training.labelling_samples import (
    PhantomLabellingSource,
    field_of_view,
    unpack_hu,
)
from vertebra_core.training.task import TrainingConfig
from vertebra_core.training.temperature import fit_temperature
from vertebra_core.training.train_labelling import (
    LabellingConfig,
    LabellingTask,
    soft_targets,
    train_labelling,
)
from vertebra_core.volume import CtVolume

TINY = {"widths": (8, 8, 16), "width": 32, "layers": 1, "heads": 2, "dropout": 0.0}


def a_network(**changes):
    torch.manual_seed(1)
    return LabellingNetwork(**{**TINY, **changes}).eval()


def a_row(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    crops = torch.randn((n, 2, *CROP_SHAPE_ZYX), generator=generator)
    positions = torch.zeros(n, 3)
    positions[:, 0] = -25.0 * torch.arange(n)
    positions[:, 1] = torch.randn(n, generator=generator)
    return crops, positions


def outputs(network, row):
    with torch.no_grad():
        return network(*row)


def test_full_network_is_small_and_gives_28_logits_twice():
    network = LabellingNetwork().eval()
    assert sum(p.numel() for p in network.parameters()) < 2_000_000
    out = outputs(network, stack_sequences([a_row(2)]))
    assert out.shape == (1, 2, 2, N_CLASSES)
    assert torch.isfinite(out).all()


def test_config_rebuilds_the_network():
    network = a_network()
    again = LabellingNetwork(**network.config())
    again.load_state_dict(network.state_dict())
    row = stack_sequences([a_row(3)])
    assert torch.equal(outputs(network, row), outputs(again.eval(), row))


def test_weights_file_keeps_the_temperature(tmp_path):
    network = a_network()
    network.temperature.fill_(1.7)
    save_weights(network, tmp_path / "labelling.safetensors", {})
    again = LabellingNetwork(**network.config())
    again.load_state_dict(load_file(tmp_path / "labelling.safetensors"))
    assert float(again.temperature) == pytest.approx(1.7)


def test_padding_changes_nothing():
    network = a_network()
    short, long = a_row(2, seed=1), a_row(5, seed=2)
    alone = outputs(network, stack_sequences([short]))
    together = outputs(network, stack_sequences([short, long]))
    assert torch.allclose(alone[0], together[0, :2], atol=1e-4)


def test_a_uniformly_denser_crop_gives_other_features():
    # Instance normalisation on one crop would wipe the mean away.
    network = a_network()
    crops, _ = a_row(1)
    with torch.no_grad():
        plain, denser = network.encode(crops), network.encode(crops + 1.5)
    assert not torch.allclose(plain, denser, atol=1e-2)


def test_neighbours_and_distances_reach_the_sequence_head_but_not_the_single_one():
    network = a_network()
    crops, positions = a_row(4)
    stretched = positions.clone()
    stretched[2:, 0] -= 20
    a = outputs(network, stack_sequences([(crops, positions)]))[0, 0]
    b = outputs(network, stack_sequences([(crops, stretched)]))[0, 0]
    assert not torch.allclose(a[SEQUENCE_HEAD], b[SEQUENCE_HEAD], atol=1e-4)
    assert torch.allclose(a[1], b[1], atol=1e-5)


def test_place_features_do_not_depend_on_where_the_scan_lies():
    _, positions = a_row(4)
    valid = torch.ones(1, 4, dtype=torch.bool)
    moved = positions + torch.tensor([300.0, -80.0, 15.0])
    assert torch.allclose(
        place_features(positions[None], valid), place_features(moved[None], valid), atol=1e-3
    )


def test_crops_reach_beyond_the_volume_as_air():
    volume = torch.ones(10, 10, 10)
    crop = cut_crop(volume, crop_origin(np.array([0.0, 5.0, 5.0])))
    assert crop.shape == CROP_SHAPE_ZYX
    assert (crop == 1).sum() == 10**3 and (crop == AIR).sum() == crop.numel() - 10**3
    assert (cut_crop(volume, crop_origin(np.array([900.0, 5.0, 5.0]))) == AIR).all()


def test_network_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError):
        LabellingNetwork(widths=(8, 8))
    with pytest.raises(ValueError):
        LabellingNetwork(width=30, heads=4)


class _ReadsTheMiddle(torch.nn.Module):
    """Stands for a trained network: HU at the centre of a crop says the level, the mask is seen."""

    def __init__(self):
        super().__init__()
        self.temperature = torch.tensor(1.0)
        self.masks_seen = 0.0

    def forward(self, crops, positions_mm, valid):
        z, y, x = (s // 2 for s in CROP_SHAPE_ZYX)
        value = crops[0, :, 0, z, y + 2, x] * 400 + 150
        self.masks_seen = float(crops[0, :, 1].sum())
        order = (value / 10).round().long().clamp(0, NO_VERTEBRA)
        logits = 9.0 * torch.nn.functional.one_hot(order, N_CLASSES).float()
        return torch.stack([logits, logits], 1)[None]


def _class_named(name):
    other = {None: NO_VERTEBRA, "S1": SACRUM}
    return other[name] if name in other else level_named(name).order


def a_marked_ct(levels):
    """A CT in which the cube around each centre holds 10 HU times the order of its level."""
    names = levels
    hu = np.full((len(names) * 13 + 30, 60, 60), -200.0, np.float32)
    ct = CtVolume(hu, (2.0,) * 3, (-60.0, 40.0, -200.0))
    centres = []
    for i, name in enumerate(names):
        z = hu.shape[0] - 20 - 13 * i
        hu[z - 4 : z + 5, 26:35, 26:35] = 10.0 * _class_named(name)
        centres.append(ct.index_to_lps(np.array([z, 30, 30])))
    return ct, np.array(centres)


def test_a_ct_is_named_through_crops_in_the_order_of_its_centres():
    names = ["T9", "T10", "T11", "T12", "L1"]
    ct, centres = a_marked_ct(names)
    mixed = np.array([3, 0, 4, 2, 1])
    assignment, alone = label_vertebrae(ct, centres[mixed], _ReadsTheMiddle())
    assert [v.name for v in assignment.levels] == [names[i] for i in mixed]
    assert list(alone) == [names[i] for i in mixed]


@pytest.mark.parametrize("names", [["T9"], ["L3", "L4"]])
def test_the_network_can_be_sure_of_a_short_row(names):
    ct, centres = a_marked_ct(names)
    assignment, _ = label_vertebrae(ct, centres, _ReadsTheMiddle())
    assert [v.name for v in assignment.levels] == names
    assert min(d.probability for d in assignment.detections) > 0.9


def test_rows_of_three_and_more_are_softened_alike():
    assert [row_temperature(n) for n in (3, 4, 24)] == [IMAGE_TEMPERATURE] * 3


def test_asked_twice_the_network_calls_a_row_what_it_calls_its_mirror_image():
    crops, positions = a_row(4)
    positions[:, 2] = torch.tensor([1.0, 4.0, 0.0, -6.0])
    row = stack_sequences([(crops, positions)])
    image = stack_sequences([(crops.flip(-1), positions * torch.tensor([1.0, 1.0, -1.0]))])
    network = a_network()
    once = [row_log_probabilities(network, one) for one in (row, image)]
    assert not torch.allclose(*once, atol=1e-3)
    twice = [row_log_probabilities(network, one, mirrored=True) for one in (row, image)]
    assert torch.allclose(*twice, atol=1e-5)
    mean = torch.log_softmax((once[0] + once[1]) / 2, 1)
    assert torch.allclose(twice[0], mean, atol=1e-5)
    assert torch.allclose(twice[0].exp().sum(1), torch.ones(4), atol=1e-5)


def test_what_the_network_calls_no_vertebra_is_left_out():
    ct, centres = a_marked_ct(["T9", "T10", "T11", "T12", None])
    assignment, _ = label_vertebrae(ct, centres, _ReadsTheMiddle())
    assert [v and v.name for v in assignment.levels] == ["T9", "T10", "T11", "T12", None]


def test_a_found_sacrum_is_not_reported_and_names_what_lies_above():
    ct, centres = a_marked_ct(["L3", "L4", "L5", "S1"])
    assignment, alone = label_vertebrae(ct, centres, _ReadsTheMiddle())
    assert [v and v.name for v in assignment.levels] == ["L3", "L4", "L5", None]
    assert all(name != "S1" for name in alone)


def test_masks_arrive_at_the_crops():
    ct, centres = a_marked_ct(["T9", "T10"])
    network = _ReadsTheMiddle()
    level_log_probabilities(ct, centres, network)
    assert network.masks_seen == 0
    cube = np.zeros((40, 40, 40), np.float16)
    cube[10:31, 10:31, 10:31] = 1
    masks = [VertebraMask(tuple(c), (0, 0, 0), tuple(c - 20.0), cube, cube) for c in centres]
    level_log_probabilities(ct, centres, network, masks=masks)
    expected = 2 * 21**3 / CROP_SPACING_MM**3
    assert network.masks_seen == pytest.approx(expected, rel=0.1)
    with pytest.raises(ValueError):
        level_log_probabilities(ct, centres, network, masks=masks[:1])


def test_no_centre_gives_an_empty_assignment():
    ct, _ = a_marked_ct(["T9"])
    assignment, alone = label_vertebrae(ct, np.zeros((0, 3)), a_network())
    assert assignment.detections == () and alone == ()


def test_temperature_softens_the_probabilities():
    ct, centres = a_marked_ct(["T9", "T10"])
    network = _ReadsTheMiddle()
    sharp = level_log_probabilities(ct, centres, network).max(1)
    network.temperature = torch.tensor(3.0)
    assert (level_log_probabilities(ct, centres, network).max(1) < sharp).all()


def test_soft_targets_lean_to_the_neighbours_only():
    t12, none = level_named("T12").order, NO_VERTEBRA
    shares = soft_targets(torch.tensor([t12, none, 0]))
    assert torch.allclose(shares.sum(1), torch.ones(3))
    assert shares[0, t12] > 0.9 and shares[0, t12 - 1] > 0 and shares[0, t12 + 1] > 0
    assert shares[1, none] == 1
    assert (shares[2] > 0).sum() == 2


def test_fitted_temperature_tells_how_overconfident_logits_are():
    generator = torch.Generator().manual_seed(0)
    honest = torch.randn((4000, N_CLASSES), generator=generator) * 2
    classes = torch.multinomial(torch.softmax(honest, 1), 1, generator=generator)[:, 0]
    assert fit_temperature(honest, classes) == pytest.approx(1.0, rel=0.08)
    assert fit_temperature(honest * 2.5, classes) == pytest.approx(2.5, rel=0.08)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    for seed in (1, 2, 19):
        save_scene(toy_scene(), folder / f"scene_{seed:08d}.npy")
    return folder


def test_samples_hold_what_the_scene_holds(bank):
    source = PhantomLabellingSource(bank)
    assert len(source.names()) == 2
    for seed in range(4):
        sample = source.draw(source.names()[0], np.random.default_rng(seed))
        n = len(sample["classes"])
        assert n >= 1
        assert sample["centers"].shape == (n, 3) and sample["numbers"].shape == (n,)
        assert (np.diff(sample["centers"][:, 0].numpy()) <= 0).all()
        assert (sample["numbers"] == 0).tolist() == (sample["classes"] == NO_VERTEBRA).tolist()
        assert (sample["numbers"] == 26).tolist() == (sample["classes"] == SACRUM).tolist()
        hu = unpack_hu(sample["hu"])
        assert hu.min() >= -300 and hu.max() <= 1300
        again = source.draw(source.names()[0], np.random.default_rng(seed))
        assert torch.equal(again["hu"], sample["hu"])


def test_some_scans_show_little_but_the_spine():
    row = np.array([[30.0 * k, 0.0, 0.0] for k in range(5)])
    corners = [field_of_view(row, 25, np.random.default_rng(seed)) for seed in range(200)]
    lows, highs = (np.array(side)[:, 1:] for side in zip(*corners, strict=True))
    full = np.array(CROP_SHAPE_ZYX[1:]) * CROP_SPACING_MM / 2
    narrow = ((-lows < full) & (highs < full)).all(1)
    assert 0.3 < narrow.mean() < 0.5
    assert (lows[~narrow] == -full).all() and (highs[~narrow] == full).all()
    # The body and the arch behind it are always in view.
    assert (lows <= [-25, -30]).all() and (highs >= [40, 30]).all()


def test_a_batch_pairs_crops_with_levels(bank, tmp_path):
    task = LabellingTask(LabellingConfig(TrainingConfig(tmp_path, steps=1), bank))
    source = task.source(validation=False)
    samples = [source.draw(source.names()[0], np.random.default_rng(s)) for s in (0, 1)]
    row, targets = task.prepare(samples, None)
    assert isinstance(row, VertebraSequence)
    assert row.valid.sum(1).tolist() == [len(s["classes"]) for s in samples]
    masks = row.crops[row.valid][:, 1].flatten(1).sum(1) > 0
    real = targets["classes"][row.valid] != NO_VERTEBRA
    assert masks[real].float().mean() > 0.6 and not masks[~real].any()


def test_training_writes_weights_that_load(bank, tmp_path):
    config = TrainingConfig(
        tmp_path, steps=1, workers=0, validation_samples=1, tensorboard=False, warmup_steps=1
    )
    figures = train_labelling(LabellingConfig(config, bank, longest=4))
    assert 0 <= figures["right"] <= 1
    assert figures["temperature"] > 0
    assert (tmp_path / "labelling.safetensors").exists()
