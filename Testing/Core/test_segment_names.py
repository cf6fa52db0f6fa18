"""Names of segments that are vertebrae, and of those that only mention one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from example_analysis import example
from vertebra_core.errors import InputError
from vertebra_core.segment_levels import numbered_by_level
from vertebra_core.segment_names import level_in_name


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("L2", "L2"),
        ("vertebra_L2", "L2"),
        ("vertebrae_T12", "T12"),
        ("L2 vertebra", "L2"),
        ("VertebraL2", "L2"),
        ("Th12", "T12"),
        ("T 12", "T12"),
        ("D12", "T12"),
        ("Lumbar 2", "L2"),
        ("Vertebra Lumbar 3", "L3"),
        ("lumbar vertebra 4", "L4"),
        ("LWK 2", "L2"),
        ("BWK12", "T12"),
        ("HWK_3", "C3"),
        ("3. Lendenwirbel", "L3"),
        ("L1 Wirbelkörper", "L1"),
        ("L1 (2)", "L1"),
        ("L5_1", "L5"),
        ("Segment_5 L2", "L2"),
        ("L2 body v2", "L2"),
        ("S1", "S1"),
    ],
)
def test_a_level_and_words_of_a_vertebra_name_one(name, level):
    assert level_in_name(name) == level


@pytest.mark.parametrize(
    "name",
    [
        "disc L4/5", "disc L4-5", "L4/5", "L4-L5", "L4_5", "L5-S1", "disk L4", "IVD L3",
        "Bandscheibe L4", "rib T9", "Rippe T9", "muscle L3", "L3 nerve", "foramen L4",
        "ganglion L5", "ligament L2", "lumbar artery 3", "Left kidney", "Segment_2", "L9", "T12 L1",
    ],
)  # fmt: skip
def test_what_only_mentions_a_level_is_no_vertebra(name):
    assert level_in_name(name) is None


def named(names: dict[int, str], values=(19, 20, 21)):
    _, labels, _, _ = example()
    table = np.zeros(64, np.uint8)
    table[[19, 20, 21]] = values
    return replace(labels, labels=table[labels.labels], names=names)


def test_a_disc_beside_its_vertebra_is_left_out_and_told():
    numbered, (warning,) = numbered_by_level(named({19: "L3", 20: "L4", 21: "disc L4-5"}))
    assert set(np.unique(numbered.labels)) == {0, 22, 23}
    assert "disc L4-5" in warning and "left out" in warning


def test_segments_that_only_mention_levels_are_no_vertebrae_by_their_numbers_either():
    with pytest.raises(InputError) as refused:
        numbered_by_level(named({19: "muscle L3", 20: "disc L4/5", 21: "nerve L5"}))
    assert refused.value.code == "no_vertebra_labels" and "L1, L2" in refused.value.hint


def test_german_names_count_more_than_numbers():
    numbered, warnings = numbered_by_level(named({1: "LWK 2", 2: "LWK 3", 3: "LWK 4"}, (1, 2, 3)))
    assert set(np.unique(numbered.labels)) == {0, 21, 22, 23} and warnings == ()


def test_segments_that_were_only_counted_are_no_cervical_vertebrae():
    counted = named({1: "Segment_1", 2: "Segment_2", 3: "Segment_3"}, (1, 2, 3))
    with pytest.raises(InputError) as refused:
        numbered_by_level(counted)
    assert "only count" in refused.value.message and "Name segments" in refused.value.hint
    assert set(np.unique(numbered_by_level(counted, "verse")[0].labels)) == {0, 1, 2, 3}
