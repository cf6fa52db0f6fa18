"""A volume whose head and foot are swapped is told by bodies that grow towards the head."""

from __future__ import annotations

import numpy as np
import pytest
from fake_stages import fake_stages, trunk_ct
from vertebra_core.pipeline import analyze
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.stages import Candidate
from vertebra_core.upside_down import upside_down_warnings

# ml, C7-T12 of an adult.
VOLUMES_ML = (8.0, 9.0, 9.5, 10.0, 11.0, 12.0, 13.0, 14.0, 15.5, 17.0, 19.0, 22.0, 25.0)


def row(volumes_ml, cut=()) -> list[Candidate]:
    """Vertebrae head to foot with bodies of these volumes."""
    candidates = []
    for k, volume in enumerate(volumes_ml):
        body = np.zeros((30, 40, 40), np.float16)
        body.reshape(-1)[: round(1000 * volume)] = 1
        center = (0.0, 0.0, -22.0 * k)
        mask = VertebraMask(center, (0, 0, 0), center, body, body)
        candidates.append(Candidate(mask, center, body_cut=k in cut, arch_cut=False))
    return candidates


def test_bodies_that_grow_towards_the_head_are_told():
    assert upside_down_warnings(row(VOLUMES_ML)) == []
    (told,) = upside_down_warnings(row(VOLUMES_ML[::-1]))
    assert "head and foot may be swapped" in told and told.endswith(".")


@pytest.mark.parametrize(
    "volumes_ml",
    [
        (38.0,) * 8,
        # Two at the lower end, collapsed by half.
        (*VOLUMES_ML[3:11], 11.0, 12.5),
        # The atlas has no body.
        (0.0,) * 9,
        # Few; all may be lumbar, the last one the sacrum's first.
        (40.0, 39.0, 38.0, 37.0, 20.0, 19.0),
    ],
)
def test_a_spine_that_stands_upright_is_not_told(volumes_ml):
    assert upside_down_warnings(row(volumes_ml)) == []


def test_what_the_edge_cuts_does_not_count():
    volumes = (25.0, 25.0, 25.0, *VOLUMES_ML[:9])
    assert upside_down_warnings(row(volumes)) != []
    assert upside_down_warnings(row(volumes, cut=(0, 1, 2))) == []


def test_an_analysis_passes_the_warning_on(monkeypatch):
    from vertebra_core import pipeline

    monkeypatch.setattr(pipeline, "upside_down_warnings", lambda candidates: ["Check."])
    assert "Check." in analyze(trunk_ct(), stages=fake_stages()).analysis.warnings
