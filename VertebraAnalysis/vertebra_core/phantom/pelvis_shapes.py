"""Sacrum with coccyx and hip bones built from simple solids, in the frame of the S1 body."""

from __future__ import annotations

import numpy as np

from .sdf import FAR_MM, Canvas, ball, bar, normalised, plate, smooth_max, with_far_distances
from .shape import BoneShape
from .shape_frame import CLIP_MM

_SPACING_MM = 1.5
_ENDPLATE_SLOPE_RAD = np.deg2rad(35.0)
_HIP_MM = (-90.0, -24.0, 95.0)
"""Centre of the left hip joint from that of the S1 body in an upright pelvis."""

_VHM_HIP_MM = (-79.5, -61.0, 84.0)
"""The same of the Visible Human, in the frame of S1: the best fitting sphere in the socket."""


def parametric_sacrum(rng: np.random.Generator) -> BoneShape:
    """Build a sacrum with coccyx.

    The frame is that of the S1 body: origin at its centre, z normal to its endplate, y to the back,
    x to the left. Sizes as in Cheng and Song, Neurosurg Focus 15 (2003) E3: S1 endplate about
    32 x 49 mm, wings 105 mm wide, 105 mm long along a curve of about 60 degrees.

    Returns
    -------
    BoneShape
    """
    k = np.exp(0.05 * rng.standard_normal(8))
    canvas = Canvas((-150, -45, -72), (40, 90, 72), _SPACING_MM)
    # Bodies along a curve that first runs down and back, then turns forward.
    depth, width, height = 31.0 * k[0], 47.0 * k[1], 29.0 * k[2]
    turn = np.deg2rad(np.array([12.0, 24.0, 12.0, -8.0, -30.0, -45.0, -55.0]) + rng.normal(0, 5))
    centres = [np.zeros(3)]
    steps = np.array([27.0, 24.0, 20.0, 17.0, 15.0, 12.0, 9.0]) * k[2]
    for angle, step in zip(turn, steps, strict=True):
        centres.append(centres[-1] + step * np.array([-np.cos(angle), np.sin(angle), 0.0]))
    widths = width * np.array([1.0, 0.78, 0.62, 0.55, 0.5, 0.36, 0.25, 0.15])
    depths = depth * np.array([1.0, 0.72, 0.55, 0.45, 0.38, 0.3, 0.25, 0.2])
    for i in range(1, 7):
        canvas.add(
            bar(centres[i], centres[i + 1], (0, 0, 1), (widths[i] / 2, depths[i] / 2),
                (widths[i + 1] / 2, depths[i + 1] / 2)), 3.0
        )  # fmt: skip
    canvas.add(
        bar(
            (-6, 3, 0),
            centres[1],
            (0, 0, 1),
            (width * 0.44, depth * 0.42),
            (widths[1] / 2, depths[1] / 2),
        ),
        3.0,
    )
    # Wings with the ear-shaped joint faces.
    half = 51.0 * k[3]
    wings = [(1.0, 15.0, 13.0), (0.92, 14.0, 12.0), (0.72, 12.0, 9.0), (0.55, 9.0, 7.0)]
    for i, (out, tall, thick) in enumerate([*wings, (0.42, 7.0, 5.0)]):
        root = centres[i] + [-2.0 if i == 0 else 0.0, 4.0, widths[i] * 0.35]
        tip = centres[i] + [
            -6.0 if i == 0 else -3.0,
            9.0 + 2.5 * (i == 0),
            half * out - thick * 0.8,
        ]
        canvas.add_pair(
            lambda s, a=root, b=tip, t=tall, d=thick: bar(
                (a[0], a[1], s * a[2]),
                (b[0], b[1], s * b[2]),
                (1, 0, 0),
                (t * 0.9, d * 0.85),
                (t, d),
            ),
            4.0,
        )
    # One sheet on either side fuses the transverse elements.
    for i in range(4):
        thick = 11.0 - 2.0 * i
        inner, outer = widths[i] * 0.3, half * (0.80, 0.74, 0.56, 0.42)[i]
        nearest, nexts = centres[i] + [-4.0, 5.0, 0], centres[i + 1] + [0, 4.0, 0]
        for share in (0.0, 0.5, 1.0):
            middle = nearest * (1 - share) + nexts * share
            out = outer * (1 - 0.12 * share)
            canvas.add_pair(
                lambda s, m=middle, o=out, n=inner, t=thick: bar(
                    (m[0], m[1], s * n), (m[0], m[1] + 4, s * o), (1, 0, 0), (9.0, t), (9.0, t)
                ),
                4.0,
            )
    # Laminae, median crest and the canal between them and the bodies.
    canal = [c + [0, d / 2 + 7.0 * k[4], 0] for c, d in zip(centres[:5], depths[:5], strict=True)]
    for i in range(4):
        back = np.array([0.0, 9.0 - i, 0.0])
        canvas.add_pair(
            lambda s, i=i, back=back: bar(
                (canal[i][0], canal[i][1] + 2, s * widths[i] * 0.42), canal[i] + back, (1, 0, 0),
                (11, 5.0), (12, 3.5)), 3.0
        )  # fmt: skip
        canvas.add(
            bar(
                canal[i] + back,
                canal[i] + back + [-5.0, 8.0 - 1.2 * i, 0],
                (0, 0, 1),
                (3.0, 8.0),
                (3.2, 6.0),
            ),
            3.0,
        )
    for a, b in zip(canal[:-1], canal[1:], strict=True):
        r = 6.5 if a is canal[0] else 5.5
        canvas.cut(bar(a, b, (0, 0, 1), (r * 1.7, r), (r * 1.5, r * 0.85)), 1.0)
    canvas.cut(bar(canal[0] + [18, -2, 0], canal[0], (0, 0, 1), (14, 7.5), (12, 7)), 1.0)
    # S1 body with its endplate and promontory.
    z, y, x = canvas.axes()
    q = (
        np.abs(x / (width / 2)) ** 2.4
        + np.abs(np.where(y < 0, y / (depth / 2), y / (0.65 * depth))) ** 2.4
    ) ** (1 / 2.4)
    body = smooth_max((q - 1) * depth / 2, y - depth / 2, 3.0)
    body = smooth_max(body, z - height / 2 - 1.2 * (q**2 - 0.5), 2.0)
    body = smooth_max(body, -z - height / 2 - 2.0, 3.0)
    canvas.field = np.minimum(canvas.field, normalised(body, _SPACING_MM))
    canvas.cut(
        bar((height / 2 + 13, -30, 0), (height / 2 + 13, 20, 0), (0, 0, 1), (60, 12), (60, 12)), 0.5
    )
    # Superior articular processes for L5.
    facet = np.array([12.5, 26.5, 21.0]) * k[5]
    normal = np.array([0.20, 0.85, -0.48])
    middle = facet - 3.3 * normal
    canvas.add_pair(
        lambda s: bar(
            (-4, depth / 2 + 6, s * 20),
            (middle[0], middle[1], s * middle[2]),
            (0, 0, 1),
            (7, 6),
            (6, 4),
        ),
        3.0,
    )
    canvas.add_pair(
        lambda s: plate(middle * [1, 1, s], normal * [1, 1, s], (1, 0, 0), (7.0, 7.0, 2.6), 2.0),
        2.0,
    )
    # Four pairs of foramina run from the front to the canal and out behind.
    for i in range(4):
        middle_z = (centres[i] + centres[i + 1]) / 2
        out = 0.5 * (widths[i] + widths[i + 1]) / 2 + 4.0
        r = 6.0 - 0.7 * i
        canvas.cut_pair(
            lambda s, c=middle_z, o=out, r=r: bar(
                (c[0] + 1, c[1] - 26, s * (o + 3)),
                (c[0], c[1] + 24, s * (o - 1)),
                (1, 0, 0),
                (r, r),
                (r * 0.7, r * 0.7),
            ),
            1.5,
        )
    return _bone(canvas)


def parametric_pelvis(rng: np.random.Generator) -> BoneShape:
    """Build both hip bones in the frame of the S1 body, whose endplate slopes 35 degrees.

    Iliac crests 270 mm apart, hip centres 93 mm from S1 (pelvic incidence 50 degrees: Legaye et
    al., Eur Spine J 7 (1998) 99-103).
    """
    w = float(np.exp(0.05 * rng.standard_normal()))
    canvas = Canvas((-185, -130, -160), (85, 95, 160), _SPACING_MM)
    c, s = np.cos(_ENDPLATE_SLOPE_RAD), np.sin(_ENDPLATE_SLOPE_RAD)

    def at(z, y, x, side):
        # Points are listed upright (z up) and turned into the frame of the sloping endplate.
        # Everything about the hip joint lies at its place; the wing reaches up from there.
        low = np.clip((-30.0 - z) / 40.0, 0, 1)
        z, y = z - 10.0 * low, y + 5.0 * low
        return c * z - s * y, s * z + c * y, x * side

    def turned(v):
        return c * v[0] - s * v[1], s * v[0] + c * v[1], v[2]

    # Wing of the ilium: sheets between the crest and the body above the acetabulum.
    crest = [
        (20, -50, 125),
        (45, -25, 138),
        (57, 5, 132),
        (48, 35, 105),
        (20, 55, 70),
        (-5, 62, 55),
    ]
    waist = [
        (-55, -40, 88),
        (-45, -25, 92),
        (-35, -5, 90),
        (-28, 15, 78),
        (-22, 35, 62),
        (-25, 45, 56),
    ]
    for a, b in zip(crest[:-1], crest[1:], strict=True):
        canvas.add_pair(
            lambda sd, a=a, b=b: bar(
                at(a[0], a[1], a[2] * w, sd),
                at(b[0], b[1], b[2] * w, sd),
                (0, 0, 1),
                (7, 7),
                (7, 7),
            ),
            4.0,
        )
    fine = np.linspace(0, 5, 16)
    upper = np.array(
        [[np.interp(t, range(6), [p[j] for p in crest]) for j in range(3)] for t in fine]
    )
    lower = np.array(
        [[np.interp(t, range(6), [p[j] for p in waist]) for j in range(3)] for t in fine]
    )
    for a, b in zip(upper, lower, strict=True):
        middle = (a + b) / 2 + [0, 0, 4]
        for p, q, r0, r1 in ((a, middle, 6.5, 4.0), (middle, b, 4.0, 11.0)):
            canvas.add_pair(
                lambda sd, p=p, q=q, r0=r0, r1=r1: bar(
                    at(p[0], p[1], p[2] * w, sd),
                    at(q[0], q[1], q[2] * w, sd),
                    turned((0, 1, 0)),
                    (8, r0),
                    (8, r1),
                ),
                3.0,
            )
    # Posterior mass beside the sacrum.
    canvas.add_pair(
        lambda sd: bar(
            at(10, 52, 62 * w, sd), at(-25, 45, 60 * w, sd), (0, 0, 1), (11, 14), (10, 14)
        ),
        5.0,
    )
    # Acetabulum, pubic and ischial rami, tuberosity, symphysis.
    hip = np.array([-78.0, -28.0, 88.0 * w])
    canvas.add_pair(lambda sd: ball(at(*hip, sd), (29, 29, 26)), 6.0)
    canvas.add_pair(
        lambda sd: bar(
            at(-72, -42, 75 * w, sd), at(-88, -78, 16, sd), (0, 0, 1), (12, 11), (10, 9)
        ),
        6.0,
    )
    canvas.add_pair(
        lambda sd: bar(at(-84, -78, 9, sd), at(-112, -70, 9, sd), (0, 0, 1), (8, 10), (8, 10)), 5.0
    )
    canvas.add_pair(
        lambda sd: bar(
            at(-112, -70, 12, sd), at(-140, -20, 55 * w, sd), (1, 0, 0), (9, 6), (10, 8)
        ),
        5.0,
    )
    canvas.add_pair(
        lambda sd: bar(
            at(-90, -8, 82 * w, sd), at(-138, -6, 62 * w, sd), (0, 0, 1), (14, 16), (15, 19)
        ),
        7.0,
    )
    canvas.add_pair(
        lambda sd: bar(
            at(-88, 5, 75 * w, sd), at(-82, 22, 58 * w, sd), (0, 0, 1), (4, 8), (2.5, 3)
        ),
        4.0,
    )
    socket = hip + [-2.0, -1.0, 9.0]
    canvas.cut_pair(lambda sd: ball(at(*socket, sd), (25.5, 25.5, 25.5)), 2.0)
    # Sacroiliac joints: clear the room of the sacrum's wings.
    canvas.cut_pair(
        lambda sd: bar(at(8, 18, 36, sd), at(-40, 48, 32, sd), (0, 0, 1), (17, 24), (14, 22)), 1.5
    )
    return _bone(canvas)


def hip_centres_mm(pelvis: BoneShape) -> np.ndarray:
    """Return the centres of the left and right hip joints (2, 3: z, y, x mm) in the S1 frame."""
    if pelvis.source == "vhm_lumbosacral":
        z, y, x = _VHM_HIP_MM
    else:
        upright_z, upright_y, x = _HIP_MM
        c, s = np.cos(_ENDPLATE_SLOPE_RAD), np.sin(_ENDPLATE_SLOPE_RAD)
        z, y = c * upright_z - s * upright_y, s * upright_z + c * upright_y
    return np.array([[z, y, x], [z, y, -x]])


def _bone(canvas: Canvas) -> BoneShape:
    field = with_far_distances(canvas.field, canvas.spacing_mm)
    field = np.clip(np.minimum(field, FAR_MM), -CLIP_MM, CLIP_MM)
    return BoneShape(
        field.astype(np.float16),
        tuple(float(v) for v in canvas.origin_zyx_mm),
        canvas.spacing_mm,
        "parametric",
    )
