"""The choice of methods: which weights a run loads, and what they may be used for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn
from vertebra_core import stages
from vertebra_core.errors import WeightsError
from vertebra_core.fracture_stage import FractureStage
from vertebra_core.grading.fracture_networks import FracNet
from vertebra_core.lesion_stage import LesionStage
from vertebra_core.vertebraformer.network import VertebraFormer

TINY = {"widths": (8, 8, 8), "width": 12, "layers": 2, "heads": 2}


def test_an_analysis_looks_for_lesions_where_it_is_asked_to(monkeypatch):
    def load(name, folder, device):
        loaded.append(name)
        return nn.Identity(), SimpleNamespace(sha256="00")

    loaded: list[str] = []
    monkeypatch.setattr(stages, "load_network", load)
    assert isinstance(stages.bundled_stages("cpu", 1, lesions=True).grade, LesionStage)
    assert "vertebraformer" in loaded
    loaded.clear()
    assert not isinstance(stages.bundled_stages("cpu", 1).grade, LesionStage)
    assert loaded == ["locnet", "segmentation", "labelling", "grading"]


def test_the_methods_of_a_stop_can_be_chosen(monkeypatch):
    networks = {"fracnet_focal": FracNet((4, 4))}
    loaded: list[str] = []

    def load(name, folder, device):
        loaded.append(name)
        return networks.get(name, nn.Identity()), SimpleNamespace(sha256="00")

    monkeypatch.setattr(stages, "load_network", load)
    chosen = stages.bundled_stages("cpu", 1, labeller="single", grader="fracnet_focal")
    assert isinstance(chosen.grade, FractureStage)
    assert loaded == ["locnet", "segmentation", "single_labelling", "fracnet_focal"]
    assignment, levels = chosen.label(None, [])
    assert levels == () and assignment.detections == ()
    networks["wrong"] = VertebraFormer(**TINY)
    with pytest.raises(WeightsError, match="do not grade"):
        stages.bundled_stages("cpu", 1, grader="wrong")
