"""Vertebrae built from their morphometry: every level from C1 to L6 with random individual variation."""

from __future__ import annotations

import numpy as np

from ..levels import Region, level_numbered
from .grid import noise_field
from .parametric_atlas import build_atlas
from .parametric_body import body_field
from .sdf import FAR_MM, Canvas, ball, bar, plate, smooth_min, with_far_distances
from .shape import VertebraShape
from .shape_frame import GRID_HIGH_ZYX_MM, GRID_LOW_ZYX_MM, cut_body
from .shape_measurement import finished_shape
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
        If `level_number` is S1 (see `pelvis_shapes.parametric_sacrum`) or no level.
    """
    if level_number == 26 or not 1 <= level_number <= 28 or level_number == 27:
        raise ValueError(f"no mobile level has number {level_number}")
    if level_number == _ATLAS:
        sdf, body = build_atlas(rng)
        return finished_shape(sdf, body, level_number, "parametric")
    own, below = draw_parameters(level_number, rng)
    region = level_numbered(level_number).region
    canvas = Canvas(GRID_LOW_ZYX_MM, GRID_HIGH_ZYX_MM)
    # Bone is never smooth: muscle attachments, ridges and small spurs.
    rough = _ROUGHNESS_MM * noise_field(rng, canvas.field.shape, 7.0)
    body = np.full_like(canvas.field, FAR_MM)
    box = canvas.box((-26, -30, -36), (26, 30, 36))
    body[box] = body_field(*canvas.axes(box), own, level_number, rng) + rough[box]
    _add_arch(canvas, own, below, level_number, rng)
    whole = smooth_min(canvas.field + rough, body, 2.5)
    canvas.field = whole
    if level_number == _AXIS:
        _add_dens(canvas, own, rng)
    if region is Region.CERVICAL:
        _cut_foramina(canvas, own, level_number)
    # Neither the fillets nor the foramina may change the body itself.
    whole = with_far_distances(np.minimum(canvas.field, body))
    body = cut_body(whole, level_number) if level_number == _AXIS else with_far_distances(body)
    return finished_shape(whole, body, level_number, "parametric")


def _add_arch(canvas, p: VertebraParameters, below: VertebraParameters, level: int, rng) -> None:
    region = level_numbered(level).region
    wall = p.depth / 2
    pillar = _pillar(p, region)
    _add_pedicles(canvas, p, pillar, region)
    _add_facets(canvas, p, below, pillar, level)
    _add_laminae(canvas, p, pillar, region)
    _add_transverse(canvas, p, pillar, region, level)
    _cut_canal(canvas, p, region)
    _add_spinous(canvas, p, region, level, rng)
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


def _mirror(point, sign: float) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2]) * sign


def _add_pedicles(canvas, p, pillar, region) -> None:
    half_w, half_h = p.pedicle_width / 2, p.pedicle_height / 2
    if region is Region.CERVICAL:
        start = (p.pedicle_z, p.depth / 2 - 3.0, p.canal_width / 2 + 0.5)
    else:
        start = (p.pedicle_z, p.depth / 2 - 3.0, p.canal_width / 2 + half_w)
    end = (p.pedicle_z - (0 if region is Region.CERVICAL else 0.5), pillar[1] - 1.0, pillar[2])
    canvas.add_pair(
        lambda s: bar(_mirror(start, s), _mirror(end, s), (1, 0, 0),
                      (half_h, half_w), (half_h, max(half_w, 3.5))), 3.0
    )  # fmt: skip


def _add_facets(canvas, p, below, pillar, level) -> None:
    region = level_numbered(level).region
    half, thick = p.facet_half, _FACET_THICKNESS_MM / 2
    upper = None
    if level != _AXIS:
        normal = np.array(p.facet_normal) / np.linalg.norm(p.facet_normal)
        upper = np.array([p.facet_z, p.facet_y, p.facet_x]) - normal * (_GAP_MM / 2 + thick)
        canvas.add_pair(lambda s: _process(upper, normal, s, half, thick), 2.5)
        foot = pillar + [-1.0, 0.0, 0.0]
        canvas.add_pair(
            lambda s: bar(_mirror(foot, s), _mirror(upper, s), (0, 0, 1), (5.8, 6.0), (4.8, thick + 0.8)), 3.0
        )
    # The inferior facet matches the superior one of the level below, a spacing further down.
    turned = np.array(below.facet_normal) / np.linalg.norm(below.facet_normal)
    lower = np.array([below.facet_z - p.spacing, below.facet_y, below.facet_x])
    lower += turned * (_GAP_MM / 2 + thick)
    canvas.add_pair(lambda s: _process(lower, turned, s, below.facet_half, thick), 2.5)
    if region is Region.CERVICAL:
        # Superior and inferior facets are the ends of one solid pillar.
        start = upper if upper is not None else pillar + [4.0, -2.0, -2.5]
        canvas.add_pair(
            lambda s: bar(_mirror(start, s), _mirror(lower, s), (0, 0, 1), (6.6, 5.2), (6.4, 4.6)), 3.0
        )
        return
    root = np.array([p.lamina_z + 2.0, pillar[1] + 2.0, pillar[2] - 0.5])
    root[1] = max(root[1], min(lower[1], p.depth / 2 + p.canal_depth))
    canvas.add_pair(
        lambda s: bar(_mirror(root, s), _mirror(lower, s), (0, 0, 1), (5.0, 4.2), (4.8, thick + 0.4)), 2.5
    )
    canvas.add_pair(
        lambda s: bar(_mirror(pillar, s), _mirror(root, s), (0, 0, 1), (5.8, 6.0), (5.4, 4.8)), 3.0
    )
    # The lower part of the lamina spreads like a shield from the spinous process to the facet.
    middle = np.array([p.lamina_z - 3.0, p.depth / 2 + p.canal_depth + 0.5 * p.lamina_thickness, 2.0])
    canvas.add_pair(
        lambda s: bar(_mirror(middle, s), _mirror(lower + [3.0, 0.5, 0.0], s), (1, 0, 0),
                      (0.3 * p.lamina_height, 0.45 * p.lamina_thickness), (5.0, 3.0)), 3.0
    )  # fmt: skip


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
        canvas.cut_pair(
            lambda s, c=centre, n=normal, h=half: plate(
                _mirror(c, s), _mirror(n, s), (1, 0, 0), (h, h, room), 1.5
            ),
            1.0,
        )


def _process(centre, normal, sign, half, thick):
    """An articular process: a blunt disc, flat on both sides."""
    return plate(
        _mirror(centre, sign), _mirror(normal, sign), (1, 0, 0), (half, half, thick), min(thick, 2.4)
    )


def _add_laminae(canvas, p, pillar, region) -> None:
    back = p.depth / 2 + p.canal_depth + p.lamina_thickness / 2 - 0.3
    tall, thin = p.lamina_height / 2, p.lamina_thickness / 2
    z = p.lamina_z
    outer = np.array([z, max(pillar[1], p.depth / 2 + 0.55 * p.canal_depth), pillar[2] - 1.0])
    inner = np.array([z - 0.5, back, 1.0])
    # Laminae lean back: their lower edge lies further behind than the upper.
    lean = {Region.CERVICAL: -0.5, Region.THORACIC: -0.25}.get(region, -0.3)
    canvas.add_pair(
        lambda s: bar(_mirror(outer, s), _mirror(inner, s), (1, lean, 0),
                      (tall * 1.05, thin * 1.15), (tall * 0.95, thin)), 3.0
    )  # fmt: skip


def _cut_canal(canvas, p, region) -> None:
    """A canal of the full size: an oval in the neck and chest, rather a triangle in the loin."""
    wall, d, w = p.depth / 2, p.canal_depth / 2, p.canal_width / 2
    centre = wall + d
    canvas.cut(bar((-40, centre, 0), (40, centre, 0), (0, 1, 0), (d, w * 0.92), (d, w * 0.92)), 1.0)
    if region is not Region.THORACIC:
        front = wall + 0.35 * p.canal_depth
        r = 0.4 * p.canal_depth
        canvas.cut(bar((-40, front, 0), (40, front, 0), (0, 1, 0), (r, w), (r, w)), 1.0)


def _add_spinous(canvas, p, region, level, rng) -> None:
    wall = p.depth / 2
    root_y = wall + p.canal_depth + p.lamina_thickness * 0.6
    base, tip, thin = p.spinous_base_height / 2, p.spinous_tip_height / 2, p.spinous_width / 2
    root = np.array([p.lamina_z - 0.5, root_y, 0.0])
    end = np.array([p.spinous_z, p.spinous_y - 0.8 * thin, rng.normal(0, 0.7)])
    if region is Region.CERVICAL and level < 7:
        fork = np.array([end[0], end[1] - 4.0, 0.0])
        canvas.add(bar(root, fork, (0, 0, 1), (thin * 0.75, base), (thin * 0.8, tip)), 2.5)
        spread = rng.uniform(2.5, 5.5) if level < 6 else rng.uniform(0.5, 3.5)
        canvas.add_pair(
            lambda s: bar(fork, (end[0] - 1.5, end[1], s * spread), (0, 0, 1),
                          (thin * 0.7, tip * 0.9), (thin * 0.75, tip * 0.65)), 2.0
        )  # fmt: skip
        return
    # The plate is thin in its middle and thickened at the tip, which is blunt.
    middle = 0.45 * root + 0.55 * end
    middle[0] += 0.04 * (end[1] - root[1])
    waist = (0.5 * base + 0.5 * tip) * 0.95
    canvas.add(bar(root, middle, (0, 0, 1), (thin * 0.95, base), (thin * 0.7, waist)), 2.5)
    last = 0.3 * middle + 0.7 * end
    canvas.add(bar(middle, last, (0, 0, 1), (thin * 0.7, waist), (thin, tip)), 2.0)
    canvas.add(bar(last, end, (0, 0, 1), (thin, tip), (thin, 0.62 * tip)), 2.0)
    if region is Region.LUMBAR:
        droop = end + [-tip * 0.45, -2.0, 0]
        canvas.add(ball(droop, (tip * 0.55, 4.5, thin * 1.05)), 2.0)


def _add_transverse(canvas, p, pillar, region, level) -> None:
    r = p.transverse_radius
    tip = np.array([p.transverse_z, p.transverse_y, p.transverse_x - 0.8 * r])
    if region is Region.CERVICAL:
        # Two bars about the transverse foramen, ending in two tubercles with a groove between.
        front_root = np.array([-1.0, p.depth / 2 - 7.5, p.width / 2 - 2.0])
        front = np.array([tip[0] - 0.5, min(tip[1] - 3.0, p.depth / 2 - 6.5), tip[2] - 1.5])
        rear = np.array([tip[0] - 2.0, tip[1] + 3.0, tip[2] + 0.5])
        canvas.add_pair(
            lambda s: bar(_mirror(front_root, s), _mirror(front, s), (1, 0, 0), (3.2, 2.4), (3.6, 2.4)), 2.5
        )
        canvas.add_pair(
            lambda s: bar(_mirror(pillar, s), _mirror(rear, s), (1, 0, 0), (4.4, 3.6), (r + 0.6, 2.8)), 2.5
        )
        canvas.add_pair(
            lambda s: bar(_mirror(front, s), _mirror(rear, s), (1, 0, 0), (2.6, 2.0), (2.6, 2.0)), 2.0
        )
        return
    root = pillar + [1.0 if region is Region.THORACIC else 3.0, 1.5, 1.0]
    if region is Region.THORACIC:
        name = level_numbered(level).name
        canvas.add_pair(
            lambda s: bar(_mirror(root, s), _mirror(tip, s), (1, 0, 0), (r * 1.15, r * 0.95), (r, r * 0.85)), 4.0
        )
        canvas.add_pair(lambda s: ball(_mirror(tip, s), (r * 1.15, r * 1.05, r * 1.1)), 2.0)
        if name not in ("T11", "T12", "T13"):
            # The facet for the tubercle of the rib looks forward.
            hollow = tip + [0.5, -r * 1.55, 1.0]
            canvas.cut_pair(lambda s: ball(_mirror(hollow, s), (r * 0.9, r * 0.9, r * 0.9)), 1.0)
        else:
            mammillary = root + [6.0, 3.0, 2.0]
            canvas.add_pair(lambda s: ball(_mirror(mammillary, s), (4.5, 3.5, 3.5)), 2.5)
        return
    if level in (24, 25):
        # The transverse processes of L5 rise broad from the pedicle and the body's side.
        base = np.array([p.pedicle_z - 1.0, p.depth / 2 + 2.0, p.canal_width / 2 + p.pedicle_width - 4.0])
        canvas.add_pair(
            lambda s: bar(_mirror(base, s), _mirror(tip, s), (1, 0, 0), (7.0, 7.5), (r, r * 0.8)), 3.0
        )
        return
    canvas.add_pair(
        lambda s: bar(_mirror(root, s), _mirror(tip, s), (1, 0, 0), (r * 1.6, 3.8), (r * 0.9, 2.2)), 4.0
    )
    mammillary = np.array([p.facet_z - 2.0, p.facet_y + 3.5, p.facet_x + 5.0])
    canvas.add_pair(lambda s: ball(_mirror(mammillary, s), (5.0, 3.5, 3.5)), 2.5)


def _cut_foramina(canvas, p, level) -> None:
    r = 2.6 if level < 7 else 1.7
    x = (p.width / 2 + p.transverse_x) / 2 - (0.8 if level > 2 else -1.0)
    y = p.depth / 2 - 2.4
    canvas.cut_pair(lambda s: bar((-16, y + 1.5, s * x), (16, y - 1.5, s * x), (0, 1, 0), (r, r), (r, r)), 0.8)


def _add_dens(canvas, p, rng) -> None:
    """The dens and the shoulders (superior facets) of the axis."""
    top = p.height / 2
    lean = rng.normal(0.5, 1.0)
    tip = top + 14.0 * float(np.exp(0.08 * rng.standard_normal()))
    canvas.add(bar((top - 4, -1.0, 0), (tip - 4.5, -0.5 + lean, 0), (0, 1, 0), (6.0, 5.2), (5.4, 5.0)), 3.0)
    # Shoulders: the masses that carry the atlas flare out from the body to the pillars.
    n = np.array([p.facet_normal[0], 0.0, p.facet_normal[2]])
    centre = np.array([top - 6.5, 2.0, p.facet_x])
    canvas.add_pair(lambda s: plate(_mirror(centre, s), _mirror(n, s), (0, 1, 0), (8.0, 7.5, 3.5), 3.0), 3.0)
    canvas.add_pair(
        lambda s: bar((-3.0, 0.5, s * 6.0), (top - 9.0, 2.5, s * (p.facet_x - 1.5)), (0, 1, 0), (6.0, 6.5), (7.0, 6.0)), 4.0
    )
    canvas.add_pair(
        lambda s: bar((top - 9.0, 4.0, s * p.facet_x), (-4.0, p.depth / 2 + 6.0, s * 17.0), (0, 0, 1), (6.5, 6.0), (6.0, 5.5)),
        3.0,
    )
    clear = p.depth / 2 + p.canal_depth / 2
    radii = (p.canal_depth / 2 - 0.5, p.canal_width / 2 - 1.5)
    canvas.cut(bar((-40, clear, 0), (40, clear, 0), (0, 1, 0), radii, radii), 1.0)
