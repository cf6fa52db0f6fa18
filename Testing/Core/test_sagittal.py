"""The sagittal localiser: cells and boxes, two rounds of clustering, training, a toy CT."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from simple_dbscan import simple_dbscan
from torch import nn
from toy_bank import quick_training, toy_bank
from vertebra_core import stages
from vertebra_core.analysis_options import AnalysisOptions
from vertebra_core.errors import Cancelled, InputError, WeightsError
from vertebra_core.localisation import dbscan as dbscan_module
from vertebra_core.localisation.sagittal import (
    SagittalOptions,
    best_boxes,
    detect_boxes,
    iou,
    localise_sagittal,
)
from vertebra_core.localisation.sagittal_clusters import (
    ClusterOptions,
    SliceBoxes,
    cluster_boxes,
)
from vertebra_core.localisation.sagittal_network import (
    OBJECT,
    SIDES,
    STRIDE,
    SagittalDetector,
    cell_centers,
    decode_boxes,
)
from vertebra_core.models import load_weights_file
from vertebra_core.training.box_losses import assign_cells, generalised_iou
from vertebra_core.training.sagittal_samples import PhantomSagittalSource, body_boxes
from vertebra_core.training.train_sagittal import SagittalConfig, SagittalTask, train_sagittal
from vertebra_core.volume import CtVolume

SLAB = (48, 64, 4)
WIDTHS = (8, 8, 8, 8)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return toy_bank(tmp_path_factory.mktemp("bank"))


def test_cells_near_the_centre_of_a_box_answer_for_it():
    boxes = torch.tensor([[4.0, 6.0, 19.0, 26.0], [24.0, 6.0, 35.0, 26.0], [math.nan] * 4])
    owned, target = assign_cells(boxes, 12, 10)
    cells = cell_centers(12, 10)
    assert 6 <= int(owned.sum()) <= 14
    for box in boxes[:2]:
        mine = owned & (target == box[:, None, None]).all(0)
        middle = (box[:2] + box[2:]) / 2
        assert 3 <= int(mine.sum()) <= 7
        assert (cells[:, mine] - middle[:, None]).norm(dim=0).max() <= 1.1 * STRIDE
    assert not target[:, ~owned].any()
    nothing, _ = assign_cells(torch.full((3, 4), math.nan), 12, 10)
    assert not nothing.any()


def test_boxes_are_decoded_from_what_they_are_trained_towards():
    truth = torch.tensor([[4.0, 6.0, 19.0, 26.0]])
    owned, target = assign_cells(truth, 12, 10)
    cells = cell_centers(12, 10)
    sides = torch.cat([cells - target[:2], target[2:] - cells])
    output = torch.zeros(1, 5, 12, 10)
    output[0, SIDES] = (sides.clamp_min(0.1) / STRIDE).log()
    found = decode_boxes(output).permute(0, 2, 3, 1)[0][owned]
    assert torch.allclose(found, truth.expand_as(found), atol=1e-3)
    assert torch.allclose(generalised_iou(found, truth.expand_as(found)), torch.ones(len(found)))


def test_generalised_overlap_falls_with_distance():
    box = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    overlaps = [float(generalised_iou(box + d, box)) for d in (0, 3, 12, 30)]
    assert overlaps == sorted(overlaps, reverse=True)
    assert overlaps[0] == pytest.approx(1) and overlaps[3] < 0


def test_of_overlapping_boxes_the_better_one_stays():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 0, 30, 10]], float)
    kept, scores = best_boxes(boxes, np.array([0.6, 0.9, 0.5]), 0.4)
    assert scores.tolist() == [0.9, 0.5]
    assert kept[0].tolist() == [1, 1, 11, 11]
    assert iou(boxes[0], boxes)[2] == 0
    nothing, _ = best_boxes(np.zeros((0, 4)), np.zeros(0), 0.4)
    assert nothing.shape == (0, 4)


def _boxes(rows) -> SliceBoxes:
    table = np.array(rows, float)
    return SliceBoxes(table[:, :3], table[:, 3:5], np.full(len(table), 0.8))


def _body(z: float, count: int, size=(24.0, 30.0), first_x: float = 0.0) -> list[list[float]]:
    return [[z + 0.3 * (k % 2), 50.0, first_x + 2.0 * k, *size] for k in range(count)]


def test_two_rounds_of_clustering_give_one_centre_a_body():
    odd_sizes = [[100.0, 51.0, 9.0 + 2 * k, 24.0, 60.0] for k in range(4)]
    stray = [[140.0, 20.0, 10.0, 24.0, 30.0]]
    few = _body(170.0, 4)
    found = cluster_boxes(
        _boxes(_body(60.0, 21) + _body(100.0, 21) + odd_sizes + stray + few),
        ClusterOptions(count_share=0.2),
        simple_dbscan,
    )
    assert sorted(round(c.center_mm[0]) for c in found) == [60, 100]
    second = next(c for c in found if c.center_mm[0] > 80)
    assert second.count == 21
    assert second.size_mm == pytest.approx((24.0, 30.0))
    assert second.center_mm[2] == pytest.approx(20.0)


def test_no_box_gives_no_cluster():
    nothing = SliceBoxes(np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0))
    assert cluster_boxes(nothing, None, simple_dbscan) == ()


def test_clusters_of_odd_sizes_are_kept_whole():
    rows = [[60.0, 50.0, 2.0 * k, 10.0 + 9 * k, 30.0] for k in range(6)]
    (found,) = cluster_boxes(_boxes(rows), None, simple_dbscan)
    assert found.count == 6


def test_scikit_learns_dbscan_clusters_as_the_book_says():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(m, 1.0, (30, 3)) for m in (0.0, 12.0)] + [[[50.0] * 3]])
    ours, theirs = simple_dbscan(points, 3.0, 4), dbscan_module.dbscan(points, 3.0, 4)
    same = ours[:, None] == ours[None]
    assert (same == (theirs[:, None] == theirs[None])).all()
    assert theirs[-1] == dbscan_module.NOISE


def test_without_scikit_learn_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.cluster", None)
    with pytest.raises(InputError, match="scikit-learn") as told:
        dbscan_module.dbscan(np.zeros((3, 3)), 1.0, 2)
    assert told.value.code == "package_missing"
    assert ".venv/bin/python -m pip install scikit-learn" in told.value.hint


def test_only_bodies_shown_well_carry_a_box():
    numbers = np.zeros((40, 40), np.uint8)
    numbers[5:15, 10:25] = 20
    numbers[25:28, 10:14] = 21
    numbers[30:38, 10:24] = 26
    boxes = body_boxes(numbers, {20: 600.0, 21: 600.0, 26: 100.0}, 2.0)
    known = boxes[np.isfinite(boxes).all(1)]
    assert known.tolist() == [[4.5, 9.5, 14.5, 24.5]]


def test_samples_show_the_bodies_of_their_slices(bank):
    source = PhantomSagittalSource(bank, shape_zyx=SLAB)
    rng = np.random.default_rng(0)
    samples = [source.draw(name, rng) for name in source.names() * 6]
    boxes = [b for s in samples for b in s["boxes"].reshape(-1, 4) if torch.isfinite(b).all()]
    assert len(boxes) > 10
    heights = [2.0 * float(b[2] - b[0]) for b in boxes]
    assert 10 < np.median(heights) < 34


def test_the_detector_trains_and_its_weights_load(bank, tmp_path):
    training = quick_training(tmp_path, steps=3, batch_size=2)
    figures = train_sagittal(SagittalConfig(training, bank, SLAB, WIDTHS))
    assert "false_cells" in figures
    network, record = load_weights_file(tmp_path / "sagittal.safetensors")
    assert record.metadata["architecture"] == "SagittalDetector"
    assert network(torch.zeros(2, 1, 32, 48)).shape == (2, 5, 8, 12)
    with pytest.raises(ValueError, match="16"):
        network(torch.zeros(1, 1, 30, 48))


def test_the_detector_learns_bright_boxes():
    """Squares on a dark ground are found after some steps: loss, targets and decoding agree."""
    torch.manual_seed(0)
    task = SagittalTask(SagittalConfig(quick_training(None), None, SLAB, WIDTHS))
    network = task.build_network()
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    rng = np.random.default_rng(0)

    def batch():
        samples = []
        for _ in range(4):
            hu = torch.full((48, 64, 1), -100.0)
            z, y = (int(v) for v in rng.integers([2, 2], [28, 40]))
            hu[z : z + 14, y : y + 18] = 400.0
            box = torch.tensor([[[z - 0.5, y - 0.5, z + 13.5, y + 17.5]]])
            samples.append({"hu": hu, "boxes": box})
        return task.prepare(samples, None)

    for _ in range(60):
        inputs, targets = batch()
        loss, _ = task.loss(network(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    inputs, targets = batch()
    with torch.no_grad():
        figures = task.measure(network(inputs), targets)
    assert figures["cells_found"] > 0.8
    assert figures["giou"] > 0.5


class BrightIsBody(nn.Module):
    """Finds a box of 24 x 30 mm around the middle of what is bright."""

    size_multiple = 16

    def forward(self, x):
        mean = nn.functional.avg_pool2d(x, STRIDE)
        output = torch.full((len(x), 5, *mean.shape[2:]), -8.0)
        for k in range(len(x)):
            parts = (mean[k, 0] > 1.0).nonzero().float()
            if not len(parts):
                continue
            for z in parts[:, 0].unique_consecutive().split(1):
                row = parts[parts[:, 0] == z]
                cz, cy = int(z), int(row[:, 1].mean())
                output[k, OBJECT, cz, cy] = 3.0
                output[k, SIDES, cz, cy] = torch.tensor([6.0, 7.5, 6.0, 7.5]).div(STRIDE).log()
        return output


def _spine_ct() -> tuple[CtVolume, np.ndarray]:
    hu = np.full((112, 70, 60), -50.0, np.float32)
    rows = []
    for z in (10, 30, 50, 70, 90):
        hu[4 * (z // 4) : 4 * (z // 4) + 4, 28:44, 20:40] = 800
        rows.append([2 * 29.5 + 5, 2 * 34 + 6, 2 * (4 * (z // 4) + 1.5) + 7])
    hu[100:104, 4:12, 2:9] = 800
    return CtVolume(hu, (2.0, 2.0, 2.0), (5.0, 6.0, 7.0)), np.array(rows)


def test_centres_lie_in_the_middle_of_the_slices_that_show_a_body():
    ct, truth = _spine_ct()
    done: list[float] = []
    found = localise_sagittal(
        ct, BrightIsBody(), on_progress=done.append, cluster=simple_dbscan
    ).centres
    assert done[-1] == 1.0
    positions = np.array([c.position_lps_mm for c in found])
    assert len(found) == len(truth)
    assert (positions[:-1, 2] > positions[1:, 2]).all()
    assert np.abs(positions[::-1, 0] - truth[:, 0]).max() < 1.0
    assert np.abs(positions[::-1, 2] - truth[:, 2]).max() < 2.0
    assert all(c.votes == 20 for c in found)


def test_without_the_chain_whatever_has_boxes_is_kept():
    ct, truth = _spine_ct()
    options = SagittalOptions(keep_chain_only=False)
    found = localise_sagittal(ct, BrightIsBody(), options, cluster=simple_dbscan).centres
    assert len(found) == len(truth) + 1


def test_an_empty_scan_has_no_centre_and_a_search_can_be_cancelled():
    empty = CtVolume(np.full((20, 20, 20), -800.0, np.float32), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    assert localise_sagittal(empty, BrightIsBody(), cluster=simple_dbscan).centres == ()
    ct, _ = _spine_ct()
    with pytest.raises(Cancelled):
        detect_boxes(ct, SagittalDetector(WIDTHS), SagittalOptions(), None, lambda: True)


def test_the_pipeline_takes_it_where_its_weights_are(bank, tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "check_dbscan", lambda: None)
    with pytest.raises(WeightsError, match="sagittal"):
        stages.bundled_stages(AnalysisOptions("cpu", 1, localiser="sagittal"))
    config = SagittalConfig(quick_training(tmp_path), bank, SLAB, WIDTHS)
    train_sagittal(config)
    network, _ = load_weights_file(tmp_path / "sagittal.safetensors")
    loaded: list[str] = []

    def load(name, folder, device):
        loaded.append(name)
        own = network if name == "sagittal" else nn.Identity()
        return own, SimpleNamespace(sha256="00")

    monkeypatch.setattr(stages, "load_network", load)
    chosen = stages.bundled_stages(AnalysisOptions("cpu", 1, localiser="sagittal"))
    empty = CtVolume(np.full((20, 20, 20), -800.0, np.float32), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    assert chosen.localise(empty, lambda f: None, lambda: False).centres == ()
    assert "sagittal" in loaded and "locnet" not in loaded
