"""Samples for the labelling network: stretches of phantom spines and the vertebrae found there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..labelling.crops import CROP_SHAPE_ZYX, CROP_SPACING_MM
from ..labelling.network import NO_VERTEBRA, SACRUM
from ..levels import Region, level_numbered
from ..networks.normalisation import HIGHEST_HU, LOWEST_HU
from ..phantom.appearance import Appearance
from ..phantom.codes import CODE_MASK
from ..phantom.sampling import sample_scene
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scanner import render, visible
from .bank import BankSource, offsets_in_block, random_matrix, rotation_deg
from .localisation_samples import SACRUM_NUMBER
from .segmentation_samples import draw_jitter
from .sources import Sample

MISSED_SHARE = 0.03
SPURIOUS_SHARE = 0.2
"""Share of stretches with a centre that belongs to no vertebra."""

LOW_END_SHARE = 0.4
"""Share of stretches that end with the lowest vertebra of the scene."""

SACRUM_SHARE = 0.7
"""Share of stretches down to the sacrum with a centre in S1, which a localiser likes to find."""

SECOND_SACRAL_SHARE = 0.3
"""Share of those with a centre in S2 as well; that is no vertebra."""

SHORTEST = 3
"""Vertebrae in the shortest stretch, where the scene has that many."""

MAX_DETECTIONS = 26
_L5_TO_S1_MM = 33.0
_S1_TO_S2_MM = 27.0
_SACRAL_TILT_DEG = (20.0, 55.0)
_HU_STEP = (HIGHEST_HU - LOWEST_HU) / 255
_SIDE_MM = (CROP_SHAPE_ZYX[1] * CROP_SPACING_MM / 2, CROP_SHAPE_ZYX[2] * CROP_SPACING_MM / 2)

NARROW_SHARE = 0.4
"""Share of scans reconstructed around the spine alone, which cut ribs and iliac wings off."""

_NARROW_LOW_MM, _NARROW_HIGH_MM = (25.0, 30.0), (40.0, 30.0)
"""Least that such a scan shows before and right of bodies' centres, behind and left of them."""


class PhantomLabellingSource(BankSource):
    """Stretches of the scenes in a bank.

    Each sample holds ``hu`` (uint8, z, y, x at 3 mm; see `unpack_hu`), ``instances`` (uint8, VerSe
    numbers), and for the found centres, head to foot, ``centers`` (float32, n x 3, voxels),
    ``classes`` (int64, n, of the network) and ``numbers`` (uint8, n, 26 for S1, 0 where spurious).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    longest : int
        Vertebrae in the longest stretch.
    """

    def __init__(self, folder: Path, validation: bool = False, longest: int = 25) -> None:
        super().__init__(folder, validation)
        self._longest = longest

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a stretch from the scene `name`."""
        scene = self._bank.load(name)
        mobile = [v for v in scene.vertebrae if v.level != SACRUM_NUMBER]
        numbers = np.array([v.level for v in mobile], int)
        centers = np.array([v.center_zyx_mm for v in mobile]).reshape(-1, 3)
        matrix = random_matrix(rng, rotation_deg(rng), (0.82, 1.2))
        middle = scene.size_mm / 2
        local = offsets_in_block(centers, middle, matrix)
        inside = ((centers > 0) & (centers < scene.size_mm)).all(1)
        low, high = field_of_view(local[inside], self._longest, rng)
        shape = tuple(np.maximum(8, np.ceil((high - low) / CROP_SPACING_MM)).astype(int).tolist())
        box_center = low + (np.array(shape) - 1) / 2 * CROP_SPACING_MM
        elastic = rng.uniform(0, 2.5) if rng.random() < 0.3 else 0.0
        at = middle + matrix @ box_center
        sampled = sample_scene(scene, at, CROP_SPACING_MM, shape, matrix, elastic, rng)
        protocol = ScanProtocol.random(rng)
        look = Appearance.random_training(rng)
        hu = render(sampled, (CROP_SPACING_MM,) * 3, look, protocol, rng)
        seen = visible(shape, CROP_SPACING_MM, protocol)
        code = sampled.labels & CODE_MASK
        instances = torch.where(sampled.bone_sdf < 0.3 * CROP_SPACING_MM, code, 0)
        voxels = (local - low) / CROP_SPACING_MM
        in_view = inside & are_in_view(voxels, shape, seen)
        found, found_numbers = found_centers(voxels[in_view], numbers[in_view], shape, rng)
        sacral = []
        if len(mobile) and in_view[-1]:
            last = mobile[-1]
            up, back, _ = np.asarray(last.axes_zyx)
            # The next body below is the sacrum's: the scene holds all mobile vertebrae near it.
            sacral = sacral_places(last.level, np.asarray(last.center_zyx_mm), up, back, rng)
        places = [
            ((offsets_in_block(point, middle, matrix) - low) / CROP_SPACING_MM, number)
            for point, number in sacral
        ]
        found, found_numbers = with_places(found, found_numbers, places, shape, seen)
        return pack_labelling(hu, instances, found, found_numbers)


def pack_labelling(
    hu: torch.Tensor, instances: torch.Tensor, centers_zyx: np.ndarray, numbers: np.ndarray
) -> Sample:
    """Pack a stretch into a sample; centres (voxels) are put in order, head to foot."""
    order = np.argsort(-centers_zyx[:, 0], kind="stable")[:MAX_DETECTIONS]
    numbers = numbers[order]
    classes = [_class_of(int(n)) for n in numbers]
    packed = ((hu.clamp(LOWEST_HU, HIGHEST_HU) - LOWEST_HU) / _HU_STEP).round().to(torch.uint8)
    return {
        "hu": packed,
        "instances": instances.to(torch.uint8),
        "centers": torch.as_tensor(centers_zyx[order], dtype=torch.float32).reshape(-1, 3),
        "classes": torch.tensor(classes, dtype=torch.int64),
        "numbers": torch.as_tensor(numbers.astype(np.uint8)),
    }


def _class_of(number: int) -> int:
    if number == SACRUM_NUMBER:
        return SACRUM
    return level_numbered(number).order if number else NO_VERTEBRA


def unpack_hu(packed: torch.Tensor) -> torch.Tensor:
    """Return HU, within the range that networks see, in steps of 6."""
    return packed.float() * _HU_STEP + LOWEST_HU


def field_of_view(
    local_mm: np.ndarray, longest: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner (z, y, x, mm) of a scan of some neighbouring vertebrae."""
    if not len(local_mm):
        return np.full(3, -60.0), np.full(3, 60.0)
    rows = local_mm[np.argsort(local_mm[:, 0])]
    most = min(len(rows), longest)
    # Whole spines are few; the logarithm of the length is even.
    least = min(SHORTEST, most)
    count = int(np.rint(np.exp(rng.uniform(np.log(least), np.log(most + 0.49)))))
    # Lowest first: a start of 0 reaches down to the sacrum where the scene does.
    lowest = rng.random() < LOW_END_SHARE
    start = 0 if lowest else int(rng.integers(0, len(rows) - count + 1))
    chosen = rows[start : start + count]
    low, high = chosen.min(0), chosen.max(0)
    low[0] -= rng.uniform(2, 110 if lowest else 60)
    high[0] += rng.uniform(2, 60)
    before, behind = _side_margins(rng)
    low[1:] -= before
    high[1:] += behind
    return low, high


def _side_margins(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How far (mm; y, x) a scan reaches before and right of bodies, and behind and left."""
    widest = np.array(_SIDE_MM)
    if rng.random() >= NARROW_SHARE:
        return widest, widest
    return rng.uniform(_NARROW_LOW_MM, widest), rng.uniform(_NARROW_HIGH_MM, widest)


def are_in_view(voxels: np.ndarray, shape, seen: torch.Tensor | None) -> np.ndarray:
    """Tell which places (n, 3) lie in a block and where the scan reaches."""
    inside = ((voxels >= 0) & (voxels <= np.array(shape) - 1)).all(1)
    if seen is not None:
        for i in np.nonzero(inside)[0]:
            inside[i] = bool(seen[tuple(np.rint(voxels[i]).astype(int))])
    return inside


def found_centers(
    voxels: np.ndarray, numbers: np.ndarray, shape, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Centres as a localiser finds them: a little off, some missed, now and then a spurious one."""
    keep = rng.random(len(voxels)) >= MISSED_SHARE
    if len(voxels) and not keep.any():
        keep[0] = True
    voxels, numbers = voxels[keep], numbers[keep]
    spacing = np.full(len(voxels), 30.0)
    if len(voxels) > 1:
        distance = np.linalg.norm(voxels[:, None] - voxels[None], axis=2) * CROP_SPACING_MM
        spacing = np.partition(distance, 1, axis=1)[:, 1]
    jitter = [draw_jitter(rng, mm) / CROP_SPACING_MM for mm in spacing]
    found = voxels + np.array(jitter).reshape(-1, 3)
    if not len(found) or rng.random() < SPURIOUS_SHARE:
        spurious = _spurious(voxels, shape, rng)
        found, numbers = np.vstack([found, spurious]), np.append(numbers, 0)
    return found, numbers


def with_places(
    found: np.ndarray, numbers: np.ndarray, places, shape, seen: torch.Tensor | None
) -> tuple[np.ndarray, np.ndarray]:
    """Add those (place in voxels, number) that are in view to found centres and their numbers."""
    for place, number in places:
        if are_in_view(place[None], shape, seen)[0]:
            found, numbers = np.vstack([found, place]), np.append(numbers, number)
    return found, numbers


def sacral_places(
    level: int, center_mm: np.ndarray, up: np.ndarray, back: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, int]]:
    """Draw what a localiser finds below the last mobile vertebra.

    Parameters
    ----------
    level : int
        Its VerSe number; none is drawn below another than a lumbar one.
    center_mm, up, back : ndarray, shape (3,)
        Its centre and axes, z, y, x.
    rng : numpy.random.Generator

    Returns
    -------
    list of (ndarray, int)
        Places (z, y, x, mm) in S1, now and then in S2 too, with their numbers.
    """
    if rng.random() >= SACRUM_SHARE or level_numbered(level).region is not Region.LUMBAR:
        return []
    first = center_mm - rng.normal(_L5_TO_S1_MM, 3.0) * up
    first = first + rng.normal(0, 3.0, 3)
    if rng.random() >= SECOND_SACRAL_SHARE:
        return [(first, SACRUM_NUMBER)]
    tilt = np.deg2rad(rng.uniform(*_SACRAL_TILT_DEG))
    step = rng.normal(_S1_TO_S2_MM, 3.0)
    second = first + step * (np.sin(tilt) * back - np.cos(tilt) * up) + rng.normal(0, 3.0, 3)
    return [(first, SACRUM_NUMBER), (second, 0)]


def _spurious(voxels: np.ndarray, shape, rng: np.random.Generator) -> np.ndarray:
    """A place off every vertebra: beside or beyond one, or anywhere."""
    last = np.array(shape) - 1.0
    place = rng.uniform(0, last)
    for _ in range(30):
        if len(voxels) and rng.random() < 0.7:
            near = voxels[rng.integers(len(voxels))]
            place = near + rng.normal(0, 45 / CROP_SPACING_MM, 3)
        else:
            place = rng.uniform(0, last)
        place = np.clip(place, 0, last)
        apart = np.linalg.norm(voxels - place, axis=1) * CROP_SPACING_MM
        if not len(voxels) or apart.min() > 28:
            break
    return place
