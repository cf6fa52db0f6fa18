"""Volumes with their place in the patient: CT in Hounsfield units, label maps, and resampling.

World coordinates are LPS millimetres; arrays are [z, y, x]. The *working grid* is what every
network sees: identity direction (x to the patient's left, y to the back, z to the head) and the
same spacing along all axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk  # noqa: N813

from vertebra_core.separable import apply_axis_weights, axis_weights
from vertebra_core.volume_source import VolumeSource

AIR_HU = -1024.0
"""Value of everything outside a CT volume."""

IDENTITY_DIRECTION: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

BoxLpsMm = tuple[Sequence[float], Sequence[float]]
"""Lowest and highest corner of a box, each LPS mm [x, y, z]."""

# Axes within 0.0001 rad of the patient's count as aligned: 0.05 mm over half a metre.
_ALIGNED_TOLERANCE = 1e-4


class _Placed:
    """What volumes have in common: a regular grid in LPS space."""

    spacing_xyz_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]
    direction: tuple[float, ...]

    @property
    def array(self) -> np.ndarray:
        """The voxels, shape (z, y, x)."""
        raise NotImplementedError

    @property
    def size_xyz(self) -> tuple[int, int, int]:
        """Number of voxels along x, y, z."""
        z, y, x = self.array.shape
        return x, y, z

    def index_to_lps(self, index_zyx: np.ndarray) -> np.ndarray:
        """Map continuous indices (..., 3), z, y, x order, to LPS mm in x, y, z order."""
        scaled = np.asarray(index_zyx, float)[..., ::-1] * np.asarray(self.spacing_xyz_mm)
        return scaled @ np.asarray(self.direction).reshape(3, 3).T + np.asarray(self.origin_lps_mm)

    def lps_to_index(self, point_lps_mm: np.ndarray) -> np.ndarray:
        """Map LPS mm (..., 3), x, y, z order, to continuous indices in z, y, x order."""
        shifted = np.asarray(point_lps_mm, float) - np.asarray(self.origin_lps_mm)
        rotated = shifted @ np.linalg.inv(np.asarray(self.direction).reshape(3, 3)).T
        return (rotated / np.asarray(self.spacing_xyz_mm))[..., ::-1]

    def corners_lps_mm(self) -> np.ndarray:
        """Centres of the eight corner voxels, LPS mm, shape (8, 3)."""
        last = np.asarray(self.array.shape) - 1
        return self.index_to_lps(np.stack(np.meshgrid(*[(0, n) for n in last]), -1).reshape(8, 3))


@dataclass(frozen=True)
class CtVolume(_Placed):
    """A CT volume.

    Attributes
    ----------
    hu : ndarray, shape (z, y, x)
        Hounsfield units, int16 or float32.
    spacing_xyz_mm : tuple of float
        Voxel size along x, y, z.
    origin_lps_mm : tuple of float
        Centre of voxel [0, 0, 0], LPS mm.
    direction : tuple of float
        Row-major 3x3 direction cosines (columns are the x, y, z axes), as SimpleITK has them.
    warnings : tuple of str
        What reading found odd or changed, one plain sentence each.
    source : VolumeSource
    """

    hu: np.ndarray
    spacing_xyz_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]
    direction: tuple[float, ...] = IDENTITY_DIRECTION
    warnings: tuple[str, ...] = ()
    source: VolumeSource = VolumeSource()

    @property
    def array(self) -> np.ndarray:
        """The voxels, shape (z, y, x)."""
        return self.hu


@dataclass(frozen=True)
class LabelVolume(_Placed):
    """A label map.

    Attributes
    ----------
    labels : ndarray of uint8 or uint16, shape (z, y, x)
    spacing_xyz_mm, origin_lps_mm, direction
        As in `CtVolume`.
    names : dict of int to str
        Segment names, where the file carries them.
    source : VolumeSource
    """

    labels: np.ndarray
    spacing_xyz_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]
    direction: tuple[float, ...] = IDENTITY_DIRECTION
    names: dict[int, str] = field(default_factory=dict)
    source: VolumeSource = VolumeSource()

    @property
    def array(self) -> np.ndarray:
        """The voxels, shape (z, y, x)."""
        return self.labels


def to_sitk(volume: CtVolume | LabelVolume) -> sitk.Image:
    """Return a SimpleITK image with a copy of the voxels, in the same place."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing([float(v) for v in volume.spacing_xyz_mm])
    image.SetOrigin([float(v) for v in volume.origin_lps_mm])
    image.SetDirection([float(v) for v in volume.direction])
    return image


def from_sitk(image: sitk.Image) -> CtVolume:
    """Return a CT volume with a copy of the voxels of a 3D scalar `image`, type unchanged."""
    return CtVolume(
        sitk.GetArrayFromImage(image), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    )


def resample_to_working_grid(
    ct: CtVolume, spacing_mm: float, box_lps_mm: BoxLpsMm | None = None
) -> CtVolume:
    """Resample a CT to the working grid.

    Where the working grid is coarser than the input, voxels are averaged over one output voxel;
    where it is finer, they are interpolated linearly. The grid starts at the volume's lowest
    corner (in LPS), so flipped or permuted copies of one CT give the same result.

    Parameters
    ----------
    ct : CtVolume
        Any direction, also left-handed or oblique.
    spacing_mm : float
        Spacing of the working grid.
    box_lps_mm : tuple of two points, optional
        Make only the part of the grid that covers this box; it lies on the nodes that the whole
        grid would have.

    Returns
    -------
    CtVolume
        float32 HU; `AIR_HU` outside the input.

    Raises
    ------
    ValueError
        If the box lies outside the volume.
    """
    corners = ct.corners_lps_mm()
    start, n_nodes = corners.min(0), np.ptp(corners, axis=0)
    n_nodes = np.ceil(n_nodes / spacing_mm - 1e-3).astype(int) + 1
    first, last = np.zeros(3, int), n_nodes - 1
    if box_lps_mm is not None:
        low, high = (np.asarray(corner, float) for corner in box_lps_mm)
        first = np.maximum(first, np.floor((low - start) / spacing_mm + 1e-6).astype(int))
        last = np.minimum(last, np.ceil((high - start) / spacing_mm - 1e-6).astype(int))
        if np.any(last < first):
            raise ValueError("the box lies outside the volume")
    origin = start + first * spacing_mm
    size_xyz = last - first + 1
    resample = _resample_aligned if _aligned_axes(ct) is not None else _resample_oblique
    hu = resample(ct, spacing_mm, origin, size_xyz)
    return CtVolume(hu, (float(spacing_mm),) * 3, tuple(origin.tolist()))


def resample_labels(labels: LabelVolume, like: _Placed) -> LabelVolume:
    """Take `labels` to the grid of `like` by nearest neighbour, 0 outside."""
    image = to_sitk(labels)
    image = _resample_image(image, like, sitk.sitkNearestNeighbor, 0.0, image.GetPixelID())
    array = sitk.GetArrayFromImage(image)
    return LabelVolume(
        array, like.spacing_xyz_mm, like.origin_lps_mm, like.direction, dict(labels.names)
    )


def labels_in_box(labels: LabelVolume, box: tuple[slice, ...]) -> LabelVolume:
    """The labels in `box`: searching a whole scan for every vertebra would take seconds each."""
    start = np.array([s.start for s in box])
    corner = tuple(labels.index_to_lps(start).tolist())
    return LabelVolume(labels.labels[box], labels.spacing_xyz_mm, corner, labels.direction)


def same_grid(a: _Placed, b: _Placed, tolerance_mm: float = 0.05) -> bool:
    """Tell whether two volumes have the same size and their corners agree within `tolerance_mm`."""
    if a.array.shape != b.array.shape:
        return False
    return bool(np.abs(a.corners_lps_mm() - b.corners_lps_mm()).max() <= tolerance_mm)


def _aligned_axes(volume: _Placed) -> list[tuple[int, int]] | None:
    """Per patient axis x, y, z: the index axis along it and its sign; None if oblique."""
    matrix = np.asarray(volume.direction).reshape(3, 3)
    axes = [int(np.argmax(np.abs(row))) for row in matrix]
    if sorted(axes) != [0, 1, 2]:
        return None
    nearest = np.zeros((3, 3))
    nearest[range(3), axes] = np.sign(matrix[range(3), axes])
    if np.abs(matrix - nearest).max() > _ALIGNED_TOLERANCE:
        return None
    return [(axis, int(nearest[i, axis])) for i, axis in enumerate(axes)]


def _resample_aligned(
    ct: CtVolume, spacing_mm: float, origin: np.ndarray, size_xyz: np.ndarray
) -> np.ndarray:
    axes = _aligned_axes(ct)
    view = ct.hu.transpose([2 - axes[i][0] for i in (2, 1, 0)])
    view = view[tuple(slice(None, None, axes[i][1]) for i in (2, 1, 0))]
    lowest = ct.corners_lps_mm().min(0)
    weights, used = [], []
    for i in (2, 1, 0):
        ratio = spacing_mm / ct.spacing_xyz_mm[axes[i][0]]
        offset = (origin[i] - lowest[i]) / ct.spacing_xyz_mm[axes[i][0]]
        positions = offset + ratio * np.arange(size_xyz[i])
        matrix = axis_weights(positions, view.shape[2 - i], max(1.0, ratio))
        part = slice(int(matrix.indices.min()), int(matrix.indices.max()) + 1)
        weights.append(matrix[:, part])
        used.append(part)
    return apply_axis_weights(view[tuple(used)], tuple(weights))


def _resample_oblique(
    ct: CtVolume, spacing_mm: float, origin: np.ndarray, size_xyz: np.ndarray
) -> np.ndarray:
    grid = _Grid(tuple(int(v) for v in size_xyz), (spacing_mm,) * 3, tuple(origin.tolist()))
    ratios = [spacing_mm / s for s in ct.spacing_xyz_mm[::-1]]
    # Linear interpolation has the variance 1/6 of a triangle of half width 1 already.
    half_widths = [max(1.0, np.sqrt(max(0.0, r * r - 1))) for r in ratios]
    needed = ct.lps_to_index(grid.corners_lps_mm())
    part = tuple(
        slice(max(0, int(np.floor(low - w)) - 1), min(n, int(np.ceil(high + w)) + 2))
        for low, high, w, n in zip(
            needed.min(0), needed.max(0), half_widths, ct.hu.shape, strict=True
        )
    )
    hu = ct.hu[part]
    if max(half_widths) > 1:
        identity = [np.arange(n, dtype=float) for n in hu.shape]
        matrices = tuple(axis_weights(identity[i], hu.shape[i], half_widths[i]) for i in range(3))
        hu = apply_axis_weights(hu, matrices, hu.dtype)
    corner = tuple(ct.index_to_lps(np.array([s.start for s in part])).tolist())
    image = to_sitk(CtVolume(np.ascontiguousarray(hu), ct.spacing_xyz_mm, corner, ct.direction))
    image = _resample_image(image, grid, sitk.sitkLinear, AIR_HU, sitk.sitkFloat32)
    return sitk.GetArrayFromImage(image)


@dataclass(frozen=True)
class _Grid(_Placed):
    """A grid without voxels."""

    grid_size_xyz: tuple[int, int, int]
    spacing_xyz_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]
    direction: tuple[float, ...] = IDENTITY_DIRECTION

    @property
    def array(self) -> np.ndarray:
        return np.broadcast_to(np.uint8(0), self.grid_size_xyz[::-1])


def _resample_image(
    image: sitk.Image, like: _Placed, interpolator: int, outside: float, pixel_id: int
) -> sitk.Image:
    return sitk.Resample(
        image,
        like.size_xyz,
        sitk.Transform(),
        interpolator,
        [float(v) for v in like.origin_lps_mm],
        [float(v) for v in like.spacing_xyz_mm],
        [float(v) for v in like.direction],
        outside,
        pixel_id,
    )
