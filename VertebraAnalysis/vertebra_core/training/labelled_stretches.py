"""Samples for the labelling network from labelled scans: stretches of the spine, as if found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..labelling.crops import CROP_SPACING_MM
from ..levels import level_numbered
from .bank import offsets_in_block, random_matrix
from .labelled_scans import LabelledScans
from .labelling_samples import (
    are_in_view,
    field_of_view,
    found_centers,
    pack_labelling,
    sacral_places,
    with_places,
)
from .scan_sampling import sample_grid, sample_hu, sample_labels
from .sources import Sample

_LOWEST_LUMBAR = ("L5", "L6")
"""Below the last of these that is labelled lies the sacrum, which VerSe leaves unlabelled."""


class LabelledStretchSource:
    """Stretches of labelled scans; samples as `PhantomLabellingSource` has them.

    Parameters
    ----------
    folders : sequence of Path
    cache : Path
    validation : bool
    longest : int
        Vertebrae in the longest stretch.
    """

    def __init__(
        self, folders: Sequence[Path], cache: Path, validation: bool = False, longest: int = 25
    ) -> None:
        self._scans = LabelledScans(folders, cache, CROP_SPACING_MM, validation)
        self._longest = longest

    def names(self) -> list[str]:
        """Return the names of the scans."""
        return self._scans.names()

    def no_case(self) -> InputError:
        """Return the error that tells that there is no scan."""
        return self._scans.no_case()

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a stretch from the scan `name`."""
        scan, spacing = self._scans.load(name), CROP_SPACING_MM
        order = np.argsort(-scan.centers_zyx[:, 0], kind="stable")
        numbers, centers = scan.numbers[order], scan.centers_zyx[order]
        size = np.asarray(scan.hu.shape)
        middle = (size - 1) / 2
        matrix = random_matrix(rng, 5.0, (0.87, 1.15))

        def to_block_mm(points: np.ndarray) -> np.ndarray:
            return offsets_in_block(points, middle, matrix) * spacing

        local = to_block_mm(centers)
        inside = ((centers >= 0) & (centers <= size - 1)).all(1)
        low, high = field_of_view(local[inside], self._longest, rng)
        shape = tuple(np.maximum(8, np.ceil((high - low) / spacing)).astype(int).tolist())
        block_middle = low / spacing + (np.array(shape) - 1) / 2
        grid = sample_grid(middle + matrix @ block_middle, matrix, shape, spacing, rng, 0.3)
        hu, seen = sample_hu(scan, grid)
        instances = sample_labels(scan.labels, grid)
        voxels = (local - low) / spacing
        in_view = inside & are_in_view(voxels, shape, seen)
        found, found_numbers = found_centers(voxels[in_view], numbers[in_view], shape, rng)
        places = [
            ((to_block_mm(point / spacing) - low) / spacing, number)
            for point, number in _sacrum(numbers, centers * spacing, rng)
        ]
        found, found_numbers = with_places(found, found_numbers, places, shape, seen)
        return pack_labelling(hu, instances, found, found_numbers)


def _sacrum(
    numbers: np.ndarray, centers_mm: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, int]]:
    """Places in the sacrum below a spine that is labelled down to it."""
    if len(numbers) < 2 or level_numbered(int(numbers[-1])).name not in _LOWEST_LUMBAR:
        return []
    # Without the body's own axes the course of the spine says where it goes on.
    up = centers_mm[-2] - centers_mm[-1]
    up = up / np.linalg.norm(up)
    back = np.array([0.0, 1.0, 0.0]) - up[1] * up
    back = back / np.linalg.norm(back)
    return sacral_places(int(numbers[-1]), centers_mm[-1], up, back, rng)
