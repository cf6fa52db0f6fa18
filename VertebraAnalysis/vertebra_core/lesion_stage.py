"""Flag candidates of lesions beside grading, by the weights of VertebraFormer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from .analysis import Flag, Vertebra
from .localisation.sliding_window import Predicate, Progress
from .vertebraformer.apply import LesionCandidate, apply_vertebraformer
from .vertebraformer.outputs import WORKING_SPACING_MM
from .volume import CtVolume, resample_to_working_grid

LEAST_CONFIDENCE = 0.5
"""Fainter candidates are not told: on 12 phantoms with 35 lesions, 14 are found with this and one
candidate is false; with 0.3 it would be 18, and 42 false."""

NEAR_MM = 2
"""A candidate may lie this far outside a body, about as far as candidates miss lesions."""

_INSIDE = 0.5


class LesionStage:
    """Flags lesion candidates on graded vertebrae.

    Parameters
    ----------
    network : Module
        `VertebraFormer` on `device`.
    device : str
    """

    def __init__(self, network: nn.Module, device: str = "cpu") -> None:
        self._network, self._device = network, device

    def __call__(
        self,
        ct: CtVolume,
        candidates,
        vertebrae: Sequence[Vertebra],
        on_progress: Progress | None = None,
        cancelled: Predicate | None = None,
    ):
        """Flag `vertebrae`; `ct` is the 1 mm working grid.

        Raises
        ------
        Cancelled
            When `cancelled` returns True.
        """
        grid = resample_to_working_grid(ct, WORKING_SPACING_MM)
        found = apply_vertebraformer(grid, self._network, on_progress, cancelled, self._device)
        return with_lesion_flags(vertebrae, [c.mask for c in candidates], found.lesions)


def with_lesion_flags(
    vertebrae: Sequence[Vertebra], masks: Sequence, lesions: Sequence[LesionCandidate]
) -> tuple[Vertebra, ...]:
    """Add a flag to the vertebra in whose body a lesion candidate lies, unless it is a faint one.

    The network has seen lesions in bodies only: what it says of pedicles, osteophytes and what is
    dense beside the spine is worth nothing.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
    masks : sequence of VertebraMask
        One for each vertebra.
    lesions : sequence of LesionCandidate
    """
    results = list(vertebrae)
    for lesion in lesions:
        k = _owner(lesion, masks) if lesion.confidence >= LEAST_CONFIDENCE else None
        if k is not None:
            results[k] = replace(results[k], flags=(*results[k].flags, lesion_flag(lesion)))
    return tuple(results)


def lesion_flag(lesion: LesionCandidate) -> Flag:
    """Return the flag of a lesion candidate."""
    x, y, z = lesion.position_lps_mm
    reason = (
        f"A {lesion.kind} lesion is suspected at x {x:.1f}, y {y:.1f}, z {z:.1f} mm (LPS), "
        f"confidence {lesion.confidence:.2f}."
    )
    return Flag("lesion_candidate", reason, lesion.position_lps_mm, lesion.confidence)


def _owner(lesion: LesionCandidate, masks) -> int | None:
    position = np.asarray(lesion.position_lps_mm)
    for reach in (0, NEAR_MM):
        shares = [_probability_near(mask, position, reach) for mask in masks]
        if shares and max(shares) > _INSIDE:
            return int(np.argmax(shares))
    return None


def _probability_near(mask, position_lps_mm: np.ndarray, reach: int) -> float:
    """Largest probability of the body within `reach` voxels (mm) along each axis."""
    offset = position_lps_mm - np.asarray(mask.origin_lps_mm)
    index = np.rint(offset[::-1]).astype(int)
    box = tuple(slice(max(0, i - reach), max(0, i + reach + 1)) for i in index)
    return float(mask.body[box].max(initial=0.0))
