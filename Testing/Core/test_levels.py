"""The table of levels: names, VerSe numbers, order, codes."""

from __future__ import annotations

import pytest
from vertebra_core.levels import (
    LEVELS,
    MOBILE_LEVELS,
    Region,
    is_level_number,
    level_named,
    level_numbered,
)


def test_levels_run_from_head_to_foot():
    names = [level.name for level in LEVELS]
    assert names[:7] == [f"C{i}" for i in range(1, 8)]
    assert names[7:20] == [f"T{i}" for i in range(1, 14)]
    assert names[20:] == ["L1", "L2", "L3", "L4", "L5", "L6", "S1"]
    assert [level.order for level in LEVELS] == list(range(27))


@pytest.mark.parametrize(
    ("name", "number"),
    [("C1", 1), ("C7", 7), ("T1", 8), ("T12", 19), ("L1", 20), ("L5", 24), ("L6", 25), ("S1", 26),
     ("T13", 28)],
)  # fmt: skip
def test_numbers_are_those_of_verse(name, number):
    assert level_named(name).number == number
    assert level_numbered(number).name == name


def test_numbers_are_unique_and_leave_out_27():
    assert sorted(level.number for level in LEVELS) == [*range(1, 27), 28]
    assert not is_level_number(27)
    assert not is_level_number(0)
    assert is_level_number(28)


def test_an_analysis_may_name_all_levels_but_the_sacrum():
    assert len(MOBILE_LEVELS) == 26
    assert all(level.region is not Region.SACRAL for level in MOBILE_LEVELS)
    assert all(level.order == i for i, level in enumerate(MOBILE_LEVELS))


def test_regions_follow_the_names():
    first = {"C": Region.CERVICAL, "T": Region.THORACIC, "L": Region.LUMBAR, "S": Region.SACRAL}
    assert all(level.region is first[level.name[0]] for level in LEVELS)


def test_only_the_variants_lack_a_snomed_code_and_codes_are_unique():
    assert {level.name for level in LEVELS if level.snomed_code is None} == {"T13", "L6"}
    codes = [level.snomed_code for level in LEVELS if level.snomed_code is not None]
    assert len(set(codes)) == len(codes)
    assert all(code.isdigit() for code in codes)


def test_snomed_codes_have_a_valid_check_digit():
    # SNOMED CT identifiers end in a Verhoeff check digit: one wrong digit fails.
    times = [[(i + j) % 5 if i < 5 and j < 5 else 0 for j in range(10)] for i in range(10)]
    for i in range(10):
        for j in range(10):
            a, b = i % 5, j % 5
            turn = (a - b) if i >= 5 else (a + b)
            times[i][j] = turn % 5 + (5 if (i >= 5) != (j >= 5) else 0)
    permutation = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
    for _ in range(6):
        permutation.append([permutation[-1][permutation[1][i]] for i in range(10)])
    for level in LEVELS:
        if level.snomed_code is None:
            continue
        check = 0
        for position, digit in enumerate(reversed(level.snomed_code)):
            check = times[check][permutation[position % 8][int(digit)]]
        assert check == 0, level


def test_neighbouring_levels_differ_in_colour():
    for above, below in zip(LEVELS[:-1], LEVELS[1:], strict=True):
        difference = sum(abs(a - b) for a, b in zip(above.color_rgb, below.color_rgb, strict=True))
        assert difference > 120, (above.name, below.name)


def test_unknown_levels_are_refused():
    with pytest.raises(KeyError):
        level_named("T14")
    with pytest.raises(KeyError):
        level_numbered(27)
