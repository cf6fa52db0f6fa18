"""Samples for the fracture networks: plain CT crops around graded bodies of phantom scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..grading.fracture_networks import CROP_SHAPE_ZYX, CROP_SPACING_MM, N_GRADES, WALLS
from ..phantom.appearance import Appearance
from ..phantom.fracture_truth import broken_walls
from ..phantom.sampling import sample_scene
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scanner import render
from .bank import BankSource, random_matrix
from .grading_samples import FRACTURED_SHARE, choose_body, gradable_bodies
from .segmentation_samples import occupancy
from .sources import Sample

UNKNOWN_GRADE = -100
_JITTER_SD_MM = 2.0
"""How far found centres lie off; VertFault trains on exact ones."""


class PhantomFractureSource(BankSource):
    """Crops around gradable bodies of the scenes in a bank.

    Each sample holds ``hu`` (float16, z, y, x), ``vertebra`` (uint8, occupancy in 1/255), ``grade``
    (int64, `UNKNOWN_GRADE` where there is no body) and ``walls`` (float32, 3: see
    `fracture_truth.broken_walls`).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    shape_zyx : tuple of int
        Size of a crop.
    spacing_mm : float
        Its spacing.
    """

    def __init__(
        self,
        folder: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = CROP_SHAPE_ZYX,
        spacing_mm: float = CROP_SPACING_MM,
    ) -> None:
        super().__init__(folder, validation)
        self._shape = tuple(shape_zyx)
        self._spacing_mm = spacing_mm

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a crop from the scene `name`."""
        scene = self._bank.load(name)
        body = choose_body(scene, rng)
        if body is None:
            return self._empty()
        matrix = random_matrix(rng, 6.0, (0.88, 1.12))
        center = np.asarray(body.center_zyx_mm) + matrix @ rng.normal(0, _JITTER_SD_MM, 3)
        spacing = self._spacing_mm
        sampled = sample_scene(scene, center, spacing, self._shape, matrix, 0.0, rng)
        hu = render(sampled, (spacing,) * 3, Appearance.random(rng), ScanProtocol.random(rng), rng)
        vertebra, _ = occupancy(sampled, body.level, spacing)
        return {
            "hu": hu.clamp(-2000, 4000).to(torch.float16),
            "vertebra": (vertebra * 255).round().to(torch.uint8),
            "grade": torch.tensor(body.grade),
            "walls": torch.tensor(broken_walls(body)),
        }

    def grade_frequencies(self) -> np.ndarray:
        """Expected share of each grade among the samples, as the bank stands now, shape (4,)."""
        shares = np.zeros(N_GRADES)
        for name in self.names():
            bodies = gradable_bodies(self._bank.load(name))
            fractured = [b for b in bodies if b.grade > 0]
            for group, share in (
                (fractured, FRACTURED_SHARE if fractured else 0.0),
                (bodies, 1 - FRACTURED_SHARE if fractured else 1.0),
            ):
                for body in group:
                    shares[body.grade] += share / len(group)
        return shares / shares.sum() if shares.sum() else np.full(N_GRADES, 1 / N_GRADES)

    def _empty(self) -> Sample:
        """A sample that carries no loss, for a scene without a gradable body."""
        return {
            "hu": torch.zeros(self._shape, dtype=torch.float16),
            "vertebra": torch.zeros(self._shape, dtype=torch.uint8),
            "grade": torch.tensor(UNKNOWN_GRADE),
            "walls": torch.full((len(WALLS),), float("nan")),
        }
