"""What ``--setting`` chooses: how much is computed for how much accuracy."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from types import MappingProxyType

from .errors import InputError

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Setting:
    """Choices between speed and accuracy.

    Attributes
    ----------
    name : str
    along_spine : bool
        Look for vertebrae along the spine only; see `localisation.corridor`.
    crop_shapes_zyx : tuple of tuple of int
        Sizes of the crop a vertebra is segmented in, mm (voxels of 1 mm), smallest first. A larger
        one is taken only where the vertebra comes close to the sides of the one before.
    recentre_mm : float
        Segment again around the body that was found, if it lies further than this from the centre
        that was found first; 0 never does.
    mirrored : bool
        Average the segmentation with that of the mirrored crop.
    bfloat16 : bool
        Localisation and segmentation compute in bfloat16, where the device can, instead of float32.
    """

    name: str
    along_spine: bool = True
    crop_shapes_zyx: tuple[Shape, ...] = ((80, 112, 112),)
    recentre_mm: float = 6.0
    mirrored: bool = False
    bfloat16: bool = True

    def __str__(self) -> str:
        """Name of the setting."""
        return self.name


BEST = Setting("best")
FAST = Setting("fast", crop_shapes_zyx=((64, 96, 96),), recentre_mm=0.0)

SETTINGS = MappingProxyType({s.name: s for s in (FAST, BEST)})
"""Name -> setting; the command line offers these."""


def setting_named(name: str) -> Setting:
    """Return a setting.

    Raises
    ------
    InputError
        ``unknown_setting``.
    """
    if name not in SETTINGS:
        raise InputError(
            "unknown_setting",
            f"There is no setting '{name}'.",
            f"Choose one of {', '.join(SETTINGS)}.",
        )
    return SETTINGS[name]


def add_setting_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--setting``."""
    parser.add_argument(
        "--setting",
        choices=tuple(SETTINGS),
        default=BEST.name,
        help="best (default), or fast: less time, slightly less accurate",
    )
