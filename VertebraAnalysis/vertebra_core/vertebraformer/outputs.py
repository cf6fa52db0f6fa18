"""What VertebraFormer sees and gives."""

from __future__ import annotations

from ..levels import MOBILE_LEVELS

WORKING_SPACING_MM = 2.0
WINDOW_ZYX = (96, 96, 96)
"""Grid of the input: windows of 192 mm."""

COARSE = 2
"""Input voxels per voxel of the numbering and of the lesions' heat."""

SEGMENTATION, NUMBERING, LESIONS, DOMAIN = "segmentation", "numbering", "lesions", "domain"
"""Keys of the output, all logits: [b, 2, z, y, x] of vertebra and body; [b, 26, ...] of the level,
by `Level.order`, on the coarse grid; [b, 2, ...] of lytic and sclerotic lesions on the coarse grid;
[b, domains] of the imaging domain, where features are modulated."""

OFFSETS = "offsets"
"""Key of the offset, [b, 3, ...] in mm along z, y, x, from each voxel of the coarse grid to the
centre of the body of its vertebra: what tells one vertebra from the next."""

OFFSET_UNIT_MM = 10.0
"""What a channel of 1 stands for."""

N_LEVELS = len(MOBILE_LEVELS)
LESION_KINDS = ("lytic", "sclerotic")
