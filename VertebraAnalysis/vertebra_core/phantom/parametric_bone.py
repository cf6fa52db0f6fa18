"""What the parametric bones other than vertebrae share: their grid's spacing and their finish."""

from __future__ import annotations

import numpy as np

from .sdf import FAR_MM, Canvas, with_far_distances
from .shape import BoneShape
from .shape_frame import CLIP_MM

SPACING_MM = 1.5


def finished_bone(canvas: Canvas) -> BoneShape:
    """Complete a painted field with its far distances and wrap it as a `BoneShape`."""
    field = with_far_distances(canvas.field, canvas.spacing_mm)
    field = np.clip(np.minimum(field, FAR_MM), -CLIP_MM, CLIP_MM)
    return BoneShape(
        field.astype(np.float16),
        tuple(float(v) for v in canvas.origin_zyx_mm),
        canvas.spacing_mm,
        "parametric",
    )
