"""The truth of a case: from label maps, and from what is known besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ..label_numbers import verse_names
from ..levels import level_named
from ..volume import CtVolume
from .records import REAL, TrueVertebra

DEEP_SHARE = 0.4
"""Share of the greatest depth in the body that a voxel of the body's core reaches."""

CORE_SIGMA_MM = 10.0
CORE_RADIUS_MM = 20.0
"""Where the mask, blurred by so much, is densest lies the body; its core is sought around there."""

HEIGHT_NAMES = ("anterior", "middle", "posterior")

VIEW_SHARE = 0.7
"""A body cut by the border must be found while it keeps this share of its neighbours' volume."""


@dataclass(frozen=True)
class CaseTruth:
    """Everything known about one case.

    Attributes
    ----------
    vertebrae : tuple of TrueVertebra
        Head to foot.
    labels, bodies : ndarray of uint8, shape (z, y, x), or None
        VerSe numbers in the geometry of the CT: whole vertebrae (with S1, if known), bodies.
    kind : str
        One of `records.KINDS`.
    notes : tuple of str
    """

    vertebrae: tuple[TrueVertebra, ...]
    labels: np.ndarray | None = None
    bodies: np.ndarray | None = None
    kind: str = REAL
    notes: tuple[str, ...] = ()


def truth_from_labels(
    labels: np.ndarray, bodies: np.ndarray | None, geometry: CtVolume
) -> tuple[TrueVertebra, ...]:
    """Read vertebrae off a label map.

    A centre is the centroid of the body; where `bodies` is not given the body is taken to be the
    deepest part of the vertebra. A body at the border of the volume is not complete; it is in view
    while it keeps `VIEW_SHARE` of the volume that its nearest complete neighbours have.

    Parameters
    ----------
    labels : ndarray of uint8, shape (z, y, x)
        VerSe numbers.
    bodies : ndarray of uint8, same shape, or None
    geometry : CtVolume
        Volume whose grid the maps have.
    """
    boxes = ndimage.find_objects(labels)
    body_boxes = ndimage.find_objects(bodies) if bodies is not None else []
    spacing_zyx_mm = geometry.spacing_xyz_mm[::-1]
    vertebrae, volumes = [], []
    for number, name in verse_names().items():
        box = boxes[number - 1] if number <= len(boxes) else None
        body_box = body_boxes[number - 1] if number <= len(body_boxes) else None
        steps = (1, 1, 1)
        if body_box is not None:
            body, box = bodies[body_box] == number, body_box
        elif box is not None:
            # One voxel of margin tells a mask that ends from one that the border cuts.
            box = tuple(slice(max(0, b.start - 1), b.stop + 1) for b in box)
            steps = tuple(max(1, int(0.9 / s)) for s in spacing_zyx_mm)
            body = (labels[box] == number)[tuple(slice(None, None, n) for n in steps)]
            # C1 has no body: VerSe puts its centre at the centroid of the ring.
            if name != "C1":
                body = deepest_part(body, np.multiply(spacing_zyx_mm, steps))
        else:
            continue
        # Without a body in the body map nothing of it is in view; C1 never has one.
        measured = bodies is None or body_box is not None or name == "C1"
        where = np.argwhere(body) * steps + [s.start for s in box]
        at_border = (where == 0).any() or (where + steps >= labels.shape).any()
        vertebrae.append(
            TrueVertebra(
                name,
                tuple(float(c) for c in geometry.index_to_lps(where.mean(0))),
                complete=not at_border and measured,
            )
        )
        volumes.append(len(where) if measured else 0)
    order = np.argsort([level_named(v.level).order for v in vertebrae])
    return _judge_view([vertebrae[k] for k in order], [volumes[k] for k in order])


def _judge_view(vertebrae: list[TrueVertebra], volumes: list[int]) -> tuple[TrueVertebra, ...]:
    """Decide from the volumes of neighbours (head to foot) which cut bodies are still in view."""
    whole = [k for k, v in enumerate(vertebrae) if v.complete]
    judged = []
    for k, vertebra in enumerate(vertebrae):
        near = sorted(whole, key=lambda n: abs(n - k))[:2]
        usual = float(np.mean([volumes[n] for n in near])) if near else np.inf
        in_view = vertebra.complete or volumes[k] >= VIEW_SHARE * usual
        judged.append(replace(vertebra, in_view=in_view))
    return tuple(judged)


def deepest_part(mask: np.ndarray, spacing_zyx_mm: Sequence[float]) -> np.ndarray:
    """Return the part of a vertebra's mask that lies in the core of its body.

    The body is the bulk of a vertebra even when crushed, while the thickest spot of a crushed
    vertebra may lie in its arch: so bulk is sought first, depth around it next.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        One vertebra, cropped with a margin; it goes on beyond faces where there is none.
    spacing_zyx_mm : sequence of 3 float
        Of its voxels.
    """
    # The mask goes on beyond a border that cuts it, so that a cut body is deep up to the border.
    depth = ndimage.distance_transform_edt(
        np.pad(np.pad(mask, 4, mode="edge"), 1), sampling=spacing_zyx_mm
    )[5:-5, 5:-5, 5:-5]
    bulk = ndimage.gaussian_filter(
        mask.astype(np.float32), CORE_SIGMA_MM / np.asarray(spacing_zyx_mm), mode="constant"
    )
    peak = np.unravel_index(int((bulk * mask).argmax()), mask.shape)
    offsets = [
        ((np.arange(n) - p) * s) ** 2
        for n, p, s in zip(mask.shape, peak, spacing_zyx_mm, strict=True)
    ]
    near = offsets[0][:, None, None] + offsets[1][:, None] + offsets[2] <= CORE_RADIUS_MM**2
    depth = np.where(near & mask, depth, 0)
    parts, _ = ndimage.label(depth >= DEEP_SHARE * depth.max())
    return parts == parts.flat[int(depth.argmax())]


def with_known_facts(
    vertebrae: tuple[TrueVertebra, ...], facts: Mapping[str, TrueVertebra]
) -> tuple[TrueVertebra, ...]:
    """Replace what was read off a label map by what is known better.

    `facts` maps level names to centres, grades, shapes and heights; whether a body is complete and
    in view stays what the label map shows. So does the centre of what is seen of a vertebra that is
    not in view. Levels only in `facts` are left out.
    """
    known = []
    for vertebra in vertebrae:
        fact = facts.get(vertebra.level, vertebra)
        centre = fact.center_lps_mm if vertebra.in_view else vertebra.center_lps_mm
        known.append(
            replace(
                fact,
                center_lps_mm=centre,
                in_view=vertebra.in_view,
                complete=vertebra.complete,
            )
        )
    return tuple(known)


def with_grades(
    vertebrae: tuple[TrueVertebra, ...], grades: Mapping[str, int]
) -> tuple[TrueVertebra, ...]:
    """Add Genant grades by level name."""
    return tuple(replace(v, grade=grades[v.level]) if v.level in grades else v for v in vertebrae)
