"""How often each value occurs in an array: few numbers that stand for millions of voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MAX_TABLE = 1 << 17  # bins; wider ranges of whole numbers are sorted


@dataclass(frozen=True)
class ValueCounts:
    """Distinct values of an array and their counts.

    Attributes
    ----------
    values : ndarray of float32, shape (n,)
        In rising order.
    counts : ndarray of int64, shape (n,)
    """

    values: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, array: np.ndarray) -> ValueCounts:
        """Count the values of an array of any shape and numeric type, without NaN."""
        if array.dtype.kind in "iu" and array.size:
            low, high = int(array.min()), int(array.max())
            if high - low < _MAX_TABLE:
                table = np.bincount((array.astype(np.int64) - low).ravel())
                found = np.flatnonzero(table)
                return cls((found + low).astype(np.float32), table[found])
        return cls(*np.unique(array.astype(np.float32), return_counts=True))

    @property
    def total(self) -> int:
        """Size of the array."""
        return int(self.counts.sum())

    def number(self, chosen: np.ndarray) -> int:
        """How many elements have the values chosen, (n,) bool."""
        return int(self.counts[chosen].sum())

    def share(self, chosen: np.ndarray) -> float:
        """Share of all elements that have the values chosen, (n,) bool; 0 of an empty array."""
        return self.number(chosen) / max(self.total, 1)

    def part(self, chosen: np.ndarray) -> ValueCounts:
        """Only the values chosen, (n,) bool."""
        return ValueCounts(self.values[chosen], self.counts[chosen])

    def less(self, shift: float) -> ValueCounts:
        """The same with `shift` subtracted from every value."""
        return ValueCounts(self.values - np.float32(shift), self.counts)

    def without_most_common(self, n: int) -> ValueCounts:
        """All but the `n` most common values."""
        kept = np.ones(len(self.values), bool)
        kept[np.argsort(self.counts)[-n:]] = False
        return self.part(kept)
