"""Look for vertebrae along the spine only: one window at every height instead of a whole layer.

A window is 19 cm wide and a spine 10 cm, so a window that is put roughly right holds all of it.
From head to foot, a window is put where the spine was just above, or where most bone lies, and
moved once if vertebrae come close to its sides. If that does not do, or too little of a spine is
seen, the whole layer is searched as if there were no corridor.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage

from ..errors import Cancelled
from .outputs import FOREGROUND
from .sliding_window import Corner, Predicate, Progress, Windows

Place = tuple[float, float]

_COLUMN_VOXELS = 20
"""Bone is summed over 4 cm squares: as wide as a vertebral body, wider than a thigh bone."""

_FREE_VOXELS = 8
"""A spine must stay this far (16 mm) from the sides that a window has within the volume."""

_LEAST_PART_VOXELS = 100
"""Smaller parts (0.8 ml) are noise: half a cervical vertebra has 4 ml."""

_LEAST_SPINE_VOXELS = 4000
"""A window as high as 19 cm of neck shows twice this (32 ml) of vertebrae; what is mistaken for a
vertebra elsewhere is less."""

_TRIES = 2


def run_along_spine(
    windows: Windows,
    bone: np.ndarray,
    on_progress: Progress | None = None,
    cancelled: Predicate | None = None,
) -> np.ndarray:
    """Run LocNet along the spine; `sliding_window.run_everywhere` does it on the whole volume.

    Parameters
    ----------
    windows : Windows
        With LocNet, on the 2 mm grid.
    bone : ndarray of bool, shape (z, y, x)
        Where the volume may be bone.
    on_progress : callable, optional
        Called with the fraction done.
    cancelled : callable, optional
        Asked before every window.

    Returns
    -------
    ndarray of float32, shape (5, z, y, x)

    Raises
    ------
    Cancelled
    """

    def run(corner: Corner) -> torch.Tensor | None:
        if cancelled is not None and cancelled():
            raise Cancelled()
        return windows.output(corner)

    heights, *sides = windows.starts
    layer = list(itertools.product(*sides))
    place = None
    for done, z in enumerate(reversed(heights)):
        found = None
        if len(layer) > 1:
            found = _search(windows, run, z, place or _bony(windows, bone, z))
        if found is None:
            for corner in layer:
                windows.add((z, *corner), run((z, *corner)))
        else:
            corner, output, place = found
            windows.add((z, *corner), output)
        if on_progress is not None:
            on_progress((done + 1) / len(heights))
    return windows.blended()


def _search(
    windows: Windows, run: Callable[[Corner], torch.Tensor | None], z: int, place: Place
) -> tuple[tuple[int, int], torch.Tensor, Place] | None:
    """Corner (y, x) of a window that holds the spine, its output, and the spine's place."""
    for _ in range(_TRIES):
        corner = _corner(windows, place)
        output = run((z, *corner))
        spine = None if output is None else _spine(output)
        if spine is None:
            return None
        place = tuple(float(v) for v in spine.mean(0) + corner)
        if _within(windows, corner, spine):
            return corner, output, place
    return None


def _bony(windows: Windows, bone: np.ndarray, z: int) -> Place:
    """Where (y, x) most bone lies in the layer of windows that starts at `z`."""
    share = bone[z : z + windows.window_zyx[0]].mean(0, dtype=np.float32)
    summed = ndimage.uniform_filter(share, _COLUMN_VOXELS, mode="constant")
    return tuple(float(i) for i in np.unravel_index(int(summed.argmax()), summed.shape))


def _corner(windows: Windows, middle_yx: Place) -> tuple[int, int]:
    sizes = zip(middle_yx, windows.window_zyx[1:], windows.shape[1:], strict=True)
    return tuple(int(np.clip(round(m - w / 2), 0, n - w)) for m, w, n in sizes)


def _spine(output: torch.Tensor) -> np.ndarray | None:
    """Where (y, x) vertebrae lie in the output of a window, shape (n, 2); None if there are few."""
    parts, _ = ndimage.label((output[FOREGROUND] > 0).numpy())
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    large = sizes >= _LEAST_PART_VOXELS
    if sizes[large].sum() < _LEAST_SPINE_VOXELS:
        return None
    return np.argwhere(large[parts].any(0))


def _within(windows: Windows, corner_yx: tuple[int, int], spine: np.ndarray) -> bool:
    """Tell whether the spine keeps clear of those sides that lie within the volume."""
    low, high = spine.min(0), spine.max(0)
    for start, size, n, first, last in zip(
        corner_yx, windows.window_zyx[1:], windows.shape[1:], low, high, strict=True
    ):
        if (start > 0 and first < _FREE_VOXELS) or (
            start + size < n and last >= size - _FREE_VOXELS
        ):
            return False
    return True
