"""What the channels of LocNet mean, and the grid it works on."""

from __future__ import annotations

WORKING_SPACING_MM = 2.0
"""Spacing of the grid LocNet sees."""

HEAT = 0
"""Channel of the heat logit: a Gaussian around each body centre."""

OFFSET = slice(1, 4)
"""Channels of the offset (z, y, x) to the centre of the vertebra, in units of `OFFSET_UNIT_MM`."""

FOREGROUND = 4
"""Channel of the logit of belonging to any vertebra."""

OUT_CHANNELS = 5

OFFSET_UNIT_MM = 10.0
"""Offsets are learnt in cm, so that all outputs are of order one."""
