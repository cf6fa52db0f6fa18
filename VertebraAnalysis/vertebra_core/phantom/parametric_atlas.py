"""The atlas (C1): a ring of two arches and two lateral masses, without a body."""

from __future__ import annotations

import numpy as np

from .grid import noise_field
from .sdf import Canvas, ball, bar, plate, with_far_distances
from .shape_frame import GRID_HIGH_ZYX_MM, GRID_LOW_ZYX_MM


def build_atlas(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Build an atlas; sizes after Panjabi 1991 and Doherty and Heggeness, Spine 19 (1994) 2497.

    Returns
    -------
    sdf, body : ndarray of float32
        Signed distances (mm) on the standard grid to the whole and to its anterior arch. The origin
        lies where the axis of the dens passes through the ring.
    """
    size = float(np.exp(0.05 * rng.standard_normal()))
    k = size * np.exp(0.06 * rng.standard_normal(8))
    front, back = -12.5 * k[0], 35.5 * k[1]
    mass_x, mass_y = 19.5 * k[2], 5.5 * size
    tip_x = 38.5 * k[3]
    canvas = Canvas(GRID_LOW_ZYX_MM, GRID_HIGH_ZYX_MM)

    def at(z, y, x, s):
        return z, y, x * s

    # Lateral masses: wedges with a hollow upper facet and a flat lower one that slopes outward.
    canvas.add_pair(lambda s: ball(at(0, mass_y, mass_x, s), (9.0 * k[4], 11.0 * k[5], 7.5)), 2.0)
    canvas.add_pair(
        lambda s: plate(
            at(-3.5, mass_y + 1, mass_x + 1.5, s), (1, 0, 0.35 * s), (0, 1, 0), (8.5, 7.5, 5), 3
        ),
        4.0,
    )
    # Anterior arch with its tubercle.
    half = 5.0 * k[6]
    knots = [(-1, front + 2.5, 0.0), (-1, front + 4.5, 8.0), (-1, mass_y - 7.0, mass_x - 2.5)]
    for a, b in zip(knots[:-1], knots[1:], strict=True):
        canvas.add_pair(
            lambda s, a=a, b=b: bar(at(*a, s), at(*b, s), (1, 0, 0), (half, 3.0), (half + 1, 3.6)),
            2.0,
        )
    canvas.add(ball((-1.5, front + 1.2, 0), (4.0, 2.0, 3.5)), 2.0)
    # Posterior arch, thin behind the lateral mass where the vertebral artery grooves it.
    knots = [(1, mass_y + 7.0, mass_x + 1.5), (1.0, 19.5 * size, mass_x + 1.0),
             (0, back - 6.5, 11.5), (-0.5, back - 3.0, 0.0)]  # fmt: skip
    radii = [(4.0, 4.0), (3.6, 3.4), (4.8, 3.4), (5.2, 3.6)]
    for i in range(3):
        canvas.add_pair(
            lambda s, i=i: bar(
                at(*knots[i], s), at(*knots[i + 1], s), (1, 0, 0), radii[i], radii[i + 1]
            ),
            2.0,
        )
    canvas.add(ball((-0.5, back - 1.0, 0), (4.0, 2.5, 4.0)), 2.0)
    # Transverse processes about their foramina.
    y0 = mass_y + 1.0
    for dy in (-5.0, 4.0):
        canvas.add_pair(
            lambda s, dy=dy: bar(
                at(-2, y0 + dy, mass_x + 4, s),
                at(-3, y0 + 0.35 * dy, tip_x - 3, s),
                (1, 0, 0),
                (5.0, 3.4),
                (5.0, 3.4),
            ),
            3.0,
        )
    canvas.add_pair(lambda s: ball(at(-3, y0, tip_x - 3.5, s), (6.0, 6.0, 4.2)), 3.0)
    foramen = (mass_x + 6.0 + tip_x - 4.0) / 2
    canvas.cut_pair(
        lambda s: bar(
            at(-16, y0, foramen, s), at(16, y0, foramen, s), (0, 1, 0), (3.1, 2.9), (3.1, 2.9)
        ),
        1.0,
    )
    # The occipital condyles sit in hollows that face up and inwards.
    canvas.cut_pair(
        lambda s: bar(
            at(14.5, mass_y - 8, mass_x - 5, s),
            at(14.5, mass_y + 8, mass_x - 1, s),
            (0, 0, 1),
            (9.5, 9.5),
            (9.5, 9.5),
        ),
        1.5,
    )
    # Dens and cord stay free.
    canvas.cut(
        bar((-30, front + 12.5, 0), (30, front + 12.5, 0), (0, 1, 0), (7.5, 8.5), (7.5, 8.5)), 1.0
    )
    ring = (front + 14.0 + back - 7.0) / 2
    canvas.cut(
        bar(
            (-30, ring, 0),
            (30, ring, 0),
            (0, 1, 0),
            (back - 6.5 - ring, 14.0),
            (back - 6.5 - ring, 14.0),
        ),
        1.0,
    )
    canvas.field += 0.35 * noise_field(rng, canvas.field.shape, 7.0)
    sdf = with_far_distances(canvas.field)
    _, y, x = canvas.axes()
    body = np.maximum(sdf, np.maximum(y - (front + 5.5), np.abs(x) - 9.0))
    return sdf, body.astype(np.float32)
