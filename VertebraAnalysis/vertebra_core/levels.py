"""Vertebral levels: the one table of names, numbers, order, codes and colours.

Numbers are those of the VerSe benchmark [1]_: C1-C7 are 1-7, T1-T12 are 8-19, L1-L5 are 20-24,
L6 is 25, S1 is 26 and T13 is 28. SNOMED CT codes are those of the body-structure hierarchy; T13
and L6 have none, so they carry ``None``.

References
----------
.. [1] Sekuboyina et al., "VerSe: a vertebrae labelling and segmentation benchmark for
   multi-detector CT images", Medical Image Analysis 73 (2021) 102166.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from enum import Enum


class Region(Enum):
    """Region of the spine."""

    CERVICAL = "cervical"
    THORACIC = "thoracic"
    LUMBAR = "lumbar"
    SACRAL = "sacral"


@dataclass(frozen=True)
class Level:
    """One vertebral level.

    Attributes
    ----------
    name : str
        ``"C1"`` to ``"S1"``.
    number : int
        VerSe label number.
    order : int
        Position from head to foot, 0 (C1) to 26 (S1); T13 lies between T12 and L1.
    region : Region
    snomed_code : str or None
        SNOMED CT concept identifier.
    color_rgb : tuple of int
        Display colour, 0-255.
    """

    name: str
    number: int
    order: int
    region: Region
    snomed_code: str | None
    color_rgb: tuple[int, int, int]


_SNOMED = {
    "C1": "14806007", "C2": "39976000", "C3": "113205007", "C4": "5329002", "C5": "36978003",
    "C6": "36054005", "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008",
    "T4": "73071006", "T5": "56401006", "T6": "45296009", "T7": "62487009", "T8": "11068009",
    "T9": "82687006", "T10": "7610001", "T11": "12989004", "T12": "23215003", "L1": "66794005",
    "L2": "14293000", "L3": "36470004", "L4": "11994002", "L5": "49668003", "S1": "65985001",
}  # fmt: skip

_REGION = {"C": Region.CERVICAL, "T": Region.THORACIC, "L": Region.LUMBAR, "S": Region.SACRAL}


def _color(order: int) -> tuple[int, int, int]:
    # The golden angle around the hue circle keeps neighbouring levels far apart in colour.
    r, g, b = colorsys.hsv_to_rgb((order * 0.381966) % 1.0, 0.55 + 0.2 * (order % 2), 0.95)
    return round(255 * r), round(255 * g), round(255 * b)


def _table() -> tuple[Level, ...]:
    names = [f"C{i}" for i in range(1, 8)] + [f"T{i}" for i in range(1, 14)]
    names += [f"L{i}" for i in range(1, 7)] + ["S1"]
    numbers = {name: i + 1 for i, name in enumerate(n for n in names if n != "T13")}
    numbers["T13"] = 28
    return tuple(
        Level(n, numbers[n], i, _REGION[n[0]], _SNOMED.get(n), _color(i))
        for i, n in enumerate(names)
    )


LEVELS: tuple[Level, ...] = _table()
"""All levels from head to foot: C1-C7, T1-T13, L1-L6, S1."""

MOBILE_LEVELS: tuple[Level, ...] = LEVELS[:-1]
"""The 26 levels an analysis may name: all but S1. A level's class index is its ``order``."""

_BY_NAME = {level.name: level for level in LEVELS}
_BY_NUMBER = {level.number: level for level in LEVELS}


def level_named(name: str) -> Level:
    """Return the level called `name`.

    Raises
    ------
    KeyError
        If there is no such level.
    """
    return _BY_NAME[name]


def level_numbered(number: int) -> Level:
    """Return the level of VerSe label `number`.

    Raises
    ------
    KeyError
        If there is no such level.
    """
    return _BY_NUMBER[number]


def is_level_number(number: int) -> bool:
    """Tell whether `number` is a VerSe vertebra number (C1-L6, T13 or S1)."""
    return number in _BY_NUMBER
