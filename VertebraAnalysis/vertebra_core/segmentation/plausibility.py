"""Is this mask a vertebra at all? The network segments whatever it is centred on.

Limits are wide: they must pass children, collapsed and fused vertebrae, osteophytes and scans cut
by the field of view, and reject soft organs filled with contrast, hips, ribs and bowel. Sizes
follow published morphometry with a margin: bodies of adults are about 14-58 mm wide, 11-42 mm deep
and 9-34 mm high (Busscher et al., Eur Spine J 19 (2010) 1104; Panjabi et al., Spine 16 (1991) 861);
a collapsed body may be 3 mm high.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from ..volume import CtVolume
from .crops import extract_crop
from .near_distance import squared_distance
from .segment import VertebraMask

VERTEBRA_VOLUME_ML = (1.5, 190.0)
BODY_VOLUME_ML = (0.8, 110.0)
BODY_WIDTH_MM = (9.0, 80.0)
BODY_DEPTH_MM = (7.0, 62.0)
BODY_HEIGHT_MM = (3.0, 50.0)
"""Hard limits: outside one of these it is no vertebra. Where the field of view cuts the mask, less
may be seen of it."""

LEAST_IN_VIEW_MM = 6.0
"""Least extent of the body where the centre lies beyond the edge: a quarter of a lumbar body's
height. What is thinner is a rim, of which nothing can be said."""

LEAST_BOX_FILL = 0.48
"""Body volume over its box; an ellipsoid fills 0.52, a cylinder 0.79; concave bodies fill less."""

LEAST_SOLIDITY = 0.70
"""Body volume over that of its convex hull; rims and the concave back wall cost some of it. Most
bodies of thin thoracic scans break this one (0.62-0.77 in 37 vertebrae of three real scans), which
is why one doubt is allowed."""

HOPELESS_BOX_FILL, HOPELESS_SOLIDITY = 0.36, 0.52
"""Below one of these the shape alone decides: no body, however collapsed, is so ragged."""

BODY_SHARE = (0.28, 0.93)
"""Share of the body in the vertebra; near 1 only where the arch is out of view."""

LEAST_CERTAINTY = 0.78
"""Mean probability inside the mask: what the network was never shown stays blurred. In those 37
vertebrae it is 0.86-0.95."""

LEAST_EDGE_HU = 25.0
"""Least median step from just outside the vertebra to the body's shell: cortex is denser than
anything it touches save contrast and metal. In those 37 vertebrae it is 113-468 HU."""

LEAST_SHELL_EXCESS_HU = -10.0
"""Least excess of the body's shell over its inside: blood with contrast is brightest inside. In
those 37 vertebrae it is 57-304 HU."""

_LEAST_BODY_ML = 0.1

DOUBTS_ALLOWED = 1
"""Real vertebrae may break one of the soft limits (a dense core, a ragged outline in noise)."""

ATLAS_BODY_ML = 6.0
ATLAS_WIDTH_MM = (45.0, 105.0)
ATLAS_DEPTH_MM = (25.0, 70.0)
ATLAS_HEIGHT_MM = (6.0, 42.0)
"""C1 has an anterior arch (2-3 ml on phantoms) instead of a body; with the dens taken for a part of
it that makes up to 6 ml. Such a small "body" passes in a wide, flat ring. An atlas is 65-90 mm wide
and 40-50 mm deep (Doherty and Heggeness, Spine 19 (1994) 2497)."""


@dataclass(frozen=True)
class MaskFigures:
    """What is measured on a mask.

    Attributes
    ----------
    vertebra_ml, body_ml : float
        Volumes above one half.
    width_mm, depth_mm, height_mm : float
        Extents of the body along its own axes (98 % of its voxels).
    box_fill, solidity, body_share, certainty : float
        See the limits in this module.
    edge_hu : float
        Median HU of the body's outermost millimetre, minus that of 2-4 mm outside the vertebra.
    shell_excess_hu : float
        Mean of the body's outermost 1.5 mm, minus that of its inside.
    extents_zyx_mm : tuple of float
        Size of the whole mask along the patient's axes.
    cut : bool
        The mask touches the edge of the volume.
    """

    vertebra_ml: float
    body_ml: float
    width_mm: float
    depth_mm: float
    height_mm: float
    box_fill: float
    solidity: float
    body_share: float
    certainty: float
    edge_hu: float
    shell_excess_hu: float
    extents_zyx_mm: tuple[float, float, float]
    cut: bool


@dataclass(frozen=True)
class Plausibility:
    """Verdict on a mask.

    Attributes
    ----------
    plausible : bool
    reason : str
        What is wrong, in one plain sentence; empty if nothing is.
    figures : MaskFigures or None
        None if there is no mask at all.
    like_atlas : bool
        It looks like C1, whose "body" does not lie at its centre.
    """

    plausible: bool
    reason: str
    figures: MaskFigures | None = None
    like_atlas: bool = False


def judge(mask: VertebraMask, ct: CtVolume) -> Plausibility:
    """Tell whether `mask` can be a vertebra.

    Parameters
    ----------
    mask : VertebraMask
    ct : CtVolume
        The 1 mm working grid it was segmented on.
    """
    figures = measure_mask(mask, ct)
    if figures is None:
        return Plausibility(False, "Nothing was found around this centre.")
    if figures.body_ml < _LEAST_BODY_ML and not _like_atlas(figures):
        return Plausibility(False, "No vertebral body was found around this centre.", figures)
    reason = _fault(figures) or _rim(figures, mask, ct)
    return Plausibility(not reason, reason, figures, _like_atlas(figures))


def _fault(f: MaskFigures) -> str:
    part = 0.3 if f.cut else 1.0
    if _like_atlas(f):
        return ""
    limits = [
        ("volume", f.vertebra_ml, VERTEBRA_VOLUME_ML, "ml"),
        ("volume of its body", f.body_ml, BODY_VOLUME_ML, "ml"),
        ("width of its body", f.width_mm, BODY_WIDTH_MM, "mm"),
        ("depth of its body", f.depth_mm, BODY_DEPTH_MM, "mm"),
        ("height of its body", f.height_mm, BODY_HEIGHT_MM, "mm"),
    ]
    for name, value, (low, high), unit in limits:
        if not low * part <= value <= high:
            return f"The {name}, {value:.1f} {unit}, is not that of a vertebra."
    if f.box_fill < HOPELESS_BOX_FILL or f.solidity < HOPELESS_SOLIDITY:
        return "Its body has no compact shape."
    doubts = _doubts(f)
    return "" if len(doubts) <= DOUBTS_ALLOWED else "; ".join(doubts) + "."


def _rim(f: MaskFigures, mask: VertebraMask, ct: CtVolume) -> str:
    """Say that only a rim is in view of a vertebra whose centre lies beyond the edge."""
    index = ct.lps_to_index(np.asarray(mask.center_lps_mm))
    beyond = np.maximum(-0.5 - index, index - (np.array(ct.hu.shape) - 0.5)).max() > 0
    seen = min(f.width_mm, f.depth_mm, f.height_mm)
    if not beyond or seen >= LEAST_IN_VIEW_MM:
        return ""
    return f"Only {seen:.0f} mm of its body are in view."


def _doubts(f: MaskFigures) -> list[str]:
    highest_share = 1.0 if f.cut else BODY_SHARE[1]
    checks = [
        (f.box_fill < LEAST_BOX_FILL or f.solidity < LEAST_SOLIDITY, "its body is not compact"),
        (
            not BODY_SHARE[0] <= f.body_share <= highest_share,
            f"its body makes up {100 * f.body_share:.0f} % of it",
        ),
        (f.certainty < LEAST_CERTAINTY, "its outline is uncertain"),
        (f.edge_hu < LEAST_EDGE_HU, "it is not denser than what surrounds it"),
        (f.shell_excess_hu < LEAST_SHELL_EXCESS_HU, "it is densest inside"),
    ]
    return [text for broken, text in checks if broken]


def _like_atlas(f: MaskFigures) -> bool:
    extents = zip(f.extents_zyx_mm, (ATLAS_HEIGHT_MM, ATLAS_DEPTH_MM, ATLAS_WIDTH_MM), strict=True)
    fits = all(low <= value <= high for value, (low, high) in extents)
    firm = f.certainty >= LEAST_CERTAINTY and f.edge_hu >= LEAST_EDGE_HU
    return fits and firm and f.body_ml <= ATLAS_BODY_ML and f.vertebra_ml >= 3.0


def measure_mask(mask: VertebraMask, ct: CtVolume) -> MaskFigures | None:
    """Measure shape and contrast of a mask; None if there is less than 0.1 ml of it.

    Without a body to speak of, what is said of the body is measured on the whole mask.
    """
    inside = mask.vertebra > 0.5
    body = mask.body > 0.5
    body_ml = float(body.sum()) / 1000
    if inside.sum() < 1000 * _LEAST_BODY_ML:
        return None
    if body_ml < _LEAST_BODY_ML:
        body = inside
    whole = ndimage.find_objects(inside.astype(np.uint8))[0]
    box = tuple(
        slice(max(0, s.start - 5), min(n, s.stop + 5))
        for s, n in zip(whole, inside.shape, strict=True)
    )
    hu = extract_crop(ct.hu, np.asarray(mask.origin_index_zyx), inside.shape, np.nan)[box]
    inside, body = inside[box], body[box]
    height, depth, width, fill, solidity = _shape(body)
    edge, shell = _contrast(hu, inside, body)
    probability = mask.vertebra[box].astype(np.float32)
    reached = ndimage.binary_dilation(inside)
    return MaskFigures(
        vertebra_ml=float(inside.sum()) / 1000,
        body_ml=body_ml,
        width_mm=width,
        depth_mm=depth,
        height_mm=height,
        box_fill=fill,
        solidity=solidity,
        body_share=float(1000 * body_ml / inside.sum()),
        certainty=float(probability[inside].mean()),
        edge_hu=edge,
        shell_excess_hu=shell,
        extents_zyx_mm=tuple(float(s.stop - s.start) for s in whole),
        cut=bool(np.isnan(hu[reached]).any()),
    )


def _shape(body: np.ndarray) -> tuple[float, float, float, float, float]:
    """Height, depth, width (mm), box fill and solidity of a body."""
    points = np.argwhere(body).astype(float)
    center = points.mean(0)
    axes = _body_axes(points - center)
    local = (points - center) @ axes.T
    low, high = np.percentile(local, [1, 99], axis=0)
    extents = high - low + 1
    fill = len(points) / float(np.prod(extents + 0.5))
    hull = _hull_volume(np.argwhere(body & ~ndimage.binary_erosion(body)).astype(float))
    height, depth, width = (float(v) for v in extents)
    return height, depth, width, min(1.0, fill), len(points) / hull


def _hull_volume(voxels: np.ndarray) -> float:
    """Volume of the convex hull of voxels (n, 3); infinite where they have none.

    Voxels are cubes: their corners, not their centres, span it, and of these only those of the
    voxels that span the hull of the centres.
    """
    offsets = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), -1).reshape(8, 3)
    with suppress(QhullError, ValueError):
        voxels = voxels[ConvexHull(voxels).vertices]
    try:
        return ConvexHull((voxels[:, None] + offsets).reshape(-1, 3)).volume
    except (QhullError, ValueError):
        return np.inf


def _body_axes(centered: np.ndarray) -> np.ndarray:
    """Rows: the principal axes closest to the patient's z, y and x."""
    _, vectors = np.linalg.eigh(np.cov(centered.T))
    best = max(
        ((abs(vectors[0, i]) + abs(vectors[1, j]) + abs(vectors[2, k])), (i, j, k))
        for i, j, k in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    )[1]
    return vectors[:, list(best)].T


def _contrast(hu: np.ndarray, inside: np.ndarray, body: np.ndarray) -> tuple[float, float]:
    # 5 mm around the body are looked at, and no distance above 4 mm matters there.
    place = ndimage.find_objects(body.astype(np.uint8))[0]
    near = tuple(slice(max(0, s.start - 10), s.stop + 10) for s in place)
    hu, inside, body = hu[near], inside[near], body[near]
    depth, outside = squared_distance(~body, 3), squared_distance(inside, 4)
    shell = body & (depth <= 1.5**2)
    around = (outside >= 2**2) & (outside <= 4**2) & (squared_distance(body, 5) <= 5**2)
    core = body & (depth > 2.5**2)
    return _difference(hu, shell, around, np.median), _difference(hu, shell, core, np.mean)


def _difference(hu: np.ndarray, a: np.ndarray, b: np.ndarray, average) -> float:
    first, second = (hu[m] for m in (a, b))
    first, second = (v[np.isfinite(v)] for v in (first, second))
    if not len(first) or not len(second):
        return 0.0
    return float(average(first) - average(second))
