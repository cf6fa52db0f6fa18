"""The pipeline's networks with other weights: systems of their own, each at its own stop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fake_stages import LEVELS, fake_stages, true_centres, trunk_ct
from torch import nn
from vertebra_core.evaluation.compare import all_systems, found_networks
from vertebra_core.evaluation.compare_pipeline import pipeline_systems
from vertebra_core.evaluation.compare_run import BASE_NETWORKS, record_run
from vertebra_core.evaluation.compare_systems import systems_of
from vertebra_core.grading.network import GRADES, GradeNetwork
from vertebra_core.labelling.network import LabellingNetwork
from vertebra_core.labelling.single_network import SingleVertebraNetwork
from vertebra_core.levels import level_named
from vertebra_core.localisation.outputs import OUT_CHANNELS
from vertebra_core.models import save_weights
from vertebra_core.networks.subpixel_unet import SubpixelUNet

WIDTHS = (4, 4, 4, 8)


def locnet() -> SubpixelUNet:
    torch.manual_seed(1)
    return SubpixelUNet(1, OUT_CHANNELS, WIDTHS, False)


def u_net(probabilities, attention: bool = True) -> SubpixelUNet:
    """A segmentation network that gives every voxel the same two probabilities."""
    network = SubpixelUNet(2, 2, WIDTHS, attention)
    nn.init.zeros_(network.head.weight)
    network.start_at(probabilities)
    return network


def labeller(level: str) -> LabellingNetwork:
    """A labelling network that calls every vertebra by one name."""
    return _biased(LabellingNetwork((4, 4, 8), 16, 1, 2), "head", level_named(level).order)


def grade_head(grade: int) -> GradeNetwork:
    """A grade head that gives every body the same grade."""
    return _biased(GradeNetwork((4, 4, 8), 8), "classify", range(8)[GRADES][grade])


def _biased(network: nn.Module, head: str, output: int) -> nn.Module:
    last = getattr(network, head)[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    with torch.no_grad():
        last.bias[output] = 5.0
    return network


@pytest.fixture(scope="module")
def recorded():
    torch.manual_seed(0)
    return record_run(trunk_ct(), fake_stages())


def test_rows_are_named_after_the_weights_and_the_pipelines_own_names_are_no_rows():
    systems = systems_of("locnet_equal", locnet(), "cpu")
    assert [s.name for s in systems] == [
        "LocNet-F (equal), chain",
        "LocNet-F (equal)",
        "LocNet-H (equal), chain",
        "LocNet-H (equal)",
    ]
    assert {s.stop for s in systems} == {"localisation"}
    half = (0.5, 0.5)
    expected = {
        "segmentation_two_hours": (u_net(half), "Attention U-Net (two hours)", "segmentation"),
        "segmentation_no_gates": (u_net(half, False), "U-Net (no gates)", "segmentation"),
        "labelling_equal": (labeller("L1"), "Sequence of crops (equal)", "labelling"),
        "mine": (grade_head(0), "Grade head alone (mine)", "grading"),
    }
    for file, (network, name, stop) in expected.items():
        (system,) = systems_of(file, network, "cpu")
        assert (system.name, system.stop) == (name, stop)
    for name in BASE_NETWORKS:
        assert systems_of(name, locnet(), "cpu") == []
    single = SingleVertebraNetwork((4, 4, 8, 8), (1,) * 4, 16, 1, 2)
    assert [s.name for s in systems_of("single_labelling_long", single, "cpu")] == [
        "Single masks (long)"
    ]


def test_locnet_with_the_same_weights_finds_the_same_places(recorded):
    network = locnet()
    own = {s.name: s for s in pipeline_systems(network, "cpu")}
    found = systems_of("locnet_equal", network, "cpu")[-1]
    assert found.name == "LocNet-H (equal)"
    assert found.answer(recorded).found, "a network that finds nothing would agree with anything"
    assert found.answer(recorded).found == own["LocNet-H"].answer(recorded).found


def test_a_u_net_segments_the_pipelines_vertebrae_under_their_names(recorded):
    (everything,) = systems_of("segmentation_equal", u_net((0.9, 0.8)), "cpu")
    answer = everything.answer(recorded)
    assert [v.level for v in answer.found] == list(LEVELS)
    assert answer.labels.shape == answer.bodies.shape == recorded.ct.hu.shape
    first = np.round(recorded.ct.lps_to_index(np.array(true_centres()[0]))).astype(int)
    assert answer.labels[tuple(first)] == level_named(LEVELS[0]).number
    assert set(np.unique(answer.labels)) <= {0, *(level_named(n).number for n in LEVELS)}
    (nothing,) = systems_of("segmentation_equal", u_net((0.1, 0.1)), "cpu")
    assert not nothing.answer(recorded).labels.any()


def test_a_labelling_network_names_before_and_after_logic(recorded):
    (system,) = systems_of("labelling_equal", labeller("L2"), "cpu")
    found = system.answer(recorded).found
    assert [v.network_level for v in found] == ["L2"] * len(LEVELS)
    orders = [level_named(v.level).order for v in found]
    assert len(orders) == len(LEVELS)
    assert (np.diff(orders) >= 1).all()


def test_a_grade_head_grades_what_the_pipeline_measured(recorded):
    (system,) = systems_of("grading_equal", grade_head(2), "cpu")
    found = system.answer(recorded).found
    assert [v.level for v in found] == list(LEVELS)
    assert {v.grade for v in found} == {2}


def test_a_refused_scan_counts_as_nothing_found():
    run = record_run(trunk_ct(), fake_stages(found=()))
    for name, network in (
        ("segmentation_equal", u_net((0.9, 0.8))),
        ("labelling_equal", labeller("L1")),
        ("grading_equal", grade_head(1)),
    ):
        (system,) = systems_of(name, network, "cpu")
        assert system.answer(run).found == ()


def test_other_weights_stand_beside_the_pipelines_and_do_not_change_its_rows(tmp_path):
    networks, records = found_networks(None, "cpu")
    before = {s.name: s.version for s in all_systems(networks, "cpu", _sums(records))}
    save_weights(locnet(), tmp_path / "locnet_equal.safetensors")
    save_weights(grade_head(0), tmp_path / "grading_equal.safetensors")
    networks, records = found_networks(tmp_path, "cpu")
    after = {s.name: s.version for s in all_systems(networks, "cpu", _sums(records))}
    assert before.items() <= after.items()
    more = set(after) - set(before)
    assert more == {
        "Grade head alone (equal)",
        *(f"LocNet-{m} (equal){e}" for m in "FH" for e in ("", ", chain")),
    }


def _sums(records) -> dict[str, str]:
    return {name: record.sha256 for name, record in records.items()}


def test_the_pipeline_segments_here_as_it_does_by_default(monkeypatch):
    from vertebra_core.evaluation import compare_run
    from vertebra_core.settings import BEST

    seen = []
    monkeypatch.setattr(compare_run, "segment", lambda *given: seen.append(given[3]))
    monkeypatch.setattr(compare_run.methods, "make_localiser", lambda *_: None)
    monkeypatch.setattr(compare_run.methods, "make_labeller", lambda *_: None)
    monkeypatch.setattr(compare_run.methods, "make_grader", lambda *_: None)
    stages = compare_run.base_stages(dict.fromkeys(compare_run.BASE_NETWORKS), "cpu")
    stages.segment(None, (), None, None)
    assert seen[0].crop_shapes_zyx == BEST.crop_shapes_zyx
    assert seen[0].flip_average == BEST.mirrored
