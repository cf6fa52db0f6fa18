"""The vertebral level that the name of a segment says, in the spellings that people use."""

from __future__ import annotations

import re
import unicodedata

from .levels import LEVELS

_NAMES = {level.name for level in LEVELS}

_REGIONS = {
    "C": "c cervical cervicale cervicalis hw hwk hws halswirbel halswirbelkorper halswirbelkoerper",
    "T": "t th d thoracic thoracique thoracalis dorsal bw bwk bws brustwirbel brustwirbelkorper "
    "brustwirbelkoerper",
    "L": "l lumbar lumbal lombaire lumbalis lw lwk lws lendenwirbel lendenwirbelkorper "
    "lendenwirbelkoerper",
    "S": "s sacral sakral swk sakralwirbel",
}
_LETTER = {word: letter for letter, words in _REGIONS.items() for word in words.split()}

# What may stand beside a level without changing what the segment is.
_WORDS = (
    "vertebra vertebrae vertebral vertebre vert vb body bodies corpus wirbel wirbelkorper "
    "wirbelkoerper wirbelsaule wirbelsaeule wk koerper korper spine spinal column bone knochen "
    "whole full ganz segment segmentation seg label mask maske level "
    "fractured frakturiert edited edit manual auto corrected korrigiert final new neu copy kopie "
    "version ver v"
)
_BESIDE = set(_WORDS.split())
_COPY = re.compile(r"\(\d+\)\s*$")
_PARTS = re.compile(r"[a-z]+|\d+")
# "L4/5", "L4-5": the disc between two levels, or several vertebrae at once.
_SPAN = re.compile(r"\d\s*[-\u2010-\u2015/+&,]\s*\d")
_MENTION = re.compile(r"(?<![a-z])(c|th|t|d|l|s|[hbl]wk)[ _-]?\d{1,2}(?!\d)", re.IGNORECASE)


def level_in_name(name: str) -> str | None:
    """Return the level that a segment is named after; None if it is no vertebra.

    Beside the level ("L2", "TH12", "T 12", "Lumbar 2", "LWK 2") only words may stand that leave it
    a vertebra ("vertebra_L1", "L2 Wirbelkörper", "L2 v3"): the disc L4/5, the nerve L3 and the rib
    T9 are no vertebrae.
    """
    plain = _COPY.sub("", _plain(name))
    if _SPAN.search(plain):
        return None
    levels, others, region = set(), [], ""
    for part in _PARTS.findall(plain):
        if part in _LETTER:
            region = _LETTER[part]
        elif part.isdigit() and region:
            levels.add(f"{region}{int(part)}")
            region = ""
        elif part.isdigit():
            others.append(int(part))
        elif part not in _BESIDE:
            return None
    if not levels and region and len(others) == 1:
        # "3. Lendenwirbel"
        levels, others = {f"{region}{others.pop()}"}, []
    level = levels.pop() if len(levels) == 1 else ""
    # "L4_5" is a disc, "L4_1" a copy.
    return level if level in _NAMES and int(level[1:]) + 1 not in others else None


def mentions_level(name: str) -> bool:
    """Tell whether a level occurs in a name at all, be it that of a disc or a nerve."""
    return bool(_MENTION.search(_plain(name)))


def _plain(name: str) -> str:
    """Lower case without accents, words written together in capitals set apart."""
    apart = re.sub(r"(?<=[a-zà-ÿ])(?=[A-Z])", " ", name)
    folded = unicodedata.normalize("NFKD", apart.replace("ß", "ss"))
    return "".join(c for c in folded if not unicodedata.combining(c)).lower()
