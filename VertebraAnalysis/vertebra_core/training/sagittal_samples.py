"""Samples for the sagittal detector: slabs of a few sagittal slices with boxes around bodies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from ..localisation.sagittal_network import WORKING_SPACING_MM
from ..phantom.appearance import Appearance
from ..phantom.codes import BODY_BIT, CODE_MASK
from ..phantom.sampling import sample_scene
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scanner import render, visible
from .bank import BankSource, random_matrix, scale_of
from .localisation_samples import SACRUM_NUMBER
from .sources import Sample

SLAB_SHAPE_ZYX = (160, 112, 6)
"""320 x 224 mm of sagittal slices, six of them 2 mm apart: one is taken at every replay."""

MAX_BOXES = 32
AREA_SHARE = 0.35
"""A slice through a body carries a box if it shows this share of its height times depth: slices
that only graze it do not tell where its centre lies."""

ON_SPINE_SHARE = 0.85
_SIDE_SD_MM = 14.0


class PhantomSagittalSource(BankSource):
    """Slabs of the scenes in a bank.

    Each sample holds ``hu`` (float16, z, y, x) and ``boxes`` (float32, x, `MAX_BOXES`, 4: low z,
    low y, high z, high y in pixels, NaN-padded).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    shape_zyx : tuple of int
        Size of a slab at 2 mm.
    """

    def __init__(
        self,
        folder: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = SLAB_SHAPE_ZYX,
    ) -> None:
        super().__init__(folder, validation)
        self._shape = tuple(shape_zyx)

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a slab from the scene `name`."""
        scene = self._bank.load(name)
        center = _slab_center(scene, rng)
        matrix = random_matrix(rng, 7.0, (0.85, 1.18))
        spacing = WORKING_SPACING_MM
        elastic = rng.uniform(0, 2.5) if rng.random() < 0.3 else 0.0
        sampled = sample_scene(scene, center, spacing, self._shape, matrix, elastic, rng)
        protocol = ScanProtocol.random(rng)
        hu = render(sampled, (spacing,) * 3, Appearance.random(rng), protocol, rng)
        body = (sampled.labels >= BODY_BIT) & (sampled.bone_sdf <= 0)
        seen = visible(self._shape, spacing, protocol)
        if seen is not None:
            body &= seen
        numbers = torch.where(body, sampled.labels & CODE_MASK, 0).numpy()
        scale = scale_of(matrix)
        areas = {v.level: _full_area(v) * scale**2 for v in scene.vertebrae}
        boxes = [body_boxes(numbers[:, :, x], areas, spacing) for x in range(self._shape[2])]
        return {
            "hu": hu.clamp(-2000, 4000).to(torch.float16),
            "boxes": torch.from_numpy(np.stack(boxes)),
        }


def body_boxes(numbers: np.ndarray, areas_mm2: dict[int, float], spacing_mm: float) -> np.ndarray:
    """Find the upright boxes around the bodies on one slice.

    Parameters
    ----------
    numbers : ndarray of uint8, shape (z, y)
        VerSe numbers of bodies.
    areas_mm2 : dict
        Number -> height times depth of that body.
    spacing_mm : float

    Returns
    -------
    ndarray of float32, shape (`MAX_BOXES`, 4)
        Low z, low y, high z, high y of the pixels' outer edges; NaN-padded.
    """
    boxes = np.full((MAX_BOXES, 4), np.nan, np.float32)
    count = 0
    for number, box in enumerate(ndimage.find_objects(numbers), start=1):
        if box is None or number == SACRUM_NUMBER or count == MAX_BOXES:
            continue
        shown = np.count_nonzero(numbers[box] == number) * spacing_mm**2
        if shown < AREA_SHARE * areas_mm2.get(number, np.inf):
            continue
        boxes[count] = [box[0].start, box[1].start, box[0].stop, box[1].stop]
        count += 1
    return boxes - 0.5


def _full_area(vertebra) -> float:
    heights = vertebra.height_anterior_mm, vertebra.height_posterior_mm
    return float(np.nanmean(heights)) * vertebra.depth_mm


def _slab_center(scene, rng: np.random.Generator) -> np.ndarray:
    size = scene.size_mm
    centers = np.array([v.center_zyx_mm for v in scene.vertebrae]).reshape(-1, 3)
    inside = centers[((centers > 0) & (centers < size)).all(1)]
    if not len(inside):
        return size / 2
    point = inside[rng.integers(len(inside))].copy()
    point[:2] += rng.uniform(-40, 40, 2)
    if rng.random() < ON_SPINE_SHARE:
        point[2] += rng.normal(0, _SIDE_SD_MM)
    else:
        point = rng.uniform(0, 1, 3) * size
    return np.clip(point, 5.0, np.maximum(size - 5.0, 5.0))
