"""A plane through a vertebral body on which pictures are taken; needs NumPy and SciPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SagittalPlane:
    """A square picture plane: front on the left, head above.

    Attributes
    ----------
    centerRas : ndarray, shape (3,)
        Middle of the picture, mm.
    backward, upward : ndarray, shape (3,)
        Orthogonal unit vectors in RAS, along the picture's columns and against its rows.
    sizeMm : float
        Edge of the picture.
    pixels : int
        Number of pixels along the edge.
    """

    centerRas: np.ndarray
    backward: np.ndarray
    upward: np.ndarray
    sizeMm: float = 120.0
    pixels: int = 600

    @classmethod
    def through(
        cls, centerRas: np.ndarray, backward: np.ndarray, upward: np.ndarray, **size: float
    ) -> SagittalPlane:
        """Return the plane whose upward axis is kept and whose backward axis is made orthogonal."""
        up = np.asarray(upward, float) / np.linalg.norm(upward)
        back = np.asarray(backward, float) - np.dot(backward, up) * up
        return cls(np.asarray(centerRas, float), back / np.linalg.norm(back), up, **size)

    @property
    def pixelMm(self) -> float:
        return self.sizeMm / self.pixels

    def pointsRas(self) -> np.ndarray:
        """Return the centres of all pixels, shape (rows, columns, 3), mm."""
        steps = (np.arange(self.pixels) - (self.pixels - 1) / 2) * self.pixelMm
        return (
            self.centerRas
            + steps[None, :, None] * self.backward
            - steps[:, None, None] * self.upward
        )

    def toPixels(self, pointsRas: np.ndarray) -> np.ndarray:
        """Return points projected onto the picture, shape (..., 2): column and row."""
        offset = np.asarray(pointsRas, float) - self.centerRas
        inPlane = np.stack([offset @ self.backward, -(offset @ self.upward)], axis=-1)
        return inPlane / self.pixelMm + (self.pixels - 1) / 2

    def sample(
        self,
        voxels: np.ndarray,
        rasToIjk: np.ndarray,
        order: int,
        outside: float = 0.0,
        label: int | None = None,
    ) -> np.ndarray:
        """Read a volume on the plane.

        Parameters
        ----------
        voxels : ndarray, shape (k, j, i)
        rasToIjk : ndarray, shape (4, 4)
        order : int
            0 nearest voxel, 1 linear.
        outside : float
            Value beyond the volume.
        label : int, optional
            Read 1 inside this label and 0 elsewhere.

        Returns
        -------
        ndarray of float, shape (rows, columns)
        """
        from scipy import ndimage

        index = self.pointsRas() @ rasToIjk[:3, :3].T + rasToIjk[:3, 3]
        kji = np.moveaxis(index[..., ::-1], -1, 0)
        # Only the part of the volume around the plane is converted and read.
        last = np.array(voxels.shape) - 1
        low = np.clip(np.floor(kji.min((1, 2))) - 1, 0, last).astype(int)
        high = np.clip(np.ceil(kji.max((1, 2))) + 1, 0, last).astype(int)
        part = voxels[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
        return ndimage.map_coordinates(
            (part if label is None else part == label).astype(np.float32),
            kji - low[:, None, None],
            order=order,
            mode="constant",
            cval=outside,
        )
