"""Training from labelled scans alone: patients apart, sources of every stop, all stops in a row."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from labelled_folder import CENTERS_LPS, painted_ct, write_plain_case, write_verse_subject
from safetensors.torch import load_file
from vertebra_core.analysis_options import AnalysisOptions
from vertebra_core.command_line import make_parser
from vertebra_core.errors import InputError, WeightsError
from vertebra_core.evaluation.grade_table import read_grades
from vertebra_core.grading.shape_names import SHAPE_NAMES
from vertebra_core.labelling.network import NO_VERTEBRA, SACRUM
from vertebra_core.levels import level_numbered
from vertebra_core.models import (
    MODELS_FOLDER,
    available_networks,
    load_weights_file,
    register_weights,
)
from vertebra_core.stages import bundled_stages
from vertebra_core.training.graded_scans import LabelledGradingSource
from vertebra_core.training.grading_samples import UNKNOWN
from vertebra_core.training.label_arguments import LabelledData
from vertebra_core.training.labelled_scans import LabelledScans
from vertebra_core.training.labelled_stretches import LabelledStretchSource
from vertebra_core.training.loop import Trainer
from vertebra_core.training.start import load_start
from vertebra_core.training.stopping import TrainingStopped
from vertebra_core.training.task import TrainingConfig
from vertebra_core.training.train_all import STOPS, TrainAllConfig, settings_of, train_all
from vertebra_core.training.train_grading import GradingConfig, GradingTask

TINY = {
    "block": (32, 32, 32),
    "crop": (16, 32, 32),
    "batch_size": 1,
    "validation_samples": 1,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A hospital's folder: two cases with bodies, the first graded in its truth file."""
    root = tmp_path_factory.mktemp("plain")
    for name in ("case1", "case2"):
        write_plain_case(root, name)
    entries = [
        {"level": number, "center_lps_mm": center, "grade": 2, "shape": "wedge"}
        for number, center in CENTERS_LPS.items()
    ]
    (root / "case1_truth.json").write_text(json.dumps({"vertebrae": entries}))
    return root


@pytest.fixture(scope="module")
def real(tmp_path_factory, shared_data) -> Path:
    """VerSe's expert mask of T9-L5 with a CT painted on it; the real CT is not public here."""
    root = tmp_path_factory.mktemp("verse")
    derived, raw = root / "derivatives" / "sub-verse004", root / "rawdata" / "sub-verse004"
    derived.mkdir(parents=True)
    raw.mkdir(parents=True)
    for name in ("sub-verse004_seg-vert_msk.nii.gz", "sub-verse004_seg-subreg_ctd.json"):
        shutil.copyfile(shared_data / "masks" / name, derived / name)
    mask = sitk.ReadImage(str(derived / "sub-verse004_seg-vert_msk.nii.gz"))
    sitk.WriteImage(painted_ct(mask), raw / "sub-verse004_ct.nii.gz")
    return root


def test_corrected_labels_are_read_again(tmp_path):
    write_plain_case(tmp_path, "case1")
    scans = LabelledScans([tmp_path], tmp_path / "cache", 3.0, validation=False)
    assert 20 in np.unique(scans.load("0:case1").labels)
    labels = tmp_path / "case1_labels.nii.gz"
    image = sitk.ReadImage(str(labels))
    sitk.WriteImage(sitk.ChangeLabel(image, {20: 19}), str(labels))
    os.utime(labels, ns=(1, labels.stat().st_mtime_ns + 1_000_000))
    assert 20 not in np.unique(scans.load("0:case1").labels)


def test_stretches_hold_centres_on_their_vertebrae_and_the_sacrum_below_l5(tmp_path):
    write_verse_subject(tmp_path, "sub-verse900", {20: 23, 21: 24, 22: 26})
    source = LabelledStretchSource([tmp_path], tmp_path / "cache")
    on_vertebra, sacral = 0, 0
    for seed in range(12):
        sample = source.draw(source.names()[0], np.random.default_rng(seed))
        assert (np.diff(sample["centers"][:, 0]) <= 0).all()
        for center, number, label in zip(
            sample["centers"], sample["numbers"], sample["classes"], strict=True
        ):
            index = tuple(center.round().int().tolist())
            if number == 26:
                sacral += 1
                assert label == SACRUM and sample["instances"][index] in (0, 26)
            elif number:
                assert label == level_numbered(int(number)).order
                on_vertebra += int(sample["instances"][index] == number)
            else:
                assert label == NO_VERTEBRA
    # Found centres lie a few millimetres off, and some in the canal.
    assert on_vertebra >= 15 and sacral >= 1


def test_bodies_come_in_their_own_frame_with_the_readers_grade(plain, tmp_path, caplog):
    source = LabelledGradingSource([plain], tmp_path, {})
    assert source.names() == ["0:case1"]
    for seed in range(4):
        sample = source.draw("0:case1", np.random.default_rng(seed))
        assert int(sample["grade"]) == 2 and int(sample["shape"]) == SHAPE_NAMES.index("wedge")
        body = sample["body"] > 128
        assert sample["hu"][body].float().mean() > 380
        points = torch.nonzero(body).float()
        assert torch.linalg.vector_norm(points.mean(0) - 23.5) < 8
        # A box of 20 x 24 x 32 mm: lowest along the first axis, widest along the last.
        extent = points.std(0)
        assert extent[0] < extent[1] < extent[2]
    with pytest.raises(InputError, match="names none"):
        source_with_table(plain, tmp_path, "1,20,0\n")
    with caplog.at_level("INFO"):
        table = source_with_table(plain, tmp_path, "case1,20,0\ncase2,21,3\nother,20,1\n")
    assert table.names() == ["0:case1"]
    assert "1 of the 3 names in it are of no scan here, for one other" in caplog.text
    seen = {
        (int(s["grade"]), int(s["shape"]))
        for s in (table.draw("0:case1", np.random.default_rng(i)) for i in range(12))
    }
    assert seen == {(0, 0), (2, 1)}


def source_with_table(folder: Path, cache: Path, rows: str) -> LabelledGradingSource:
    path = cache / "grades.csv"
    path.write_text("case,label,genant_grade\n" + rows)
    return LabelledGradingSource([folder], cache, read_grades(path))


@pytest.mark.slow
def test_bodies_of_an_expert_mask_are_cut_out_and_measured(real, shared_data, tmp_path):
    scans = LabelledScans([real], tmp_path, 1.0, validation=False, split_bodies=True)
    scan = scans.load(scans.names()[0])
    assert {b.number for b in scan.measured} >= set(range(17, 24))
    share = np.count_nonzero(scan.bodies) / np.count_nonzero(scan.labels)
    assert 0.45 < share < 0.75
    assert (scan.labels[scan.bodies > 0] == scan.bodies[scan.bodies > 0]).all()
    # L1 is the one that readers gave grade 3.
    worst = max(scan.measured, key=lambda b: max(b.losses))
    assert worst.number == 20
    grades = read_grades(shared_data / "grades" / "verse19_genant_grades.csv")
    source = LabelledGradingSource([real], tmp_path, grades)
    drawn = [source.draw(source.names()[0], np.random.default_rng(i)) for i in range(10)]
    assert {int(s["grade"]) for s in drawn} >= {0, 2, 3}
    assert all((s["shape"] == 0) == (s["grade"] == 0) for s in drawn)
    task = GradingTask(GradingConfig(TrainingConfig(tmp_path, steps=1), None))
    fractured = next(s for s in drawn if s["grade"] > 0)
    inputs, targets = task.prepare([fractured | {"shape": torch.tensor(UNKNOWN)}], None)
    loss, parts = task.loss(task.build_network()(*inputs), targets)
    assert torch.isfinite(loss) and parts["shape"] == 0 and parts["grade"] > 0


def test_training_starts_from_weights_of_a_file_a_folder_or_the_program(tmp_path):
    task = GradingTask(GradingConfig(TrainingConfig(tmp_path, steps=1), None))
    bundled = load_file(MODELS_FOLDER / "grading.safetensors")["squeeze.weight"].float()
    for start in (Path("bundled"), MODELS_FOLDER, MODELS_FOLDER / "grading.safetensors"):
        network = task.build_network()
        load_start(network, start, "grading")
        assert torch.equal(network.state_dict()["squeeze.weight"], bundled)
    with pytest.raises(ValueError, match="another shape"):
        load_start(network, MODELS_FOLDER / "locnet.safetensors", "grading")
    with pytest.raises(FileNotFoundError, match="no weights"):
        load_start(network, tmp_path / "none", "grading")
    cut = tmp_path / "grading.safetensors"
    cut.write_bytes((MODELS_FOLDER / "grading.safetensors").read_bytes()[:-9])
    with pytest.raises(WeightsError, match="damaged"):
        load_start(network, tmp_path, "grading")


def test_bundled_weights_are_said_to_be_started_from_only_where_there_are_any(tmp_path, caplog):
    shutil.copyfile(MODELS_FOLDER / "grading.safetensors", tmp_path / "grading.safetensors")
    register_weights(tmp_path / "grading.safetensors")
    network = GradingTask(GradingConfig(TrainingConfig(tmp_path, steps=1), None)).build_network()
    with caplog.at_level("INFO"):
        with pytest.raises(WeightsError, match="no network 'fracnet_focal'"):
            load_start(network, tmp_path, "fracnet_focal")
        assert "started from" not in caplog.text
        with pytest.raises(ValueError, match="another shape"):
            load_start(network, tmp_path, "locnet")
        assert "the bundled weights are started from" in caplog.text


def test_the_command_keeps_what_each_network_has_by_default():
    words = "--labels A B --out W --minutes 100 --workers 2 --resume"
    args = make_parser().parse_args(["train", "all", *words.split()])
    config = args.config_from(args)
    assert config.labels.folders == (Path("A"), Path("B")) and config.resume
    assert config.options == {"workers": 2}
    settings = {stop.name: settings_of(stop, config) for stop in STOPS}
    assert [s.training.minutes for s in settings.values()] == [25, 45, 20, 10]
    assert {s.training.workers for s in settings.values()} == {2}
    assert settings["grading"].training.batch_size == 8
    assert (
        settings["segmentation"].training.batch_size == 1 and settings["segmentation"].split_bodies
    )
    assert {s.labels.cache for s in settings.values()} == {Path("W/label_cache")}
    with pytest.raises(ValueError, match="steps or minutes"):
        train_all(TrainAllConfig(Path("W")))


@pytest.mark.slow
def test_all_networks_are_trained_in_a_row_stopped_and_resumed(plain, tmp_path, monkeypatch):
    out = tmp_path / "weights"
    config = TrainAllConfig(out, labels=LabelledData((plain,)), steps=1, resume=True, options=TINY)
    run = Trainer.run

    def stopped_in_labelling(self):
        if self.task.name == "labelling":
            self.stop()
            self.config = TrainingConfig(self.config.out, steps=5)
        return run(self)

    monkeypatch.setattr(Trainer, "run", stopped_in_labelling)
    with pytest.raises(TrainingStopped, match="labelling was stopped"):
        train_all(config)
    assert available_networks(out) == ("locnet", "segmentation")
    monkeypatch.undo()
    with pytest.raises(InputError, match="holds trainings of locnet, segmentation, labelling"):
        train_all(TrainAllConfig(out, labels=LabelledData((plain,)), steps=1))
    figures = train_all(config)
    assert {key.split()[0] for key in figures} >= {"locnet", "segmentation", "labelling"}
    stages = bundled_stages(AnalysisOptions("cpu", 1, out))
    assert set(stages.weights_sha256) == {"locnet", "segmentation", "labelling", "grading"}
    for name in stages.weights_sha256:
        assert load_weights_file(out / f"{name}.safetensors")[1].metadata["steps"] == "1"
    # One cache serves all stops.
    assert (out / "label_cache").is_dir() and not list(out.glob("*/label_cache"))


@pytest.mark.slow
def test_without_grades_the_bundled_grade_head_is_taken(tmp_path):
    labels, out = tmp_path / "labels", tmp_path / "weights"
    for subject in ("sub-verse900", "sub-verse901"):
        write_verse_subject(labels, subject)
        # A truth file alone, with levels and centres, is no grade.
        entries = [{"level": n, "center_lps_mm": c} for n, c in CENTERS_LPS.items()]
        truth = labels / "rawdata" / subject / f"{subject}_truth.json"
        truth.write_text(json.dumps({"vertebrae": entries}))
    train_all(TrainAllConfig(out, labels=LabelledData((labels,)), steps=1, options=TINY))
    stages = bundled_stages(AnalysisOptions("cpu", 1, out))
    index = json.loads((MODELS_FOLDER / "models.json").read_text())
    same = [n for n, sha in stages.weights_sha256.items() if sha == index[n]["sha256"]]
    assert same == ["grading"]
