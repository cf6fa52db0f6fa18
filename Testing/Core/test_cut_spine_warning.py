"""A warning where the edge of a scan runs through the bodies of the spine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_stages import fake_stages, true_centres, trunk_ct
from vertebra_core.cut_spine import cut_spine_warnings
from vertebra_core.pipeline import analyze
from vertebra_core.segmentation.segment import VertebraMask
from vertebra_core.stages import Candidate

NOTHING = np.zeros((1, 1, 1), np.float16)


def row(cut) -> list[Candidate]:
    mask = VertebraMask((0.0, 0.0, 0.0), (0, 0, 0), (0.0, 0.0, 0.0), NOTHING, NOTHING)
    return [Candidate(mask, (0.0, 0.0, -25.0 * k), c, c) for k, c in enumerate(cut)]


@pytest.mark.parametrize(
    ("cut", "warned"),
    [
        ((1, 1, 1), True),
        ((0, 1, 1, 1, 0), True),
        # Both ends of a scan; half of the bodies is not most.
        ((1, 0, 1), False),
        ((1, 1), False),
        ((1, 1, 1, 0, 0, 0), False),
    ],
)
def test_it_is_told_where_the_edge_cuts_most_bodies(cut, warned):
    assert bool(cut_spine_warnings(row([bool(c) for c in cut]))) == warned


def test_a_scan_that_ends_within_the_bodies_is_told():
    ct = trunk_ct()
    column = round(float(ct.lps_to_index(np.array(true_centres()[0]))[2]))
    cut = replace(ct, hu=ct.hu[:, :, : column + 4].copy())
    (told,) = [
        w for w in analyze(cut, stages=fake_stages()).analysis.warnings if "cuts 4 of 4" in w
    ]
    assert told.endswith(".")
    whole = analyze(ct, stages=fake_stages()).analysis.warnings
    assert not [w for w in whole if w.startswith("The edge")]
