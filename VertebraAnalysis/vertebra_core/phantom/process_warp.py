"""Bends and stretches the processes of one vertebra, and what lies beside them, while sampling.

Scenes are few and their processes are long to build, but how far transverse and spinous processes
reach, and where they point, differs more between persons than a scaled or shaken copy shows. The
space beside and behind the body is therefore stretched and sheared, the body itself left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .scene import PhantomVertebra

_STRETCH = 0.3
_TILT_SD = 0.2
_ARCH_DEPTH_MM = 14.0
"""Behind the body the canal and the laminae, this deep, stay as they are."""


@dataclass(frozen=True)
class ProcessWarp:
    """Where points beside and behind a body are looked up.

    Attributes
    ----------
    vertebra : PhantomVertebra
    lateral_stretch, spinous_stretch : float
        Share by which look-ups reach further out beside the body, and behind the arch: above zero
        processes become shorter.
    lateral_up, lateral_back, spinous_up : float
        Slope by which they also move along the body's own axes.
    """

    vertebra: PhantomVertebra
    lateral_stretch: float = 0.0
    lateral_up: float = 0.0
    lateral_back: float = 0.0
    spinous_stretch: float = 0.0
    spinous_up: float = 0.0

    @classmethod
    def random(cls, vertebra: PhantomVertebra, rng: np.random.Generator) -> ProcessWarp:
        """Draw a warp."""
        lateral, spinous = rng.uniform(-_STRETCH, _STRETCH, 2)
        up, back, spinous_up = np.clip(rng.normal(0, _TILT_SD, 3), -2 * _TILT_SD, 2 * _TILT_SD)
        return cls(vertebra, *map(float, (lateral, up, back, spinous, spinous_up)))

    def displaced(self, points: list[torch.Tensor], spacing_mm: float) -> list[torch.Tensor]:
        """Move look-up points.

        Parameters
        ----------
        points : list of Tensor
            Scene voxels along z, y, x; of one shape, or of shapes that broadcast.
        spacing_mm : float
            Of the scene.

        Returns
        -------
        list of Tensor, shape (z, y, x)
        """
        axes = np.asarray(self.vertebra.axes_zyx)
        center = np.asarray(self.vertebra.center_zyx_mm) / spacing_mm
        offsets = [p - float(c) for p, c in zip(points, center, strict=True)]
        back, left = (
            sum(o * float(a) for o, a in zip(offsets, axis, strict=True)) for axis in axes[1:]
        )
        beside = (left.abs() - self.vertebra.width_mm / 2 / spacing_mm).clamp_(min=0)
        reach = (self.vertebra.depth_mm / 2 + _ARCH_DEPTH_MM) / spacing_mm
        behind = (back - reach).clamp_(min=0)
        local = (
            beside * self.lateral_up + behind * self.spinous_up,
            beside * self.lateral_back + behind * self.spinous_stretch,
            beside * self.lateral_stretch * left.sign(),
        )
        return [
            p + sum(move * float(a) for move, a in zip(local, axes[:, k], strict=True))
            for k, p in enumerate(points)
        ]
