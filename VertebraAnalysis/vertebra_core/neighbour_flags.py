"""Flags that follow from comparing each vertebra with those next to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from .analysis import Flag
from .levels import level_named
from .segmentation.segment import VertebraMask
from .stages import Candidate

CONTACT_SHARE = 0.5
"""Share of a body's cross-section over which it may meet the next one on the 1 mm grid: the larger
part of the endplate is seen then. Narrow discs and bony lips let bodies meet that are well
separated: in outlines of real scans (VerSe, TotalSegmentator) 11 pairs of 35, over 0.21 at most;
in the truth of phantoms, whose discs are narrower, commonly up to 0.36."""

VOLUME_RATIO = (0.5, 1.8)
"""Volume of a body over the mean of its neighbours'. From level to level bodies grow by 3-10 %
(Busscher et al., Eur Spine J 19 (2010) 1104); a body that lost half its height stays above 0.5."""

_NEAR_LEVELS = 2
"""Volumes are compared across so many levels (T12 and L1 lie two apart, with T13 between): T1 and
L1 may follow each other in a list, and differ threefold."""


def neighbour_flags(
    candidates: Sequence[Candidate], names: Sequence[str]
) -> tuple[tuple[Flag, ...], ...]:
    """Return further flags for each of `candidates`.

    Parameters
    ----------
    candidates : sequence of Candidate
        Head to foot.
    names : sequence of str
        Their levels.
    """
    flags: list[list[Flag]] = [[] for _ in candidates]
    for i in range(len(candidates) - 1):
        if contact_share(candidates[i].mask, candidates[i + 1].mask) > CONTACT_SHARE:
            for own, other in ((i, i + 1), (i + 1, i)):
                reason = f"Its body touches that of {names[other]}: fused, or not well separated."
                flags[own].append(Flag("touching_neighbour", reason))
    volumes = [_body_ml(c, name) for c, name in zip(candidates, names, strict=True)]
    places = [level_named(name).order for name in names]
    for i, volume in enumerate(volumes):
        beside = [k for k in (i - 1, i + 1) if 0 <= k < len(volumes)]
        beside = [k for k in beside if abs(places[k] - places[i]) <= _NEAR_LEVELS]
        near = [volumes[k] for k in beside if volumes[k]]
        if not volume or not near:
            continue
        ratio = volume / float(np.mean(near))
        if not VOLUME_RATIO[0] <= ratio <= VOLUME_RATIO[1]:
            reason = (
                f"Its body has {ratio:.1f} times the volume of its neighbours' bodies; check the "
                "outline."
            )
            flags[i].append(Flag("implausible_shape", reason))
    return tuple(tuple(own) for own in flags)


def contact_share(a: VertebraMask, b: VertebraMask) -> float:
    """Area over which two bodies meet or overlap, as part of the smaller one's cross-section.

    Bodies meet where no voxel lies between them. Arches do not count: their joints always meet.
    """
    # One voxel further than both boxes reach: bodies may meet where their boxes do.
    low = np.maximum(a.origin_index_zyx, b.origin_index_zyx) - 1
    high = np.minimum(*(np.add(m.origin_index_zyx, m.body.shape) for m in (a, b))) + 1
    if (high <= low).any():
        return 0.0
    parts = [_body_within(m, low, high) for m in (a, b)]
    # The widest slice, as a body that lost its height keeps its width.
    section = min(int((m.body > 0.5).sum((1, 2)).max(initial=0)) for m in (a, b))
    if not section or not parts[0].any() or not parts[1].any():
        return 0.0
    meeting = ndimage.binary_dilation(parts[0]) & parts[1]
    # Overlap is counted once per column, like mere contact.
    return float(meeting.any(0).sum()) / section


def _body_within(mask: VertebraMask, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where the body is in a box of the working grid, which may reach beyond the mask's own."""
    part = np.zeros(high - low, bool)
    own = np.asarray(mask.origin_index_zyx)
    first, last = np.maximum(low, own), np.minimum(high, own + mask.body.shape)
    to = tuple(slice(*ends) for ends in np.stack([first - low, last - low], 1))
    of = tuple(slice(*ends) for ends in np.stack([first - own, last - own], 1))
    part[to] = mask.body[of] > 0.5
    return part


def _body_ml(candidate: Candidate, name: str) -> float | None:
    """Volume of a whole body; None where the scan cuts it or there is none to compare.

    The atlas has an arch in its place, and the axis carries what would be the atlas's: in the
    outlines of two necks by experts (VerSe) they have 0.1 and 2.3 to 2.5 times their neighbours'.
    """
    volume = float((candidate.mask.body > 0.5).sum()) / 1000
    incomparable = candidate.body_cut or name in ("C1", "C2")
    return None if incomparable or volume == 0 else volume
