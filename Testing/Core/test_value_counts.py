"""Counted values: the same for whole numbers and for numbers with a point."""

from __future__ import annotations

import numpy as np
import pytest
from vertebra_core.value_counts import ValueCounts

ARRAY = np.array([[3, -1024, 3], [40, 40, 3]])


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_values_are_counted_whatever_their_type(kind):
    counted = ValueCounts.of(ARRAY.astype(kind))
    assert counted.values.tolist() == [-1024, 3, 40]
    assert counted.counts.tolist() == [1, 3, 2]
    assert counted.total == 6


def test_whole_numbers_far_apart_are_counted_too():
    counted = ValueCounts.of(np.array([-(2**31), 7, 2**31 - 1, 7], np.int32))
    assert counted.counts.tolist() == [1, 2, 1]


def test_an_array_without_elements_has_no_values():
    counted = ValueCounts.of(np.zeros((0, 4), np.int16))
    assert counted.total == 0 and counted.share(counted.values > 0) == 0


def test_shares_and_parts_are_those_of_the_elements():
    counted = ValueCounts.of(ARRAY)
    assert counted.share(counted.values > 0) == pytest.approx(5 / 6)
    assert counted.part(counted.values > 3).total == 2
    assert counted.less(3).values.tolist() == [-1027, 0, 37]


def test_the_most_common_values_are_left_out():
    left = ValueCounts.of(ARRAY).without_most_common(2)
    assert left.values.tolist() == [-1024]
