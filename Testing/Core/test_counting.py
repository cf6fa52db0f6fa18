"""Numbers of things are told in words that fit them."""

from __future__ import annotations

from vertebra_core.counting import counted, ranges


def test_a_noun_stands_in_the_singular_for_one_alone():
    assert [counted(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [counted(n, "vertebra", "vertebrae") for n in (1, 12)] == ["1 vertebra", "12 vertebrae"]


def test_runs_of_numbers_are_told_by_their_ends():
    assert ranges([60, 3, 1, 2, 27, 28, 3]) == "1-3, 27, 28, 60"
    assert ranges([]) == ""
