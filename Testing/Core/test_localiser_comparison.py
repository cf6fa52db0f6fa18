"""LocNet-F and LocNet-H side by side, on a network that sees bright balls as vertebrae."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from vertebra_core.evaluation.localiser_comparison import LOCALISERS, compare_localisers
from vertebra_core.evaluation.records import CaseRecord, TrueVertebra
from vertebra_core.evaluation.report import report_tables
from vertebra_core.evaluation.summary import summarise
from vertebra_core.volume import CtVolume

SPINE_LPS_MM = tuple((80.0, 90.0, 30.0 + 30.0 * k) for k in range(5))
BALL_OFF_THE_SPINE = (20.0, 30.0, 100.0)


class BrightIsVertebra(nn.Module):
    """Heat and foreground grow with intensity; offsets are zero."""

    size_multiple = 16

    def forward(self, x):
        logit = 30 * (x - x.amax() * 0.75)
        zero = torch.zeros_like(x)
        return torch.cat([logit, zero, zero, zero, logit], 1)


def _ct():
    z, y, x = (2.0 * i for i in np.indices((96, 96, 80)))
    hu = np.full(z.shape, -50.0, np.float32)
    for cx, cy, cz in (*SPINE_LPS_MM, BALL_OFF_THE_SPINE):
        squared = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2
        hu += 600 * np.exp(-squared / (2 * 7.0**2))
    return CtVolume(hu, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def centres():
    return compare_localisers(_ct(), BrightIsVertebra())


def test_every_localiser_finds_the_spine_and_the_chain_drops_what_is_beside_it(centres):
    assert set(centres) == set(LOCALISERS)
    for name, found in centres.items():
        distance = np.linalg.norm(np.array(SPINE_LPS_MM)[:, None] - np.array(found)[None], axis=-1)
        assert distance.min(1).max() < 2.5, name
        assert len(found) == (6 if "without" in name else 5), name


def test_the_report_states_each_localiser_alone(centres):
    truth = tuple(
        TrueVertebra(n, c)
        for n, c in zip(("L5", "L4", "L3", "L2", "L1"), SPINE_LPS_MM, strict=True)
    )
    record = CaseRecord(
        "balls", "phantom", (2.0, 2.0, 2.0), truth, (), centres_by_localiser=dict(centres)
    )
    figures = summarise([record])["localisation_by_localiser"]
    assert figures["LocNet-H"]["all"]["recall"] == 1.0
    assert figures["LocNet-F"]["lumbar"]["error_max_mm"] < 2.5
    titles = [t.title for t in report_tables([record], "Phantoms")]
    assert "Phantoms: localisation by LocNet-F" in titles
    assert "Phantoms: localisation by LocNet-H without chain" in titles


def test_a_report_without_localisers_alone_says_how_to_get_them(centres):
    truth = (TrueVertebra("L5", SPINE_LPS_MM[0]),)
    record = CaseRecord("balls", "phantom", (2.0, 2.0, 2.0), truth, ())
    with_them = replace(record, centres_by_localiser=dict(centres))

    def note(own: CaseRecord) -> str:
        return next(t.note for t in report_tables([own], "A") if t.title == "A: localisation")

    assert "--localisers" in note(record)
    assert "--localisers" not in note(with_them)
