"""Spinous and transverse processes, transverse foramina and dens of the parametric vertebrae."""

from __future__ import annotations

import numpy as np

from ..levels import Region, level_numbered
from .sdf import Canvas, ball, bar, plate
from .vertebra_parameters import VertebraParameters

_WITHOUT_RIB_FACET = ("T11", "T12", "T13")
"""Their ribs have no tubercle, and their transverse processes no facet for one."""

_LOWEST_LUMBAR = (24, 25)
"""VerSe numbers of L5 and L6."""

_MAMMILLARY_THORACIC_MM, _MAMMILLARY_LUMBAR_MM = (4.5, 3.5, 3.5), (5.0, 3.5, 3.5)
"""Radii z, y, x of the mammillary processes; estimates."""


def add_spinous(
    canvas: Canvas, p: VertebraParameters, region: Region, level: int, rng: np.random.Generator
) -> None:
    """Add the spinous process: forked in the neck, a sloping rod in the chest, a hatchet below."""
    wall = p.depth / 2
    root_y = wall + p.canal_depth + p.lamina_thickness * 0.6
    base, tip, thin = p.spinous_base_height / 2, p.spinous_tip_height / 2, p.spinous_width / 2
    root = np.array([p.lamina_z - 0.5, root_y, 0.0])
    end = np.array([p.spinous_z, p.spinous_y - 0.8 * thin, rng.normal(0, 0.7)])
    if region is Region.CERVICAL and level < 7:
        fork = np.array([end[0], end[1] - 4.0, 0.0])
        canvas.add(bar(root, fork, (0, 0, 1), (thin * 0.75, base), (thin * 0.8, tip)), 2.5)
        spread = rng.uniform(2.5, 5.5) if level < 6 else rng.uniform(0.5, 3.5)
        prong = end[0] - 1.5, end[1], spread
        sections = (thin * 0.7, tip * 0.9), (thin * 0.75, tip * 0.65)
        canvas.add_pair(bar(fork, prong, (0, 0, 1), *sections), 2.0)
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


def add_transverse(
    canvas: Canvas, p: VertebraParameters, pillar: np.ndarray, region: Region, level: int
) -> None:
    """Add both transverse processes; `pillar` is the left junction of pedicle and lamina."""
    tip = np.array([p.transverse_z, p.transverse_y, p.transverse_x - 0.8 * p.transverse_radius])
    if region is Region.CERVICAL:
        _add_cervical_transverse(canvas, p, pillar, tip)
    elif region is Region.THORACIC:
        _add_thoracic_transverse(canvas, p, pillar, tip, level)
    elif level in _LOWEST_LUMBAR:
        _add_lowest_transverse(canvas, p, tip)
    else:
        _add_lumbar_transverse(canvas, p, pillar, tip)


def _add_cervical_transverse(canvas, p, pillar, tip) -> None:
    """Two bars about the transverse foramen, ending in two tubercles with a groove between."""
    front_root = np.array([-1.0, p.depth / 2 - 7.5, p.width / 2 - 2.0])
    front = np.array([tip[0] - 0.5, min(tip[1] - 3.0, p.depth / 2 - 6.5), tip[2] - 1.5])
    rear = np.array([tip[0] - 2.0, tip[1] + 3.0, tip[2] + 0.5])
    rear_section = (p.transverse_radius + 0.6, 2.8)
    canvas.add_pair(bar(front_root, front, (1, 0, 0), (3.2, 2.4), (3.6, 2.4)), 2.5)
    canvas.add_pair(bar(pillar, rear, (1, 0, 0), (4.4, 3.6), rear_section), 2.5)
    canvas.add_pair(bar(front, rear, (1, 0, 0), (2.6, 2.0), (2.6, 2.0)), 2.0)


def _add_thoracic_transverse(canvas, p, pillar, tip, level: int) -> None:
    """A club that carries the tubercle of a rib; the lowest ones bear a mammillary process."""
    r = p.transverse_radius
    root = pillar + [1.0, 1.5, 1.0]
    canvas.add_pair(bar(root, tip, (1, 0, 0), (r * 1.15, r * 0.95), (r, r * 0.85)), 4.0)
    canvas.add_pair(ball(tip, (r * 1.15, r * 1.05, r * 1.1)), 2.0)
    if level_numbered(level).name not in _WITHOUT_RIB_FACET:
        # The facet for the tubercle of the rib looks forward.
        hollow = tip + [0.5, -r * 1.55, 1.0]
        canvas.cut_pair(ball(hollow, (r * 0.9, r * 0.9, r * 0.9)), 1.0)
    else:
        canvas.add_pair(ball(root + [6.0, 3.0, 2.0], _MAMMILLARY_THORACIC_MM), 2.5)


def _add_lumbar_transverse(canvas, p, pillar, tip) -> None:
    """A flat blade, and the mammillary process behind the superior facet."""
    r = p.transverse_radius
    root = pillar + [3.0, 1.5, 1.0]
    canvas.add_pair(bar(root, tip, (1, 0, 0), (r * 1.6, 3.8), (r * 0.9, 2.2)), 4.0)
    mammillary = np.array([p.facet_z - 2.0, p.facet_y + 3.5, p.facet_x + 5.0])
    canvas.add_pair(ball(mammillary, _MAMMILLARY_LUMBAR_MM), 2.5)


def _add_lowest_transverse(canvas, p, tip) -> None:
    """The transverse processes of L5 rise broad from the pedicle and the body's side."""
    r = p.transverse_radius
    base = np.array(
        [p.pedicle_z - 1.0, p.depth / 2 + 2.0, p.canal_width / 2 + p.pedicle_width - 4.0]
    )
    canvas.add_pair(bar(base, tip, (1, 0, 0), (7.0, 7.5), (r, r * 0.8)), 3.0)


def cut_foramina(canvas: Canvas, p: VertebraParameters, level: int) -> None:
    """Pierce the transverse processes of a cervical vertebra for the vertebral arteries."""
    r = 2.6 if level < 7 else 1.7
    x = (p.width / 2 + p.transverse_x) / 2 - (0.8 if level > 2 else -1.0)
    y = p.depth / 2 - 2.4
    canvas.cut_pair(bar((-16, y + 1.5, x), (16, y - 1.5, x), (0, 1, 0), (r, r), (r, r)), 0.8)


def add_dens(canvas: Canvas, p: VertebraParameters, rng: np.random.Generator) -> None:
    """The dens and the shoulders (superior facets) of the axis."""
    top = p.height / 2
    lean = rng.normal(0.5, 1.0)
    tip = top + 14.0 * float(np.exp(0.08 * rng.standard_normal()))
    canvas.add(
        bar((top - 4, -1.0, 0), (tip - 4.5, -0.5 + lean, 0), (0, 1, 0), (6.0, 5.2), (5.4, 5.0)), 3.0
    )
    # Shoulders: the masses that carry the atlas flare out from the body to the pillars.
    n = np.array([p.facet_normal[0], 0.0, p.facet_normal[2]])
    centre = np.array([top - 6.5, 2.0, p.facet_x])
    canvas.add_pair(plate(centre, n, (0, 1, 0), (8.0, 7.5, 3.5), 3.0), 3.0)
    below_facet = top - 9.0, 2.5, p.facet_x - 1.5
    canvas.add_pair(bar((-3.0, 0.5, 6.0), below_facet, (0, 1, 0), (6.0, 6.5), (7.0, 6.0)), 4.0)
    behind_facet, pillar = (top - 9.0, 4.0, p.facet_x), (-4.0, p.depth / 2 + 6.0, 17.0)
    canvas.add_pair(bar(behind_facet, pillar, (0, 0, 1), (6.5, 6.0), (6.0, 5.5)), 3.0)
    clear = p.depth / 2 + p.canal_depth / 2
    radii = (p.canal_depth / 2 - 0.5, p.canal_width / 2 - 1.5)
    canvas.cut(bar((-40, clear, 0), (40, clear, 0), (0, 1, 0), radii, radii), 1.0)
