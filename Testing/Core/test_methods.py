"""The choice of methods: which weights a run loads, and what they may be used for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from vertebra_core import methods
from vertebra_core.analysis_options import AnalysisOptions
from vertebra_core.errors import WeightsError
from vertebra_core.fracture_stage import FractureStage
from vertebra_core.grading_stage import GradingStage
from vertebra_core.lesion_stage import LesionStage
from vertebra_core.methods import LESION_FINDER
from vertebra_core.models import MODELS_FOLDER, available_networks, register_weights, save_weights
from vertebra_core.networks.registry import build_network
from vertebra_core.settings import SETTINGS
from vertebra_core.stages import bundled_stages

TINY = {
    "locnet": ("SubpixelUNet", {"in_channels": 1, "out_channels": 5, "widths": [4, 8]}),
    "segmentation": ("SubpixelUNet", {"in_channels": 2, "out_channels": 2, "widths": [4, 8]}),
    "labelling": ("LabellingNetwork", {"widths": [8, 8, 8], "width": 16, "layers": 1, "heads": 2}),
    "grading": ("GradeNetwork", {"widths": [8, 8, 8], "hidden": 8}),
    "single_labelling": (
        "SingleVertebraNetwork",
        {"widths": [4, 4, 8, 8], "depths": [1] * 4, "width": 16, "layers": 1, "heads": 2},
    ),
    "fracnet_focal": ("FracNet", {"widths": [4, 4]}),
    "vertebraformer": (
        "VertebraFormer",
        {"widths": [8, 8, 8], "width": 12, "layers": 2, "heads": 2},
    ),
}

needs_bundled = pytest.mark.skipif(not available_networks(), reason="no bundled weights")


@pytest.fixture(autouse=True)
def threads_as_they_were():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def weights(tmp_path):
    """Write tiny networks, each under its name or another one, into a folder with an index."""

    def write(*names: str, **others: str) -> Path:
        for name, kind in (dict(zip(names, names, strict=True)) | others).items():
            architecture, config = TINY[kind]
            save_weights(build_network(architecture, config), tmp_path / f"{name}.safetensors")
            register_weights(tmp_path / f"{name}.safetensors")
        return tmp_path

    return write


def sums(folder: Path, *names: str) -> dict[str, str]:
    return {
        name: hashlib.sha256((folder / f"{name}.safetensors").read_bytes()).hexdigest()
        for name in names
    }


def test_an_analysis_takes_the_four_networks_of_its_road(weights):
    folder = weights(*TINY)
    stages = bundled_stages(AnalysisOptions("cpu", 1, folder))
    road = ("locnet", "segmentation", "labelling", "grading")
    assert stages.weights_sha256 == sums(folder, *road)
    assert isinstance(stages.grade, GradingStage)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=str)
def test_rows_are_named_twice_where_the_setting_says_so(setting, weights, monkeypatch):
    given = []
    monkeypatch.setattr(methods, "make_labeller", lambda *words: given.append(words))
    bundled_stages(AnalysisOptions("cpu", 1, weights(*TINY), setting=setting))
    assert [words[3] for words in given] == [setting.mirrored]


def test_an_analysis_looks_for_lesions_where_it_is_asked_to(weights):
    folder = weights(*TINY)
    stages = bundled_stages(AnalysisOptions("cpu", 1, folder, lesions=True))
    assert isinstance(stages.grade, GradingStage)
    assert isinstance(stages.find_lesions, LesionStage)
    assert bundled_stages(AnalysisOptions("cpu", 1, folder)).find_lesions is None
    assert stages.weights_sha256.items() >= sums(folder, LESION_FINDER).items()


def test_the_methods_of_a_stop_can_be_chosen(weights):
    folder = weights(*TINY)
    stages = bundled_stages(
        AnalysisOptions("cpu", 1, folder, labeller="single", grader="fracnet_focal")
    )
    assert isinstance(stages.grade, FractureStage)
    chosen = ("locnet", "segmentation", "single_labelling", "fracnet_focal")
    assert stages.weights_sha256 == sums(folder, *chosen)
    assignment, levels = stages.label(None, [])
    assert levels == () and assignment.detections == ()


@needs_bundled
def test_what_a_folder_of_own_weights_lacks_is_bundled(weights):
    folder = weights("single_labelling", "fracnet_focal")
    stages = bundled_stages(
        AnalysisOptions("cpu", 1, folder, labeller="single", grader="fracnet_focal")
    )
    own = sums(folder, "single_labelling", "fracnet_focal")
    assert stages.weights_sha256 == sums(MODELS_FOLDER, "locnet", "segmentation") | own


@needs_bundled
def test_lesions_are_looked_for_beside_own_weights_of_the_road(weights):
    road = ("locnet", "segmentation", "labelling", "grading")
    folder = weights(*road)
    stages = bundled_stages(AnalysisOptions("cpu", 1, folder, lesions=True))
    assert stages.weights_sha256 == sums(folder, *road) | sums(MODELS_FOLDER, LESION_FINDER)


@needs_bundled
def test_weights_that_are_nowhere_are_told_with_the_training_that_makes_them(weights):
    with pytest.raises(WeightsError, match="no network 'single_labelling'") as caught:
        bundled_stages(AnalysisOptions("cpu", 1, weights("fracnet_focal"), labeller="single"))
    assert "`train single_labelling --out FOLDER`" in caught.value.hint


def test_weights_that_do_not_grade_are_refused(weights):
    with pytest.raises(WeightsError, match="do not grade"):
        bundled_stages(
            AnalysisOptions("cpu", 1, weights(*TINY, wrong="vertebraformer"), grader="wrong")
        )
