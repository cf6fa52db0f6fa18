"""Which pipeline the `evaluate` commands measure: its weights, device, threads and setting."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from labelled_folder import write_plain_case
from refused_scans import refuse_all_scans
from toy_phantom import toy_scene
from vertebra_core.analysis_options import AnalysisOptions
from vertebra_core.command_line import main
from vertebra_core.errors import WeightsError
from vertebra_core.evaluation.measured_pipeline import weights_of
from vertebra_core.evaluation.phantom_cases import EVALUATION_SEED_START
from vertebra_core.evaluation.tables import Table
from vertebra_core.models import available_networks
from vertebra_core.phantom.scene import save_scene
from vertebra_core.stages import bundled_stages


@pytest.fixture
def words(tmp_path) -> dict[str, list[str]]:
    """Kind of evaluation -> its arguments, for a single scan, with everything chosen."""
    write_plain_case(tmp_path, "one")
    scene = replace(toy_scene(1.5), seed=EVALUATION_SEED_START)
    save_scene(scene, tmp_path / f"scene_{EVALUATION_SEED_START:08d}.npy")
    phantoms = ["--count", "1", "--spacing", "2", "--pixel", "2", "--scenes", str(tmp_path)]
    how = ["--device", "cpu", "--threads", "1", "--models", str(tmp_path), "--setting", "fast"]
    return {
        "cases": ["evaluate", "cases", str(tmp_path), *how],
        "phantoms": ["evaluate", "phantoms", *phantoms, *how],
        "consistency": [
            "evaluate", "consistency", str(tmp_path / "one_ct.nii.gz"), "--perturb", "noise", *how
        ],
        "public": ["evaluate", "cases", "--public-data", str(tmp_path), *how],
    }  # fmt: skip


@pytest.fixture
def asked(monkeypatch) -> list:
    """Options of all analyses; every scan is refused."""
    return refuse_all_scans(monkeypatch)


@pytest.fixture
def threads(monkeypatch) -> list:
    """Numbers of threads that were set; later tests keep theirs."""
    numbers = []
    monkeypatch.setattr("vertebra_core.devices.set_threads", numbers.append)
    return numbers


@pytest.mark.parametrize("kind", ["cases", "phantoms", "consistency"])
def test_what_was_chosen_reaches_every_analysis(kind, words, asked, threads, tmp_path):
    # Nothing is left of a scan that is refused and has no truth.
    assert main(words[kind]) == (2 if kind == "consistency" else 0)
    assert asked and threads == [1]
    for options in asked:
        assert (options.device, options.threads, options.models_folder) == ("cpu", 1, tmp_path)
        assert options.setting.name == "fast"


@pytest.mark.parametrize("kind", ["cases", "phantoms"])
def test_localisers_alone_use_the_same_weights_and_device(
    kind, words, asked, threads, tmp_path, monkeypatch
):
    made = []

    def comparison(models_folder, device):
        made.append((models_folder, str(device)))
        return lambda ct: {}

    monkeypatch.setattr("vertebra_core.evaluation.localiser_comparison.comparison", comparison)
    assert main([*words[kind], "--localisers"]) == 0
    assert made == [(tmp_path, "cpu")]


def test_expert_masks_are_graded_with_the_same_weights(
    words, threads, tmp_path, monkeypatch, capsys
):
    graded = []

    def grade_segmentation(labels, options):
        graded.append(options)
        return SimpleNamespace(analysis=SimpleNamespace(vertebrae=())), labels

    def evaluate_public_data(folder, evaluation, grade_masks):
        grade_masks(tmp_path / "one_labels.nii.gz")
        return [], Table("What must be reached", ("scan",), ())

    monkeypatch.setattr("vertebra_core.grade_pipeline.grade_segmentation", grade_segmentation)
    monkeypatch.setattr(
        "vertebra_core.evaluation.evaluate_cases.evaluate_public_data", evaluate_public_data
    )
    assert main(words["public"]) == 0
    (options,) = graded
    assert (options.device, options.threads, options.models_folder) == ("cpu", 1, tmp_path)


@pytest.mark.skipif(not available_networks(), reason="no bundled weights")
def test_the_weights_stated_are_those_that_an_analysis_loads(threads, monkeypatch):
    monkeypatch.setattr("vertebra_core.stages.set_threads", lambda _: 1)
    args = SimpleNamespace(device="cpu", threads=1, models=None)
    assert weights_of(args) == bundled_stages(AnalysisOptions("cpu", 1)).weights_sha256


def test_weights_are_stated_without_loading_them_and_altered_ones_are_refused(tmp_path):
    names = ("locnet", "segmentation", "labelling", "grading")
    index = {}
    for name in names:
        data = name.encode()
        (tmp_path / f"{name}.safetensors").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        index[name] = {"file": f"{name}.safetensors", "sha256": sha256}
    (tmp_path / "models.json").write_text(json.dumps(index))
    args = SimpleNamespace(device="cpu", threads=1, models=tmp_path)
    assert weights_of(args) == {name: index[name]["sha256"] for name in names}
    (tmp_path / "grading.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError) as caught:
        weights_of(args)
    assert caught.value.code == "weights_altered"
