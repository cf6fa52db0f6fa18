"""What ``--setting`` chooses: how much is computed for how much accuracy.

What each choice costs and gives was measured by ``benchmark --settings`` on a real chest (1 mm, 13
vertebrae) and a real abdomen (3 mm, 6 vertebrae with true masks), n = 1 each, in processor seconds
of the analysis alone, and by ``evaluate phantoms`` (n = 8 scans at 1 mm unless stated otherwise),
with the weights of one or two stages of training before the bundled ones:

- Looking along the spine runs LocNet on 3 windows instead of 8 on the chest, where it saves 0.8 s,
  and finds the same vertebrae. Centres of both real scans are as good (3.1 instead of 3.2 mm, 1.11
  instead of 1.09 mm), but where no windows overlap none are averaged: on 4 phantoms centres err by
  0.37 mm instead of 0.31 mm. Fast does it, best does not.
- Crops of 64x96x96 mm cost half as much as those of 80x112x112, 6.5 s instead of 8.6 s for the
  chest, and are what the bundled network was trained in: Dice of vertebrae and bodies is 0.961 and
  0.968 instead of 0.948 and 0.966 on phantoms, 0.917 and 0.920 instead of 0.908 and 0.921 on the
  abdomen. Both use them.
- Small crops first, large ones where a vertebra comes close to their sides: nearly every thoracic
  one does, so the chest takes longer than with large crops alone. Neither does it.
- Segmenting again around the body found changed nothing where localisation is right, and costs
  nothing there. Best keeps it for where localisation is wrong.
- Averaging with mirrored crops makes segmentation take twice as long and gives 0.920 and 0.920
  instead of 0.917 and 0.920 on the abdomen. Best does it, fast does not.
- Naming rows once more mirrored lowers the log loss of levels in 39 pieces of three real scans from
  0.36 to 0.30 (cut down to 70 and 50 mm around the bodies: 0.30 to 0.27, 0.29 to 0.24). Best does
  it, fast does not.
- float32 takes 1.8 times as long; its masks agree with those of bfloat16 by 0.999.
- A compressed CT in ``scene.mrb`` takes half a second of the whole process on the chest, and the
  file has 27 instead of 41 MB. Best compresses it, fast does not.
- Weights stored channels-last, and two crops in a batch, save less than a tenth of a crop's 0.24 s;
  neither is done.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from types import MappingProxyType

from .errors import InputError

Shape = tuple[int, int, int]


CROP_ZYX: Shape = (64, 96, 96)
"""Size of the crop, in voxels, that the bundled network was trained in."""

LARGE_CROP_ZYX: Shape = (80, 112, 112)
"""Size of a crop, mm, that the largest lumbar vertebra with all processes fits into."""


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
        Average segmentation and names with those of mirrored crops.
    bfloat16 : bool
        Localisation and segmentation compute in bfloat16, where the device can, instead of float32.
    packed_scene : bool
        The CT in ``scene.mrb`` is compressed.
    """

    name: str
    along_spine: bool = False
    crop_shapes_zyx: tuple[Shape, ...] = (CROP_ZYX,)
    recentre_mm: float = 6.0
    mirrored: bool = False
    bfloat16: bool = True
    packed_scene: bool = True

    def __str__(self) -> str:
        """Name of the setting."""
        return self.name


BEST = Setting("best", mirrored=True)
FAST = Setting("fast", along_spine=True, recentre_mm=0.0, packed_scene=False)

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
        help="best (default), or fast: less time, centres and bodies slightly less exact",
    )
