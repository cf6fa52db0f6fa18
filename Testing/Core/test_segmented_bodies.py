"""Bodies that the pipeline has segmented, as samples for the grade head."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analytic_bodies import drawn_masks
from toy_bank import quick_training, toy_bank
from vertebra_core.grading.network import CROP_SHAPE_ZYX, GradeNetwork
from vertebra_core.training import grade_opinions, segmented_bodies
from vertebra_core.training.grading_samples import PhantomGradingSource, empty_sample
from vertebra_core.training.segmented_bodies import SegmentedBodySource, collect
from vertebra_core.training.train_grading import GradingConfig, GradingTask, train_grading


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A bank of scenes, and the bodies of its scans."""
    bank = toy_bank(tmp_path_factory.mktemp("bank"))
    bodies = tmp_path_factory.mktemp("bodies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grade_opinions, "segment", drawn_masks)
        collect(sorted(bank.glob("*.npy")), bodies, GradeNetwork(), 4)
    return bank, bodies


def test_samples_are_those_of_the_measured_bodies(folders):
    bank, bodies = folders
    source = SegmentedBodySource(bodies)
    assert source.names() == [
        "scene_00000001__0_0.npz", "scene_00000001__0_1.npz", "scene_00000002__0_0.npz"
    ]  # fmt: skip
    assert SegmentedBodySource(bodies, validation=True).names() == ["scene_00000019__0_0.npz"]
    drawn = [source.draw(source.names()[0], np.random.default_rng(k)) for k in range(30)]
    alike = empty_sample()
    for sample in drawn:
        assert {k: (v.shape, v.dtype) for k, v in sample.items()} == {
            k: (v.shape, v.dtype) for k, v in alike.items()
        }
        assert sample["hu"].shape == CROP_SHAPE_ZYX
        middle = tuple(n // 2 for n in CROP_SHAPE_ZYX)
        assert sample["body"][middle] == 255 and sample["vertebra"][middle] == 255
    grades = torch.stack([s["grade"] for s in drawn])
    # One of three bodies is fractured, and comes in half of the samples.
    assert set(grades.tolist()) == {0, 2} and 8 < int((grades == 2).sum()) < 26
    again = source.draw(source.names()[0], np.random.default_rng(3))
    assert all(torch.equal(again[k], drawn[3][k]) for k in again)


def test_scans_of_one_scene_differ_and_are_not_made_twice(folders, monkeypatch):
    bank, bodies = folders
    first, second = (np.load(bodies / f"scene_00000001__0_{k}.npz") for k in (0, 1))
    assert not np.array_equal(first["hu"], second["hu"])
    monkeypatch.setattr(segmented_bodies, "segmented_bodies", None)
    collect(sorted(bank.glob("*.npy")), bodies, GradeNetwork(), 4)
    assert not list(bodies.glob("*.partial"))


def test_a_scan_without_a_body_gives_a_sample_without_a_loss(tmp_path, folders, monkeypatch):
    bank, _ = folders
    monkeypatch.setattr(grade_opinions, "gradable_bodies", lambda scene: [])
    collect(sorted(bank.glob("*.npy"))[:1], tmp_path, GradeNetwork(), 1)
    (name,) = SegmentedBodySource(tmp_path).names()
    sample = SegmentedBodySource(tmp_path).draw(name, np.random.default_rng(0))
    assert sample["grade"] == empty_sample()["grade"]


def test_the_grade_head_trains_on_them_alone_and_beside_drawn_ones(folders, tmp_path):
    bank, bodies = folders
    for name, own_bank, count in (("alone", None, 3), ("beside", bank, 5)):
        config = GradingConfig(quick_training(tmp_path / name), own_bank, segmented=bodies)
        assert len(GradingTask(config).source(validation=False).names()) == count
        assert np.isfinite(train_grading(config)["exact"])
        assert (tmp_path / name / "grading.safetensors").exists()


def test_without_a_folder_only_drawn_bodies_are_trained_on(folders, tmp_path):
    config = GradingConfig(quick_training(tmp_path), folders[0])
    assert isinstance(GradingTask(config).source(validation=False), PhantomGradingSource)
