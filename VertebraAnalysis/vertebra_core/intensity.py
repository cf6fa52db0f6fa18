"""What the values of an image are: Hounsfield units, shifted units, grey values, labels or MR."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from vertebra_core.value_counts import ValueCounts

UNSIGNED_SHIFT = 1024
_SAMPLE_VOXELS = 2_000_000

# Where the scale fixes values: soft tissue, and fat (marrow and paraspinal fat are in any crop
# that holds a vertebra).
_TISSUE_HU = (-200, 250)
_FAT_HU = (-250, -20)
_AIR_LIMIT_HU = -300
_LUNG_LIMIT_HU = -500
_LEAST_BONE_HU = 150
# Scanners pad what lies outside their field of view with values such as -2000 and -3024.
_PADDING_LIMIT = -1500
_PADDING_VALUES = 2
# Where HU + 1024 are resampled, splines ring below 0: in 0.08 % of three CTs below -50 at most.
_LEAST_SHIFTED = -50
_MAX_BELOW_SHIFTED_SHARE = 0.01

# Where values are not Hounsfield units but multiples of them, air lies below -1500 and is no
# constant: 0.28-0.43 of all voxels in three CTs times 2 or 10, none in the CTs. Where the sign is
# wrong, air and lung lie above 600: 0.58 or more of what soft tissue has in them; dense bone, 0.04,
# and 0.32 in the densest of 1500 parts of CTs without air.
_AIR_HU = (-1150, -850)
_MIN_STRETCHED_SHARE = 0.02
_INVERTED_AIR = (600, 1100)
_MIN_INVERTED_SHARE = 0.5

# Shares were read off real data. The voxels between lung and fat (-700..-250 HU) plus those above
# 300 HU number 0.07-0.52 of those in soft tissue in five CTs, and 1.5 or more in ten MR images
# stretched to any range that could be taken for HU + 1024.
_MIN_TISSUE_SHARE = 0.01
_MIN_SHIFTED_TISSUE_SHARE = 0.1
_MIN_FAT_SHARE = 0.001
_MAX_SPREAD = 1.0
_MIN_LUNG_SHARE = 0.05
_MAX_LABELS = 300
_FEW_LABELS = 40
_MIN_LABEL_RUNS = 0.75  # of voxels that are not 0, those that equal their neighbour

# Of the voxels above -200 HU in four CTs with and without metal, a millionth have the highest
# value; cut off at 500 HU, 0.6 % and more have. Scanners' own scales end at 3071 HU or above, and
# what is lost above 1000 HU is little.
_MIN_CUT_OFF_SHARE = 0.003
_FULL_SCALE_HU = 1000


class Scale(Enum):
    """Kinds of values an image may hold."""

    HOUNSFIELD = "Hounsfield units"
    UNSIGNED_SHIFTED = "Hounsfield units plus 1024"
    CONSTANT = "one value"
    ALL_AIR = "air only"
    LABEL_MAP = "labels"
    EIGHT_BIT = "8-bit grey values"
    MAGNETIC_RESONANCE = "magnetic resonance, or CT without its density scale"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class IntensitySample:
    """A sample of an image's values.

    Attributes
    ----------
    low, high : float
        Smallest and largest value of the whole image.
    found : ValueCounts
        Values of rows spread over the image.
    whole : bool
        True when all sampled values are whole numbers.
    run_share : float
        Share of the sampled voxels other than 0 that equal their neighbour along x.
    """

    low: float
    high: float
    found: ValueCounts
    whole: bool
    run_share: float

    @property
    def n_distinct(self) -> int:
        """Number of different values in the sample."""
        return len(self.found.values)

    def scale(self) -> Scale:
        """Tell what kind of values these are."""
        if self.low == self.high:
            return Scale.CONSTANT
        if self._is_label_map():
            return Scale.LABEL_MAP
        if self.whole and ((self.low >= 0 and self.high <= 255) or self._is_signed_byte()):
            return Scale.EIGHT_BIT
        inside = self.found.part(self.found.values > _PADDING_LIMIT)
        if inside.share(inside.values > _AIR_LIMIT_HU) < 1e-4:
            return Scale.ALL_AIR
        if looks_like_shifted_hounsfield(inside) and _is_unsigned(inside):
            return Scale.UNSIGNED_SHIFTED
        if looks_like_hounsfield(inside) and not _is_stretched(self.found):
            return Scale.HOUNSFIELD
        if inside.share(inside.values < -20) < _MIN_FAT_SHARE and self.high > 255:
            return Scale.MAGNETIC_RESONANCE
        return Scale.UNKNOWN

    def ceiling_hu(self, shift: int = 0) -> float | None:
        """Return where higher values were cut off, as by saving a window; None if none were.

        Parameters
        ----------
        shift : int
            What the values are above Hounsfield units.
        """
        top = self.high - shift
        body = self.found.part(self.found.values > _TISSUE_HU[0] + shift)
        if top >= _FULL_SCALE_HU or not body.total:
            return None
        at_top = body.share(body.values >= np.float32(self.high))
        return top if at_top >= _MIN_CUT_OFF_SHARE else None

    def _is_signed_byte(self) -> bool:
        return self.low == -128 and self.high == 127

    def _is_label_map(self) -> bool:
        if not self.whole or self.low < 0 or self.n_distinct > _MAX_LABELS:
            return False
        return self.n_distinct <= _FEW_LABELS or self.run_share >= _MIN_LABEL_RUNS


def sample_intensities(voxels: np.ndarray) -> IntensitySample:
    """Sample an image, shape (z, y, x), of any numeric type and without NaN."""
    row_stride = max(1, int(np.sqrt(voxels.size / _SAMPLE_VOXELS)))
    rows = voxels[::row_stride, ::row_stride]
    inner, following = rows[..., :-1], rows[..., 1:]
    labelled = inner != 0
    runs = np.count_nonzero((inner == following) & labelled) / max(1, np.count_nonzero(labelled))
    found = ValueCounts.of(rows)
    return IntensitySample(
        low=float(voxels.min()),
        high=float(voxels.max()),
        found=found,
        whole=bool(np.all(found.values == np.rint(found.values))),
        run_share=float(runs),
    )


def looks_like_hounsfield(found: ValueCounts) -> bool:
    """Tell whether values are distributed as Hounsfield units of a body with bone."""
    hu = found.values
    tissue, fat, spread = _shares(found)
    # A window that ends above lung leaves one value of it.
    floor = min(float(hu.min()), _AIR_LIMIT_HU)
    lung = found.share((hu < _LUNG_LIMIT_HU) | (hu == floor))
    return bool(
        tissue >= _MIN_TISSUE_SHARE
        and fat >= _MIN_FAT_SHARE
        and hu.max() >= _LEAST_BONE_HU
        and (spread <= _MAX_SPREAD or lung >= _MIN_LUNG_SHARE)
        and not _is_inverted(found)
    )


def looks_like_shifted_hounsfield(found: ValueCounts) -> bool:
    """Tell whether values less 1024 are distributed as Hounsfield units of a body with bone."""
    shifted = found.less(UNSIGNED_SHIFT)
    tissue, fat, spread = _shares(shifted)
    return bool(
        tissue >= _MIN_SHIFTED_TISSUE_SHARE
        and fat >= _MIN_FAT_SHARE
        and shifted.values.max() >= _LEAST_BONE_HU
        and spread <= _MAX_SPREAD
        and not _is_inverted(shifted)
    )


def _is_unsigned(found: ValueCounts) -> bool:
    """Tell whether hardly any value is below 0 but padding and what interpolation makes there."""
    low = found.part(found.values < _LEAST_SHIFTED).without_most_common(_PADDING_VALUES)
    return low.total <= _MAX_BELOW_SHIFTED_SHARE * found.total


def _is_stretched(found: ValueCounts) -> bool:
    """Tell whether values are multiples of Hounsfield units: what lies far below varies as air."""
    low = found.part(found.values < _PADDING_LIMIT)
    least = _MIN_STRETCHED_SHARE * found.total
    if low.total < least:
        return False
    air = found.number((found.values > _AIR_HU[0]) & (found.values < _AIR_HU[1]))
    return low.without_most_common(_PADDING_VALUES).total >= max(least, air)


def _is_inverted(found: ValueCounts) -> bool:
    """Tell whether values are Hounsfield units of the wrong sign, with air and lung in view."""
    hu = found.values
    tissue = found.number((hu >= _TISSUE_HU[0]) & (hu <= _TISSUE_HU[1]))
    bright = found.number((hu > _INVERTED_AIR[0]) & (hu < _INVERTED_AIR[1]))
    air = found.number(hu < _LUNG_LIMIT_HU)
    return bright > max(_MIN_INVERTED_SHARE * tissue, air)


def _shares(found: ValueCounts) -> tuple[float, float, float]:
    """Shares of soft tissue and of fat, and what CT hardly has per voxel of soft tissue."""
    hu = found.values
    tissue = found.share((hu >= _TISSUE_HU[0]) & (hu <= _TISSUE_HU[1]))
    fat = found.share((hu >= _FAT_HU[0]) & (hu <= _FAT_HU[1]))
    rare = found.share(((hu > -700) & (hu < -250)) | (hu > 300))
    return tissue, fat, rare / max(tissue, 1e-9)
