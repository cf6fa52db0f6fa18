"""What the values of an image are: Hounsfield units, shifted units, grey values, labels or MR."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

UNSIGNED_SHIFT = 1024
_SAMPLE_VOXELS = 2_000_000

# Shares of voxels below were chosen from five real CTs, crops of them down to a single lumbar
# body, and MR; see Testing/Core/test_volume_checks.py.
_MIN_TISSUE_SHARE = 0.02  # of all voxels within -200..250 HU
_MIN_FAT_SHARE = 0.002  # of all voxels within -250..-20 HU: marrow and paraspinal fat at least
_MAX_GAP_SHARE = 1.0  # voxels within -700..-250 HU for each one within -200..250 HU
_MAX_LABELS = 300
_MIN_LABEL_RUNS = 0.75  # of voxels that are not 0, those that equal their neighbour
_FEW_LABELS = 40
_AIR_LIMIT_HU = -300


class Scale(Enum):
    """Kinds of values an image may hold."""

    HOUNSFIELD = "Hounsfield units"
    UNSIGNED_SHIFTED = "Hounsfield units plus 1024"
    CONSTANT = "one value"
    ALL_AIR = "air only"
    LABEL_MAP = "labels"
    EIGHT_BIT = "8-bit grey values"
    MAGNETIC_RESONANCE = "magnetic resonance"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class IntensitySample:
    """A sample of an image's values.

    Attributes
    ----------
    low, high : float
        Smallest and largest value of the whole image.
    values : ndarray, shape (n,)
        Values of rows spread over the image.
    n_distinct : int
        Number of different values in the sample.
    whole : bool
        True when all sampled values are whole numbers.
    run_share : float
        Share of the sampled voxels other than 0 that equal their neighbour along x.
    """

    low: float
    high: float
    values: np.ndarray
    n_distinct: int
    whole: bool
    run_share: float

    def scale(self) -> Scale:
        """Tell what kind of values these are."""
        if self.low == self.high:
            return Scale.CONSTANT
        if self._is_label_map():
            return Scale.LABEL_MAP
        if self.whole and (0 <= self.low and self.high <= 255):
            return Scale.EIGHT_BIT
        if self.whole and (self.low >= -128 and self.high <= 127):
            return Scale.EIGHT_BIT
        if np.mean(self.values > _AIR_LIMIT_HU) < 1e-4:
            return Scale.ALL_AIR
        if looks_like_hounsfield(self.values):
            return Scale.HOUNSFIELD
        if self.low >= 0 and looks_like_hounsfield(self.values - UNSIGNED_SHIFT):
            return Scale.UNSIGNED_SHIFTED
        if np.mean(self.values < -20) < _MIN_FAT_SHARE and self.high > 255:
            return Scale.MAGNETIC_RESONANCE
        return Scale.UNKNOWN

    def _is_label_map(self) -> bool:
        if not self.whole or self.low < 0 or self.n_distinct > _MAX_LABELS:
            return False
        return self.n_distinct <= _FEW_LABELS or self.run_share >= _MIN_LABEL_RUNS


def sample_intensities(voxels: np.ndarray) -> IntensitySample:
    """Sample an image, shape (z, y, x), of any numeric type and without NaN."""
    low, high = float(voxels.min()), float(voxels.max())
    row_stride = max(1, int(np.sqrt(voxels.size / _SAMPLE_VOXELS)))
    rows = voxels[::row_stride, ::row_stride].astype(np.float32)
    inner, following = rows[..., :-1], rows[..., 1:]
    labelled = inner != 0
    runs = np.count_nonzero((inner == following) & labelled) / max(1, np.count_nonzero(labelled))
    distinct = np.unique(rows)
    return IntensitySample(
        low=low,
        high=high,
        values=rows.ravel(),
        n_distinct=len(distinct),
        whole=bool(np.all(distinct == np.rint(distinct))),
        run_share=float(runs),
    )


def looks_like_hounsfield(values: np.ndarray) -> bool:
    """Tell whether `values` are distributed as in a CT of the body in Hounsfield units."""
    tissue = np.mean((values >= -200) & (values <= 250))
    fat = np.mean((values >= -250) & (values <= -20))
    gap = np.mean((values > -700) & (values < -250))
    return bool(
        tissue >= _MIN_TISSUE_SHARE and fat >= _MIN_FAT_SHARE and gap <= _MAX_GAP_SHARE * tissue
    )
