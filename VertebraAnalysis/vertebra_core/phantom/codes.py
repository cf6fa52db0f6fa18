"""What a voxel of a phantom scene is made of.

Two maps describe a scene. ``labels`` holds a `Bone` code (vertebrae carry their VerSe number,
1-26 and 28, with 26 for the whole sacrum) within and just outside bone surfaces, 0 elsewhere; bit
`BODY_BIT` is set on the vertebral body. ``tissue`` holds a `Tissue` code everywhere, also beneath
bone, so that partial volume at a bone surface mixes with the right neighbour.
"""

from __future__ import annotations

from enum import IntEnum

BODY_BIT = 0x80
"""Bit of ``labels`` that marks the vertebral body (against the arch and its processes)."""

CODE_MASK = 0x7F
"""Mask that leaves the bone code of ``labels``."""


class Bone(IntEnum):
    """Codes of bones that are not vertebrae."""

    RIB = 40
    PELVIS = 41
    SKULL = 42
    FEMUR = 43
    SHOULDER = 44
    STERNUM = 45


class Tissue(IntEnum):
    """Codes of everything that is not bone."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    LUNG = 4
    HEART = 5
    BLOOD_POOL = 6
    AORTA = 7
    VEIN = 8
    LIVER = 9
    SPLEEN = 10
    KIDNEY = 11
    BOWEL_WALL = 12
    BOWEL_CONTENT = 13
    BOWEL_GAS = 14
    DISC = 15
    CANAL = 16
    CORD = 17
    TRACHEA = 18
    BRAIN = 19
    BLADDER = 20
    SOFT_OTHER = 21
    CALCIFICATION = 22
    TABLE = 23
    METAL = 24
    CEMENT = 25
    STOMACH = 26
    CARTILAGE = 27
