"""Samples from labelled scans: folders of CT and label map, or a VerSe download as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..localisation import outputs as localisation_outputs
from ..localisation.targets import heat_sigma_mm
from ..segmentation import crops
from .bank import offsets_in_block, scale_of
from .labelled_scans import LabelledScan, LabelledScans
from .localisation_samples import SACRUM_NUMBER, block_matrix, pack_localisation, vertebra_codes
from .scan_sampling import sample_grid, sample_hu, sample_labels, sample_mask
from .segmentation_samples import NEGATIVE_SHARE, crop_matrix, draw_jitter, pack_segmentation
from .sources import Sample


class LabelledSegmentationSource:
    """Crops around vertebrae of labelled scans; samples as `PhantomSegmentationSource` has them.

    Parameters
    ----------
    folders : sequence of Path
    cache : Path
    validation : bool
    shape_zyx : tuple of int
    split_bodies : bool
        Cut bodies out of the vertebrae by geometry where a scan has no map of bodies; otherwise
        they are unknown there.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        cache: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = crops.CROP_SHAPE_ZYX,
        split_bodies: bool = True,
    ) -> None:
        spacing = crops.WORKING_SPACING_MM
        self._scans = LabelledScans(folders, cache, spacing, validation, split_bodies)
        self._shape = tuple(shape_zyx)

    def names(self) -> list[str]:
        """Return the names of the scans."""
        return self._scans.names()

    def no_case(self) -> InputError:
        """Return the error that tells that there is no scan."""
        return self._scans.no_case()

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a crop from the scan `name`."""
        scan, spacing = self._scans.load(name), self._scans.spacing_mm
        number, target, distance_mm = _choose(scan, rng, spacing)
        matrix = crop_matrix(number, rng)
        jitter = draw_jitter(rng, distance_mm * scale_of(matrix))
        shift = np.asarray(crops.CROP_SHIFT_ZYX_MM) + jitter + rng.uniform(-0.5, 0.5, 3)
        grid = sample_grid(target + matrix @ shift / spacing, matrix, self._shape, spacing, rng)
        hu, seen = sample_hu(scan, grid)
        vertebra = sample_mask(scan.labels, number, grid)
        body = None
        # C1 has no body; a body map says nothing about it.
        if number == 0 or number == 1:
            body = torch.zeros_like(vertebra)
        elif scan.bodies is not None:
            body = torch.minimum(sample_mask(scan.bodies, number, grid), vertebra)
            # A vertebra without any body is one whose body nobody has drawn or could be told.
            if bool(vertebra.any()) and not bool(body.any()):
                body = None
        center = (np.asarray(self._shape) - 1) / 2 + (jitter - shift) / spacing
        return pack_segmentation(hu, vertebra, body, seen, center)


class LabelledLocalisationSource:
    """Blocks of labelled scans; samples as `PhantomLocalisationSource` has them.

    Parameters
    ----------
    folders : sequence of Path
    cache : Path
    validation : bool
    shape_zyx : tuple of int
    """

    def __init__(
        self,
        folders: Sequence[Path],
        cache: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = (96, 96, 96),
    ) -> None:
        spacing = localisation_outputs.WORKING_SPACING_MM
        self._scans = LabelledScans(folders, cache, spacing, validation)
        self._shape = tuple(shape_zyx)

    def names(self) -> list[str]:
        """Return the names of the scans."""
        return self._scans.names()

    def no_case(self) -> InputError:
        """Return the error that tells that there is no scan."""
        return self._scans.no_case()

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a block from the scan `name`."""
        scan, spacing = self._scans.load(name), self._scans.spacing_mm
        middle = rng.uniform(0, 1, 3) * (np.asarray(scan.hu.shape) - 1)
        if len(scan.numbers) and rng.random() < 0.8:
            middle = scan.centers_zyx[rng.integers(len(scan.numbers))]
            middle = middle + rng.uniform(-60, 60, 3) / spacing
        middle = np.clip(middle, 0, np.asarray(scan.hu.shape) - 1)
        matrix = block_matrix(rng)
        grid = sample_grid(middle, matrix, self._shape, spacing, rng)
        hu, seen = sample_hu(scan, grid)
        instances = sample_labels(scan.labels, grid).to(torch.uint8)
        instances = instances * vertebra_codes(instances)
        local = offsets_in_block(scan.centers_zyx, middle, matrix)
        centers = local + (np.asarray(self._shape) - 1) / 2
        sigma = heat_sigma_mm(local * spacing)
        return pack_localisation(hu, instances, seen, centers, scan.numbers, sigma)


def _choose(
    scan: LabelledScan, rng: np.random.Generator, spacing_mm: float
) -> tuple[int, np.ndarray, float]:
    """Choose what a crop is centred on: VerSe number (0 off the spine), voxel, distance (mm)."""
    size = np.asarray(scan.hu.shape)
    centers = scan.centers_zyx
    inside = [
        i
        for i, c in enumerate(centers)
        if ((c >= 0) & (c <= size - 1)).all() and scan.numbers[i] != SACRUM_NUMBER
    ]
    if inside and rng.random() >= NEGATIVE_SHARE:
        i = inside[int(rng.integers(len(inside)))]
        gaps = np.linalg.norm(np.delete(centers, i, 0) - centers[i], axis=1) * spacing_mm
        return int(scan.numbers[i]), centers[i], float(gaps.min(initial=30.0))
    point = size / 2
    for _ in range(200):
        point = rng.uniform(0, 1, 3) * (size - 1)
        index = tuple(np.rint(point).astype(int))
        # Far from everything labelled, as vertebrae may be left unlabelled next to the others.
        far = not len(centers) or (
            np.linalg.norm((centers - point)[:, 1:], axis=1).min() * spacing_mm > 45.0
        )
        if far and scan.labels[index] == 0 and scan.hu[index] > -200:
            break
    return 0, point, 30.0
