"""A CT on a surface, with the outlines of the vertebrae that it meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..volume import AIR_HU, CtVolume, LabelVolume
from .contours import outlines
from .spine_surfaces import Surface

WINDOW_HU = (-250.0, 850.0)
"""Wide enough for cortex beside fat: endplates and trabecular bone are both seen."""

_SLAB_MM = (-1.5, 0.0, 1.5)
_LEAST_POINTS = 8

_AROUND = 3  # pixels: between voxels, an outline may leave those that are nearest

Box = tuple[slice, ...]


@dataclass(frozen=True)
class SpinePicture:
    """What is drawn.

    Attributes
    ----------
    surface : Surface
    grey : ndarray of uint8, shape (rows, columns), or None
        None without a CT.
    vertebrae, bodies : mapping of int to list of ndarray (n, 2)
        Level number -> outlines in (column, row).
    """

    surface: Surface
    grey: np.ndarray | None
    vertebrae: Mapping[int, list[np.ndarray]]
    bodies: Mapping[int, list[np.ndarray]]


def label_boxes(labels: np.ndarray, wider: int = 1) -> dict[int, Box]:
    """Return the box of every label, some voxels wider where there is room."""
    return {
        number: tuple(
            slice(max(0, s.start - wider), min(n, s.stop + wider))
            for s, n in zip(box, labels.shape, strict=True)
        )
        for number, box in enumerate(ndimage.find_objects(labels), 1)
        if box is not None
    }


def take_picture(
    surface: Surface,
    ct: CtVolume | None,
    labels: LabelVolume,
    bodies: np.ndarray,
    boxes: Mapping[int, Box],
) -> SpinePicture:
    """Sample a CT and its labels on a surface.

    Parameters
    ----------
    surface : Surface
    ct : CtVolume or None
        On any grid.
    labels : LabelVolume
        Whole vertebrae.
    bodies : ndarray of uint8, shape (z, y, x)
        Bodies, on the grid of `labels`.
    boxes : mapping
        From `label_boxes` of `labels`.
    """
    index = np.moveaxis(labels.lps_to_index(surface.points_lps_mm), -1, 0)
    return SpinePicture(
        surface,
        None if ct is None else _grey(surface, ct),
        _all_outlines(labels.labels, boxes, index),
        _all_outlines(bodies, boxes, index),
    )


def _grey(surface: Surface, ct: CtVolume) -> np.ndarray:
    mean = np.zeros(surface.points_lps_mm.shape[:2], np.float32)
    for offset in _SLAB_MM:
        points = surface.points_lps_mm + offset * np.asarray(surface.slab_lps)
        index = np.moveaxis(ct.lps_to_index(points), -1, 0)
        # Order 1 reads the int16 voxels in place: no float copy of the volume is made.
        mean += ndimage.map_coordinates(
            ct.hu, index, output=np.float32, order=1, mode="constant", cval=AIR_HU
        ) / len(_SLAB_MM)
    low, high = WINDOW_HU
    return np.rint(np.clip((mean - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _nearest(labels: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Labels of the voxels nearest to `index` (3, rows, columns), 0 outside."""
    nearest = np.rint(index).astype(np.int32)
    last = np.reshape(labels.shape, (3, 1, 1)) - 1
    inside = ((nearest >= 0) & (nearest <= last)).all(0)
    return np.where(inside, labels[tuple(np.clip(nearest, 0, last))], 0)


def _all_outlines(
    labels: np.ndarray, boxes: Mapping[int, Box], index: np.ndarray
) -> dict[int, list[np.ndarray]]:
    found = {}
    for number, part in label_boxes(_nearest(labels, index), _AROUND).items():
        low = np.array([s.start for s in boxes[number]]).reshape(3, 1, 1)
        mask = (labels[boxes[number]] == number).astype(np.float32)
        values = ndimage.map_coordinates(
            mask, index[(slice(None), *part)] - low, order=1, mode="constant", cval=0.0
        )
        lines = [line + [part[1].start, part[0].start] for line in outlines(values)]
        lines = [line for line in lines if len(line) >= _LEAST_POINTS]
        if lines:
            found[number] = lines
    return found
