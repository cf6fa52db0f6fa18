"""Vertebrae built from their morphometry: C1 to L6, each an individual."""

from __future__ import annotations

import numpy as np

from ..levels import Region, level_numbered
from .grid import noise_field
from .parametric_atlas import build_atlas
from .parametric_body import body_field
from .parametric_processes import (
    add_dens,
    add_spinous,
    add_transverse,
    cut_foramina,
)
from .sdf import FAR_MM, Canvas, Solid, bar, plate, smooth_min, with_far_distances
from .shape import VertebraShape
from .shape_frame import GRID_HIGH_ZYX_MM, GRID_LOW_ZYX_MM, cut_body
from .shape_measurement import body_centre, finished_shape
from .vertebra_parameters import VertebraParameters, draw_parameters

_GAP_MM = 1.5
"""Width of a facet joint as CT shows it: cartilage of both sides (1-2 mm)."""

_FACET_THICKNESS_MM = 5.4
_ROUGHNESS_MM = 0.3
_ATLAS, _AXIS = 1, 2


def parametric_vertebra(level_number: int, rng: np.random.Generator) -> VertebraShape:
    """Build an individual vertebra.

    Parameters
    ----------
    level_number : int
        VerSe number of a mobile level: 1 (C1) to 25 (L6), or 28 (T13).
    rng : numpy.random.Generator

    Returns
    -------
    VertebraShape
        ``source`` is ``"parametric"``.

    Raises
    ------
    ValueError
        If `level_number` is S1 (see `parametric_sacrum.parametric_sacrum`) or no level.
    """
    if level_number == 26 or not 1 <= level_number <= 28 or level_number == 27:
        raise ValueError(f"no mobile level has number {level_number}")
    if level_number == _ATLAS:
        sdf, body = build_atlas(rng)
        return finished_shape(sdf, body, level_number, "parametric")
    own, below = draw_parameters(level_number, rng)
    region = level_numbered(level_number).region
    form = int(rng.integers(2**63))
    canvas, body = _paint_body(own, level_number, form, np.zeros(3))
    # Formulas run about the middle of the depth; the frame's origin is the centre of mass.
    canvas, body = _paint_body(own, level_number, form, body_centre(body) * [1, 1, 0])
    # Bone is never smooth: muscle attachments, ridges and small spurs.
    rough = _ROUGHNESS_MM * noise_field(rng, canvas.field.shape, 7.0)
    near = body < FAR_MM
    body = np.where(near, body + rough, body)
    _add_arch(canvas, own, below, level_number, rng)
    whole = smooth_min(canvas.field + rough, body, 2.5)
    canvas.field = whole
    if level_number == _AXIS:
        add_dens(canvas, own, rng)
    if region is Region.CERVICAL:
        cut_foramina(canvas, own, level_number)
    # Neither the fillets nor the foramina may change the body itself.
    whole = with_far_distances(np.minimum(canvas.field, body))
    body = cut_body(whole, level_number) if level_number == _AXIS else with_far_distances(body)
    return finished_shape(whole, body, level_number, "parametric")


def _paint_body(p, level: int, seed: int, centre_zyx_mm) -> tuple[Canvas, np.ndarray]:
    """Return an empty canvas about `centre_zyx_mm` and the body's distances on it."""
    canvas = Canvas(GRID_LOW_ZYX_MM + centre_zyx_mm, GRID_HIGH_ZYX_MM + centre_zyx_mm)
    body = np.full_like(canvas.field, FAR_MM)
    box = canvas.box((-26, -30, -36), (26, 30, 36))
    body[box] = body_field(*canvas.axes(box), p, level, np.random.default_rng(seed))
    return canvas, body


def _add_arch(canvas, p: VertebraParameters, below: VertebraParameters, level: int, rng) -> None:
    region = level_numbered(level).region
    wall = p.depth / 2
    pillar = _pillar(p, region)
    _add_pedicles(canvas, p, pillar, region)
    _add_facets(canvas, p, below, pillar, level)
    _add_laminae(canvas, p, pillar, region)
    add_transverse(canvas, p, pillar, region, level)
    _cut_canal(canvas, p, region)
    add_spinous(canvas, p, region, level, rng)
    _cut_joints(canvas, p, below, level)
    # Nothing of the arch may fill the canal again in the mid-line.
    clear = p.canal_depth - 2.0
    canvas.cut(
        bar((-45, wall + clear / 2, 0), (45, wall + clear / 2, 0), (0, 1, 0),
            (clear / 2, p.canal_width / 2 - 3), (clear / 2, p.canal_width / 2 - 3)), 1.0
    )  # fmt: skip


def _pillar(p: VertebraParameters, region: Region) -> np.ndarray:
    """Centre of the left junction of pedicle, lamina and articular processes."""
    wall = p.depth / 2
    if region is Region.CERVICAL:
        return np.array([-1.5, wall + 6.0, p.facet_x])
    if region is Region.THORACIC:
        return np.array([p.pedicle_z - 2.0, wall + 8.5, max(p.facet_x, p.canal_width / 2 + 2.5)])
    return np.array([p.pedicle_z - 2.5, wall + 10.5, p.canal_width / 2 + 4.0])


def _add_pedicles(canvas, p, pillar, region) -> None:
    half_w, half_h = p.pedicle_width / 2, p.pedicle_height / 2
    # No pedicle rises above the endplate: the foramen of the nerve above stays free.
    height = min(p.pedicle_z, p.height / 2 - half_h - 0.5)
    if region is Region.CERVICAL:
        start = (height, p.depth / 2 - 3.0, p.canal_width / 2 + 0.5)
    else:
        start = (height, p.depth / 2 - 3.0, p.canal_width / 2 + half_w)
    end = (height - (0 if region is Region.CERVICAL else 0.5), pillar[1] - 1.0, pillar[2])
    canvas.add_pair(bar(start, end, (1, 0, 0), (half_h, half_w), (half_h, max(half_w, 3.5))), 3.0)


def _add_facets(canvas, p, below, pillar, level) -> None:
    region = level_numbered(level).region
    half, thick = p.facet_half, _FACET_THICKNESS_MM / 2
    upper = None
    if level != _AXIS:
        normal = np.array(p.facet_normal) / np.linalg.norm(p.facet_normal)
        upper = np.array([p.facet_z, p.facet_y, p.facet_x]) - normal * (_GAP_MM / 2 + thick)
        canvas.add_pair(_process(upper, normal, half, thick), 2.5)
        foot = pillar + [-1.0, 0.0, 0.0]
        canvas.add_pair(bar(foot, upper, (0, 0, 1), (5.8, 6.0), (4.8, thick + 0.8)), 3.0)
    # The inferior facet matches the superior one of the level below, a spacing further down.
    turned = np.array(below.facet_normal) / np.linalg.norm(below.facet_normal)
    lower = np.array([below.facet_z - p.spacing, below.facet_y, below.facet_x])
    lower += turned * (_GAP_MM / 2 + thick)
    canvas.add_pair(_process(lower, turned, below.facet_half, thick), 2.5)
    if region is Region.CERVICAL:
        # Superior and inferior facets are the ends of one solid pillar.
        start = upper if upper is not None else pillar + [4.0, -2.0, -2.5]
        canvas.add_pair(bar(start, lower, (0, 0, 1), (6.6, 5.2), (6.4, 4.6)), 3.0)
        return
    root = np.array([p.lamina_z + 2.0, pillar[1] + 2.0, pillar[2] - 0.5])
    root[1] = max(root[1], min(lower[1], p.depth / 2 + p.canal_depth))
    canvas.add_pair(bar(root, lower, (0, 0, 1), (5.0, 4.2), (4.8, thick + 0.4)), 2.5)
    canvas.add_pair(bar(pillar, root, (0, 0, 1), (5.8, 6.0), (5.4, 4.8)), 3.0)
    # The lower part of the lamina spreads like a shield from the spinous process to the facet.
    middle = np.array(
        [p.lamina_z - 3.0, p.depth / 2 + p.canal_depth + 0.5 * p.lamina_thickness, 2.0]
    )
    section = (0.3 * p.lamina_height, 0.45 * p.lamina_thickness)
    canvas.add_pair(bar(middle, lower + [3.0, 0.5, 0.0], (1, 0, 0), section, (5.0, 3.0)), 3.0)


def _cut_joints(canvas, p, below, level) -> None:
    """Free the room of the neighbours' articular processes across each joint."""
    room = 4.5
    joints = [(np.array([below.facet_z - p.spacing, below.facet_y, below.facet_x]), below, -1.0)]
    if level != _AXIS:
        joints.append((np.array([p.facet_z, p.facet_y, p.facet_x]), p, 1.0))
    for joint, owner, side in joints:
        normal = np.array(owner.facet_normal) / np.linalg.norm(owner.facet_normal)
        centre = joint + side * normal * (room - _GAP_MM / 2)
        half = owner.facet_half + 2.0
        canvas.cut_pair(plate(centre, normal, (1, 0, 0), (half, half, room), 1.5), 1.0)


def _process(centre, normal, half, thick) -> Solid:
    """An articular process: a blunt disc, flat on both sides."""
    return plate(centre, normal, (1, 0, 0), (half, half, thick), min(thick, 2.4))


def _add_laminae(canvas, p, pillar, region) -> None:
    back = p.depth / 2 + p.canal_depth + p.lamina_thickness / 2 - 0.3
    tall, thin = p.lamina_height / 2, p.lamina_thickness / 2
    z = p.lamina_z
    outer = np.array([z, max(pillar[1], p.depth / 2 + 0.55 * p.canal_depth), pillar[2] - 1.0])
    inner = np.array([z - 0.5, back, 1.0])
    # Laminae lean back: their lower edge lies further behind than the upper.
    lean = {Region.CERVICAL: -0.5, Region.THORACIC: -0.25}.get(region, -0.3)
    sections = (tall * 1.05, thin * 1.15), (tall * 0.95, thin)
    canvas.add_pair(bar(outer, inner, (1, lean, 0), *sections), 3.0)


def _cut_canal(canvas, p, region) -> None:
    """A canal of the full size: an oval in the neck and chest, rather a triangle in the loin."""
    wall, d, w = p.depth / 2, p.canal_depth / 2, p.canal_width / 2
    centre = wall + d
    canvas.cut(bar((-40, centre, 0), (40, centre, 0), (0, 1, 0), (d, w * 0.92), (d, w * 0.92)), 1.0)
    if region is not Region.THORACIC:
        front = wall + 0.35 * p.canal_depth
        r = 0.4 * p.canal_depth
        canvas.cut(bar((-40, front, 0), (40, front, 0), (0, 1, 0), (r, w), (r, w)), 1.0)
