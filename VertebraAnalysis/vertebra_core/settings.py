"""What ``--setting`` chooses: how much is computed for how much accuracy.

What each choice costs and gives was measured by ``benchmark --settings`` on a real chest (1 mm, 13
vertebrae) and a real abdomen (3 mm, 6 vertebrae with true masks), n = 1 each, in processor seconds
of the analysis alone, and by ``evaluate phantoms`` (n = 4 scans, 44 vertebrae):

- Looking along the spine runs LocNet on 3 windows instead of 8 on the chest. Centres are as good
  (3.1 instead of 3.2 mm on the chest, 1.11 instead of 1.09 mm on the abdomen), and so are masks
  (Dice of vertebrae and bodies 0.902 and 0.921 with either). Both settings do it.
- Small crops cost half as much as large ones, 6.5 s instead of 8.6 s for the chest. Bodies of the
  abdomen lose (0.919 instead of 0.921), its whole vertebrae do not (0.907 instead of 0.902), nor do
  phantoms (0.947 and 0.962 instead of 0.938 and 0.958). The processes of a large vertebra may be
  cut. Fast uses them, best does not.
- Small crops first, large ones where a vertebra comes close to their sides: nearly every thoracic
  one does, so the chest takes longer than with large crops alone. Neither does it.
- Segmenting again around the body found changed nothing where localisation is right, and costs
  nothing there. Best keeps it for where localisation is wrong.
- Averaging with mirrored crops takes 1.4 times as long, and gives 0.902 and 0.922 on the abdomen
  instead of 0.902 and 0.921. Neither does it.
- float32 takes 1.8 times as long; its masks agree with those of bfloat16 by 0.999.
- Weights stored channels-last, and two crops in a batch, save less than a tenth of a crop's 0.24 s;
  neither is done.
"""

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


BEST = Setting("best", crop_shapes_zyx=((64, 96, 96),), mirrored=True)
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
        help="best (default), or fast: smaller crops, less time, bodies slightly less exact",
    )
