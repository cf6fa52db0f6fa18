"""Shapes: signed distance fields of single bones in their own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoneShape:
    """A bone as a signed distance field on an isotropic grid in its own frame.

    The frame's axes are z (up, to the head), y (to the back) and x (to the patient's left), mm.

    Attributes
    ----------
    sdf : ndarray of float16, shape (z, y, x)
        Signed distance to the surface in mm, negative inside, clipped to +-16.
    origin_zyx_mm : tuple of float
        Position of voxel [0, 0, 0] in the frame.
    spacing_mm : float
    source : str
        Where the shape comes from, e.g. ``"parametric"`` or ``"sub-verse004"``.
    """

    sdf: np.ndarray
    origin_zyx_mm: tuple[float, float, float]
    spacing_mm: float
    source: str


@dataclass(frozen=True)
class VertebraShape(BoneShape):
    """A vertebra; 0 is the centre of its body, z normal to its mid-plane, x = 0 mid-sagittal.

    Attributes
    ----------
    level : int
        VerSe number of the level the shape belongs to.
    body_sdf : ndarray of float16, shape (z, y, x)
        Signed distance to the vertebral body alone, on the same grid.
    height_mm, depth_mm, width_mm : float
        Size of the body along z, y and x.
    canal_depth_mm : float
        Front-to-back depth of the vertebral canal behind the body.
    """

    level: int
    body_sdf: np.ndarray
    height_mm: float
    depth_mm: float
    width_mm: float
    canal_depth_mm: float
