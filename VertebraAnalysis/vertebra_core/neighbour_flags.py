"""Flags that follow from comparing each vertebra with those next to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from .analysis import Flag
from .segmentation.segment import VertebraMask
from .stages import Candidate

CONTACT_SHARE = 0.15
"""Share of a body's cross-section that may lie within 1 mm of the next body. Discs are 3 mm high
and more, so intact neighbours do not meet; bridging osteophytes meet at the rim, below a tenth."""

VOLUME_RATIO = (0.5, 1.8)
"""Volume of a body over the mean of its neighbours'. From level to level bodies grow by 3-10 %
(Busscher et al., Eur Spine J 19 (2010) 1104); a body that lost half its height stays above 0.5."""


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
    volumes = [_body_ml(c) for c in candidates]
    for i, volume in enumerate(volumes):
        near = [v for v in volumes[max(0, i - 1) : i] + volumes[i + 1 : i + 2] if v]
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
    """Area over which two bodies lie within 1 mm of each other, as part of a cross-section.

    The cross-section is that of the smaller body, taken as a cube.
    """
    low = np.maximum(a.origin_index_zyx, b.origin_index_zyx)
    ends = [np.add(m.origin_index_zyx, m.body.shape) for m in (a, b)]
    high = np.minimum(*ends)
    if (high <= low).any():
        return 0.0
    parts = []
    for mask in (a, b):
        start = np.asarray(mask.origin_index_zyx)
        box = tuple(slice(s, e) for s, e in zip(low - start, high - start, strict=True))
        parts.append(mask.body[box] > 0.5)
    smaller = min(int((m.body > 0.5).sum()) for m in (a, b))
    if not smaller or not parts[0].any() or not parts[1].any():
        return 0.0
    meeting = ndimage.binary_dilation(parts[0]) & parts[1]
    # Overlap is counted once per column, like mere contact.
    return float(meeting.any(0).sum()) / smaller ** (2 / 3)


def _body_ml(candidate: Candidate) -> float | None:
    """Volume of a whole body; None where the scan cuts it or there is none."""
    volume = float((candidate.mask.body > 0.5).sum()) / 1000
    return None if candidate.body_cut or volume == 0 else volume
