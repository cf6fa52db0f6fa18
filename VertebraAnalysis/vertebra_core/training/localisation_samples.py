"""Samples for LocNet: blocks of phantom scenes, rendered anew each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..levels import is_level_number
from ..localisation.outputs import WORKING_SPACING_MM
from ..localisation.targets import heat_sigma_mm
from ..phantom.appearance import Appearance
from ..phantom.codes import CODE_MASK, Tissue
from ..phantom.sampling import sample_scene
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scanner import render, visible
from .bank import BankSource, offsets_in_block, random_matrix, rotation_deg
from .sources import Sample

SACRUM_NUMBER = 26
MAX_CENTERS = 28
ON_SPINE_SHARE = 0.8
"""Share of blocks placed near a vertebra; the others lie anywhere in the scene."""

_MARGIN_MM = 10.0
_REACH_MM = 60.0
_SCALE = (0.85, 1.18)


class PhantomLocalisationSource(BankSource):
    """Blocks of the scenes in a bank.

    Each sample holds ``hu`` (float16, z, y, x), ``instances`` (uint8, VerSe numbers of mobile
    vertebrae), ``visible`` (bool), ``centers`` (float32, `MAX_CENTERS` x 3, voxels, NaN-padded),
    ``numbers`` (uint8, 0-padded) and ``sigma_mm`` (float32).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    shape_zyx : tuple of int
        Size of a block at 2 mm.
    """

    def __init__(
        self,
        folder: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = (96, 96, 96),
    ) -> None:
        super().__init__(folder, validation)
        self._shape = tuple(shape_zyx)

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a block from the scene `name`."""
        scene = self._bank.load(name)
        center = block_center(scene, rng)
        matrix = block_matrix(rng)
        elastic = rng.uniform(0, 2.5) if rng.random() < 0.4 else 0.0
        spacing = WORKING_SPACING_MM
        sampled = sample_scene(scene, center, spacing, self._shape, matrix, elastic, rng)
        protocol = ScanProtocol.random(rng)
        look = Appearance.random_training(rng)
        hu = render(sampled, (spacing,) * 3, look, protocol, rng)
        seen = visible(self._shape, spacing, protocol)
        code = sampled.labels & CODE_MASK
        # Just beyond the surface still counts: partial volume shows bone there at 2 mm.
        inside = vertebra_codes(code) & (sampled.bone_sdf < 0.4 * spacing)
        mobile = [v for v in scene.vertebrae if v.level != SACRUM_NUMBER]
        centers = np.array([v.center_zyx_mm for v in mobile]).reshape(-1, 3)
        local_mm = offsets_in_block(centers, center, matrix)
        voxels = local_mm / spacing + (np.asarray(self._shape) - 1) / 2
        return pack_localisation(
            hu,
            torch.where(inside, code, torch.zeros_like(code)),
            seen,
            voxels,
            np.array([v.level for v in mobile], int),
            heat_sigma_mm(local_mm),
        )


def block_matrix(rng: np.random.Generator) -> np.ndarray:
    """Draw how a block is turned and scaled, shape (3, 3); see `bank.random_matrix`."""
    return random_matrix(rng, rotation_deg(rng), _SCALE)


def vertebra_codes(code: torch.Tensor) -> torch.Tensor:
    """Tell where bone codes are those of mobile vertebrae (C1-L6, T13), bool."""
    table = torch.zeros(256, dtype=torch.bool)
    for number in range(1, 29):
        table[number] = is_level_number(number) and number != SACRUM_NUMBER
    return table[code.long()]


def pack_localisation(
    hu: torch.Tensor,
    instances: torch.Tensor,
    seen: torch.Tensor | None,
    centers_zyx: np.ndarray,
    numbers: np.ndarray,
    sigma_mm: np.ndarray,
) -> Sample:
    """Pack a block into a sample of fixed shapes; centres beyond `MAX_CENTERS` are dropped."""
    count = min(len(numbers), MAX_CENTERS)
    centers = torch.full((MAX_CENTERS, 3), float("nan"))
    padded_numbers = torch.zeros(MAX_CENTERS, dtype=torch.uint8)
    sigma = torch.ones(MAX_CENTERS)
    centers[:count] = torch.as_tensor(np.asarray(centers_zyx)[:count], dtype=torch.float32)
    padded_numbers[:count] = torch.as_tensor(np.asarray(numbers)[:count], dtype=torch.uint8)
    sigma[:count] = torch.as_tensor(np.asarray(sigma_mm)[:count], dtype=torch.float32)
    return {
        "hu": hu.clamp(-2000, 4000).to(torch.float16),
        "instances": instances.to(torch.uint8),
        "visible": torch.ones(hu.shape, dtype=torch.bool) if seen is None else seen,
        "centers": centers,
        "numbers": padded_numbers,
        "sigma_mm": sigma,
    }


def block_center(scene, rng: np.random.Generator) -> np.ndarray:
    """Draw the centre (z, y, x, mm) of a block: mostly near the spine, else anywhere inside."""
    size = scene.size_mm
    centers = np.array([v.center_zyx_mm for v in scene.vertebrae]).reshape(-1, 3)
    inside = centers[((centers > -5) & (centers < size + 5)).all(1)]
    if len(inside) and rng.random() < ON_SPINE_SHARE:
        point = inside[rng.integers(len(inside))] + rng.uniform(-_REACH_MM, _REACH_MM, 3)
    else:
        for _ in range(20):
            point = rng.uniform(0, 1, 3) * size
            if scene.tissue[tuple(np.rint(point / scene.spacing_mm).astype(int))] != Tissue.AIR:
                break
    return np.clip(point, _MARGIN_MM, np.maximum(size - _MARGIN_MM, _MARGIN_MM))
