"""What a training is told to train from: whatever was named must be there, or nothing begins."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_folder import CENTERS_LPS, write_plain_case, write_verse_subject
from toy_bank import bank_scene, toy_bank
from vertebra_core.command_line import main, make_parser
from vertebra_core.errors import InputError
from vertebra_core.models import MODELS_FOLDER, load_network
from vertebra_core.phantom.scene import save_scene
from vertebra_core.training.label_folders import LabelledSegmentationSource
from vertebra_core.training.plan import SamplePlan
from vertebra_core.training.segmented_bodies import SegmentedBodySource
from vertebra_core.training.start import load_start
from vertebra_core.training.train_grading import GradingConfig, GradingTask, TrainingConfig


def write_truth(root: Path, name: str, **facts: object) -> None:
    entries = [{"level": n, "center_lps_mm": c} | facts for n, c in CENTERS_LPS.items()]
    (root / f"{name}_truth.json").write_text(json.dumps({"vertebrae": entries}))


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Path:
    """A bank, labelled scans of three kinds, tables, and what is not what it seems."""
    root = tmp_path_factory.mktemp("places")
    for name in ("bank", "aside", "labels", "unlabelled", "empty"):
        (root / name).mkdir()
    toy_bank(root / "bank")
    save_scene(bank_scene(19), root / "aside" / "scene_00000019.npy")
    for name in ("case1", "case2"):
        write_plain_case(root / "labels", name)
    write_truth(root / "labels", "case1", grade=None)
    write_truth(root / "labels", "case2")
    write_verse_subject(root / "dataset-verse19test", "sub-verse900")
    write_plain_case(root / "unlabelled", "case3")
    for path in [*(root / "unlabelled").glob("*_labels*"), *(root / "unlabelled").glob("*_bod*")]:
        path.unlink()
    write_truth(root / "unlabelled", "case3", grade=1)
    (root / "others.csv").write_text("case,label,genant_grade\nsomebody,20,1\n")
    (root / "bad.csv").write_text("case,label,genant_grade\ncase1,20,one\n")
    return root


REFUSED = {
    "a bank that is not there beside scans": (
        "segmentation --bank {}/none --labels {}/labels", "no folder .*none"),
    "a bank that is not there": ("labelling --bank {}/none", "no folder .*none.*phantom -o"),
    "a bank without scenes": ("sagittal --bank {}/empty", "holds no scenes.*phantom -o"),
    "a bank of scenes that validate": ("locnet --bank {}/aside", "kept for validation"),
    "no bodies that were segmented": (
        "grading --bank {}/bank --segmented {}/none", "no folder .*none.*segmented_bodies"),
    "bodies in an empty folder": (
        "grading --bank {}/bank --segmented {}/empty", "holds no segmented bodies"),
    "a test part alone": ("locnet --labels {}/dataset-verse19test", "VerSe's part for training"),
    "a test part beside a bank": (
        "locnet --bank {}/bank --labels {}/dataset-verse19test", "parts for validation or test"),
    "a folder without label maps beside another": (
        "labelling --labels {}/labels {}/unlabelled", "unlabelled has a label map"),
    "scans without grades": ("grading --labels {}/labels", "has a grade.*--grades"),
    "scans without grades beside a bank": (
        "grading --bank {}/bank --labels {}/labels", "has a grade.*--grades"),
    "grades of other scans": (
        "grading --labels {}/labels --grades {}/others.csv", "names none of the scans"),
    "grades of no scans": (
        "grading --bank {}/bank --grades {}/others.csv", "no scans.*--labels"),
    "grades of other scans for all networks": (
        "all --bank {}/bank --labels {}/labels --grades {}/others.csv", "names none of the scans"),
    "a bad table for all networks": (
        "all --bank {}/bank --labels {}/labels --grades {}/bad.csv", "row 2.*one"),
    "weights of one network for all": (
        "all --bank {}/bank --initial-weights {models}/locnet.safetensors", "another shape"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_named_but_gives_no_case_is_refused_before_anything_is_written(
    case, places, tmp_path, capsys
):
    words, told = REFUSED[case]
    words = words.replace("{}", str(places)).replace("{models}", str(MODELS_FOLDER))
    common = ["--steps", "1", "--device", "cpu", "--threads", "1", "--out", str(tmp_path / "W")]
    assert main(["train", *words.split(), *common]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(told, said), said
    assert not (tmp_path / "W").exists()


def test_folders_of_labels_add_up_and_one_must_be_named():
    parser = make_parser()
    words = ["train", "locnet", "--out", "W", "--labels", "A", "B", "--labels", "C"]
    assert parser.parse_args(words).labels == [Path("A"), Path("B"), Path("C")]
    with pytest.raises((SystemExit, InputError)):
        parser.parse_args([*words, "--labels"])


def test_a_plan_without_cases_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="segmented_bodies"):
        SamplePlan(SegmentedBodySource(tmp_path), 0).next()


def test_bodies_are_cut_out_of_labelled_vertebrae_unless_told_otherwise(places, tmp_path):
    parser = make_parser()
    words = ["train", "segmentation", "--out", "W"]
    asked = [
        parser.parse_args([*words, *more])
        for more in ([], ["--split-bodies"], ["--no-split-bodies"])
    ]
    assert [args.config_from(args).split_bodies for args in asked] == [True, True, False]
    write_verse_subject(tmp_path / "verse", "sub-verse900")
    source = LabelledSegmentationSource([tmp_path / "verse"], tmp_path, shape_zyx=(64, 96, 80))
    samples = [source.draw(source.names()[0], np.random.default_rng(seed)) for seed in range(3)]
    assert any(s["has_body"] and s["body"].any() for s in samples)


def test_a_folder_of_some_networks_is_completed_by_the_bundled_ones(tmp_path):
    _, record = load_network("grading")
    entry = {
        "file": "grading.safetensors",
        "sha256": record.sha256,
        "architecture": record.metadata["architecture"],
        "config": json.loads(record.metadata["config"]),
    }
    (tmp_path / "models.json").write_text(json.dumps({"locnet": entry}))
    network = GradingTask(GradingConfig(TrainingConfig(tmp_path, steps=1), None)).build_network()
    load_start(network, tmp_path, "grading")
    bundled = load_network("grading")[0].state_dict()
    assert all(torch.equal(v, bundled[k]) for k, v in network.state_dict().items())
