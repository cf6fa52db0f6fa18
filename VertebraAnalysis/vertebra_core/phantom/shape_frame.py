"""The frame of a vertebra found from its own surface, and its body cut out and measured there.

Everything here works on signed distances in millimetres, negative inside, index order z, y, x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

from ..levels import Region, level_numbered

GRID_LOW_ZYX_MM = (-50, -35, -55)
GRID_HIGH_ZYX_MM = (45, 75, 55)
"""Corners of the 1 mm grid every `VertebraShape` is stored on."""

CLIP_MM = 16.0

_C1, _C2 = 1, 2
_ARCH_TO_DENS_MM = 7.0


@dataclass(frozen=True)
class Field:
    """A signed distance field in any frame: values [z, y, x] (mm), position of voxel 0, spacing."""

    values: np.ndarray
    origin_zyx_mm: np.ndarray
    spacing_mm: float

    def at(self, points_zyx_mm: np.ndarray) -> np.ndarray:
        """Interpolate at points of shape (3, ...); beyond the field the distance to it is added."""
        shape = (3,) + (1,) * (points_zyx_mm.ndim - 1)
        index = (points_zyx_mm - self.origin_zyx_mm.reshape(shape)) / self.spacing_mm
        last = np.asarray(self.values.shape).reshape(shape) - 1
        inside = np.clip(index, 0, last)
        beyond = np.sqrt(((index - inside) ** 2).sum(0)) * self.spacing_mm
        return ndimage.map_coordinates(self.values, inside, order=1) + beyond


def distance_field(
    mask: np.ndarray, origin_zyx_mm, spacing_mm: float, smooth_mm: float = 0.5
) -> Field:
    """Turn an isotropic mask into a smoothed signed distance field."""
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    # Distances run between voxel centres; the surface lies half-way between the two sides.
    distance = np.where(mask, 0.5 - inside, outside - 0.5) * spacing_mm
    distance = ndimage.gaussian_filter(distance.astype(np.float32), smooth_mm / spacing_mm)
    return Field(distance, np.asarray(origin_zyx_mm, float), spacing_mm)


def grid_points() -> np.ndarray:
    """Return the positions of the standard grid's voxels, shape (3, z, y, x), float32."""
    lines = [
        np.arange(a, b + 1, dtype=np.float32)
        for a, b in zip(GRID_LOW_ZYX_MM, GRID_HIGH_ZYX_MM, strict=True)
    ]
    return np.stack(np.meshgrid(*lines, indexing="ij"))


def find_symmetry(field: Field, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Find the mid-sagittal plane.

    Returns
    -------
    centre : ndarray, shape (3,)
        A point of the plane: the centre of mass projected on it.
    axes : ndarray, shape (3, 3)
        Rows: up, back and left unit vectors; left is the plane's normal.
    """
    voxels = np.argwhere(np.abs(field.values) < field.spacing_mm)
    voxels = voxels[rng.permutation(len(voxels))[:4000]]
    points = voxels * field.spacing_mm + field.origin_zyx_mm
    mass = np.argwhere(field.values < 0).mean(0) * field.spacing_mm + field.origin_zyx_mm

    def cost(p):
        normal = _left(p[1], p[2])
        d = (points - mass) @ normal - p[0]
        mirrored = points - 2 * d[:, None] * normal
        return float(np.minimum(np.abs(field.at(mirrored.T)), 4.0).mean())

    best = None
    for start in (-0.15, 0.0, 0.15):
        simplex = np.array([0.0, start, 0.0]) + np.vstack([np.zeros(3), np.diag([2.0, 0.12, 0.12])])
        found = optimize.minimize(
            cost,
            simplex[0],
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "maxiter": 90, "xatol": 5e-3, "fatol": 1e-3},
        )
        if best is None or found.fun < best.fun:
            best = found
    normal = _left(best.x[1], best.x[2])
    up = np.array([1.0, 0.0, 0.0]) - normal[0] * normal
    up /= np.linalg.norm(up)
    back = np.array([0.0, 1.0, 0.0])
    back -= (back @ normal) * normal + (back @ up) * up
    back /= np.linalg.norm(back)
    return mass + best.x[0] * normal, np.stack([up, back, normal])


def _left(yaw: float, roll: float) -> np.ndarray:
    return np.array([np.sin(roll), np.cos(roll) * np.sin(yaw), np.cos(roll) * np.cos(yaw)])


def _tilted(axes: np.ndarray, tilt: float) -> np.ndarray:
    up, back, left = axes
    c, s = np.cos(tilt), np.sin(tilt)
    return np.stack([c * up + s * back, c * back - s * up, left])


def sample(field: Field, centre: np.ndarray, axes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Sample `field` at `points` (3, ...) given in the frame of `centre` and `axes` rows."""
    world = np.tensordot(axes.T, points, axes=1) + centre.reshape((3,) + (1,) * (points.ndim - 1))
    return field.at(world)


def find_frame(field: Field, level: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Find the frame of a vertebra that stands roughly upright and faces forward.

    Returns
    -------
    centre : ndarray, shape (3,)
    axes : ndarray, shape (3, 3)
        Rows: the body's up, back and left unit vectors.
    """
    centre, axes = find_symmetry(field, rng)
    if level == _C1:
        return _atlas_frame(field, centre, axes)
    # Mid-sagittal picture, 0.5 mm, averaged over 4 mm.
    z, y = np.arange(-60, 60.1, 0.5), np.arange(-60, 60.1, 0.5)
    x = np.array([-2.0, 0.0, 2.0])
    points = np.stack(np.meshgrid(z, y, x, indexing="ij"))
    picture = sample(field, centre, axes, points).mean(-1) < 0
    parts, count = ndimage.label(ndimage.binary_opening(picture, iterations=3))
    sizes = ndimage.sum(picture, parts, range(1, count + 1)) / 4
    fronts = [np.argwhere(parts == i + 1)[:, 1].mean() for i in range(count)]
    front = min((f, i) for i, f in enumerate(fronts) if sizes[i] > 60)[1]
    zz, yy = np.argwhere(parts == front + 1).T
    pz, py = z[zz], y[yy]
    if level == _C2:
        return _axis_frame(centre, axes, pz, py)
    best = None
    for tilt in np.deg2rad(np.arange(-45, 46, 1.0)):
        u, v = pz * np.cos(tilt) + py * np.sin(tilt), py * np.cos(tilt) - pz * np.sin(tilt)
        u0, u1, v0, v1 = *np.percentile(u, [1.5, 98.5]), *np.percentile(v, [1.5, 98.5])
        area = (u1 - u0) * (v1 - v0)
        if best is None or area < best[0]:
            best = area, tilt, (u0 + u1) / 2, (v0 + v1) / 2, u1 - u0, v1 - v0
    _, tilt, u, v, height, depth = best
    if height > 1.25 * depth:
        height, depth = depth, height
    axes = _tilted(axes, tilt)
    centre = centre + u * axes[0] + v * axes[1]
    return _level_endplates(field, centre, axes, height, depth)


def _atlas_frame(field, centre, axes):
    """The atlas: z along the thinnest direction of the ring in the mid-sagittal plane."""
    voxels = np.argwhere(field.values < 0) * field.spacing_mm + field.origin_zyx_mm
    local = (voxels - voxels.mean(0)) @ axes.T
    tilt = 0.5 * np.arctan2(
        2 * np.mean(local[:, 0] * local[:, 1]), np.var(local[:, 1]) - np.var(local[:, 0])
    )
    axes = _tilted(axes, -tilt)
    # The origin is the axis of the dens: about 7 mm behind the back of the anterior arch.
    y = np.arange(-45, 45.1, 0.5)
    lines = np.stack(
        np.meshgrid(np.arange(-4, 4.1, 1.0), y, np.arange(-2, 2.1, 1.0), indexing="ij")
    )
    middle = (sample(field, centre, axes, lines).min(axis=(0, 2))) < 0
    _, back = _run(middle, int(np.argmax(middle)))
    return centre + (y[back] + _ARCH_TO_DENS_MM) * axes[1], axes


def _axis_frame(centre, axes, pz, py):
    """The axis (C2): z along body and dens together; the centre is set when its body is cut."""
    local = np.stack([pz - pz.mean(), py - py.mean()])
    values, vectors = np.linalg.eigh(np.cov(local))
    long = vectors[:, 1] * np.sign(vectors[0, 1])
    tilt = float(np.clip(np.arctan2(long[1], long[0]), -0.6, 0.6))
    centre = centre + pz.mean() * axes[0] + py.mean() * axes[1]
    return centre, _tilted(axes, tilt)


def _level_endplates(field, centre, axes, height, depth):
    """Turn the frame until the mean slope of both endplates is nil and centre it between them."""
    z = np.arange(-height, height + 0.1, 0.5)
    y = np.arange(-0.36 * depth, 0.36 * depth + 0.1, 1.0)
    x = np.array([-8.0, -5.0, -2.0, 0.0, 2.0, 5.0, 8.0])
    points = np.stack(np.meshgrid(z, y, x, indexing="ij"))
    for _ in range(4):
        inside = sample(field, centre, axes, points) < 0
        middle = len(z) // 2
        top = middle + np.argmin(inside[middle:], axis=0)
        bottom = middle - np.argmin(inside[middle::-1], axis=0)
        top_mm, bottom_mm = np.median(z[top], axis=1), np.median(z[bottom], axis=1)
        slope = np.polyfit(y, (top_mm + bottom_mm) / 2, 1)
        axes = _tilted(axes, -np.arctan(slope[0]))
        centre = centre + slope[1] * axes[0]
    return centre, axes


def cut_body(sdf: np.ndarray, level: int) -> np.ndarray:
    """Cut the vertebral body out of a vertebra on the standard grid.

    The cut follows the posterior wall, which the canal shows, and goes on level through the
    pedicles, as the corpus of VerSe-style sub-region masks does. The body of C2 ends at the base of
    the dens; that of C1 is its anterior arch.

    Returns
    -------
    ndarray of float32
        Signed distance to the body, same grid.
    """
    z, y, x = _lines()
    if level == _C1:
        return np.maximum(sdf, _atlas_box(sdf, y, x))
    inside = sdf < 0
    iz, iy, ix = (int(-a) for a in GRID_LOW_ZYX_MM)
    column = inside[:, iy, ix - 2 : ix + 3].mean(-1) > 0.5
    low, high = _run(column, iz)
    top_mm, bottom_mm = z[high], z[low]
    if level == _C2:
        top_mm = _dens_base(inside, iy, ix, low, high, z)
    wall = _posterior_wall(sdf, range(low, high + 1), ix, y)
    width = np.percentile(
        [
            np.diff(_run(inside[k, iy], ix))[0] + 1
            for k in range(low + 1, max(low + 2, high))
            if z[k] <= top_mm
        ],
        75 if level_numbered(level).region is not Region.CERVICAL else 40,
    )
    body = np.maximum(sdf, y - wall[:, None, :])
    body = np.maximum(body, np.abs(x) - (width / 2 + 1.5))
    margin = 6.0 if level_numbered(level).region is Region.CERVICAL else 4.0
    upper = top_mm if level == _C2 else top_mm + margin
    body = np.maximum(body, np.maximum(z - upper, bottom_mm - margin - z))
    parts, count = ndimage.label(body < 0)
    if count > 1:
        keep = parts[(low + high) // 2 if level != _C2 else low + 4, iy, ix]
        body = np.where((body < 0) & (parts != keep), np.abs(body), body)
    return body.astype(np.float32)


def _posterior_wall(sdf, rows, ix, y):
    """Map (z, x) of the posterior wall: where the bone of the body ends towards the canal."""
    wall = np.full((sdf.shape[0], sdf.shape[2]), np.nan, np.float32)
    iy = int(-GRID_LOW_ZYX_MM[1])
    for k in rows:
        for j in range(ix - 12, ix + 13):
            line = sdf[k, iy:, j]
            if line[0] >= 0:
                continue
            out = int(np.argmax(line > 0))
            # Only where a canal of some depth follows is it the wall and not a pedicle.
            if out and np.all(line[out : out + 7] > 0):
                wall[k, j] = y[0, iy + out, 0] - line[out] / (line[out] - line[out - 1])
    middle = np.nanmedian(wall[rows.start : rows.stop, ix - 2 : ix + 3])
    wall[np.abs(wall - middle) > 4] = np.nan
    known = np.isfinite(wall)
    index = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = wall[tuple(index)]
    return ndimage.gaussian_filter(filled, 1.5) + 0.5


def _atlas_box(sdf, y, x):
    ix = int(-GRID_LOW_ZYX_MM[2])
    middle = (sdf[:, :, ix - 1 : ix + 2].mean(-1) < 0).any(0)
    _, last = _run(middle, int(np.argmax(middle)))
    return np.maximum(y - (y[0, last, 0] + 0.5), np.abs(x) - 9.0)


def _dens_base(inside, iy, ix, low, high, z):
    widths = np.array([np.diff(_run(inside[k, iy], ix))[0] + 1 for k in range(low, high + 1)])
    wide = np.flatnonzero(widths > 18)
    return float(z[low + (wide.max() if len(wide) else len(widths) // 2)].item())


def _run(line: np.ndarray, start: int) -> tuple[int, int]:
    low = high = start
    while low > 0 and line[low - 1]:
        low -= 1
    while high < len(line) - 1 and line[high + 1]:
        high += 1
    return low, high


def _lines():
    z, y, x = (
        np.arange(a, b + 1, dtype=np.float32)
        for a, b in zip(GRID_LOW_ZYX_MM, GRID_HIGH_ZYX_MM, strict=True)
    )
    return z[:, None, None], y[None, :, None], x[None, None, :]
