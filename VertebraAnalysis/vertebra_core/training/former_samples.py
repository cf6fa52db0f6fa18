"""Samples for VertebraFormer: blocks of phantoms with levels, bodies, lesions and their domain."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..levels import level_numbered
from ..phantom.appearance import Appearance
from ..phantom.codes import BODY_BIT, CODE_MASK
from ..phantom.lesions import KINDS, MOST_LESIONS, draw_lesions
from ..phantom.sampling import sample_scene
from ..phantom.scanner import render, visible
from ..vertebraformer.outputs import N_LEVELS, WINDOW_ZYX, WORKING_SPACING_MM
from .bank import BankSource, offsets_in_block, random_matrix
from .imaging_domains import domain_of, draw_protocol
from .localisation_samples import SACRUM_NUMBER, block_center, vertebra_codes
from .sources import Sample

LESION_SHARE = 0.5
"""Share of blocks with lesions, where the bank's scenes have none of their own."""


class PhantomFormerSource(BankSource):
    """Blocks of the scenes in a bank.

    Each sample holds ``hu`` (float16, z, y, x), ``codes`` (uint8: VerSe number, with
    `codes.BODY_BIT` on bodies, 0 outside vertebrae), ``visible`` (bool), ``centers`` (float32,
    26 x 3: body centres by `Level.order`, z, y, x in voxels; NaN where none), ``lesions`` (float32,
    `MOST_LESIONS` x 4: z, y, x in voxels and the index of the kind; NaN-padded) and ``domain``
    (int64).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    shape_zyx : tuple of int
        Size of a block at 2 mm.
    domains : collection of int, optional
        Imaging domains to draw scans of; all without it.
    """

    def __init__(
        self,
        folder: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = WINDOW_ZYX,
        domains: Collection[int] | None = None,
    ) -> None:
        super().__init__(folder, validation)
        self._shape = tuple(shape_zyx)
        self._domains = frozenset(domains or ())

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a block from the scene `name`."""
        scene = self._bank.load(name)
        if not scene.lesions and rng.random() < LESION_SHARE:
            scene = replace(scene, lesions=draw_lesions(scene, rng))
        center = block_center(scene, rng)
        if scene.lesions and rng.random() < 0.5:
            chosen = scene.lesions[int(rng.integers(len(scene.lesions)))]
            center = np.asarray(chosen.center_zyx_mm) + rng.uniform(-40, 40, 3)
        matrix = random_matrix(rng, 7.0, (0.85, 1.18))
        spacing = WORKING_SPACING_MM
        sampled = sample_scene(scene, center, spacing, self._shape, matrix, 0.0, rng)
        protocol = draw_protocol(rng, self._domains)
        # Unlabelled lesions of the appearance would contradict the truth.
        look = replace(Appearance.random(rng), lesion_threshold=float("inf"))
        hu = render(sampled, (spacing,) * 3, look, protocol, rng)
        seen = visible(self._shape, spacing, protocol)
        inside = vertebra_codes(sampled.labels & CODE_MASK) & (sampled.bone_sdf <= 0)
        return {
            "hu": hu.clamp(-2000, 4000).to(torch.float16),
            "codes": torch.where(inside, sampled.labels, 0).to(torch.uint8),
            "visible": torch.ones(self._shape, dtype=torch.bool) if seen is None else seen,
            "centers": self._centers(scene, center, matrix),
            "lesions": self._lesions(scene.lesions, center, matrix),
            "domain": torch.tensor(domain_of(protocol)),
        }

    def _centers(self, scene, center, matrix) -> torch.Tensor:
        packed = torch.full((N_LEVELS, 3), float("nan"))
        for vertebra in scene.vertebrae:
            if vertebra.level != SACRUM_NUMBER:
                order = level_numbered(vertebra.level).order
                packed[order] = self._local(vertebra.center_zyx_mm, center, matrix)
        return packed

    def _lesions(self, lesions, center, matrix) -> torch.Tensor:
        packed = torch.full((MOST_LESIONS, 4), float("nan"))
        for row, lesion in zip(packed, lesions, strict=False):
            row[:3] = self._local(lesion.center_zyx_mm, center, matrix)
            row[3] = KINDS.index(lesion.kind)
        return packed

    def _local(self, place_zyx_mm, center, matrix) -> torch.Tensor:
        """Return a place of the scene in voxels of the block."""
        local_mm = offsets_in_block(place_zyx_mm, center, matrix)
        middle = (np.asarray(self._shape) - 1) / 2
        return torch.from_numpy(local_mm / WORKING_SPACING_MM + middle)


def is_body(codes: torch.Tensor) -> torch.Tensor:
    """Tell which voxels of a sample's codes lie in a body, bool."""
    return (codes & BODY_BIT) > 0
