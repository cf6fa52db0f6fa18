"""Samples for the labelling network: stretches of phantom spines with their levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..labelling.context import CONTEXT_SPACING_MM
from ..levels import level_numbered
from ..phantom.appearance import Appearance
from ..phantom.sampling import sample_scene
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scanner import render, visible
from .bank import SceneBank, random_matrix
from .localisation_samples import SACRUM_NUMBER
from .sources import Sample

BLOCK_SHAPE_ZYX = (192, 96, 88)
"""Voxels of 2 mm: 384 mm of spine with what lies around it."""

MAX_VERTEBRAE = 14
SHORT_SHARE = 0.35
"""Share of stretches cut to 3-6 vertebrae, the hard case."""

MISSED_SHARE = 0.12
JITTER_SD_MM = 1.8
NO_LEVEL = -1


class PhantomLabellingSource:
    """Stretches of the scenes in a bank.

    Each sample holds ``hu`` (float16, z, y, x), ``centres`` (float32, 14 x 3: voxels, head to foot,
    unused rows zero), ``levels`` (int64, 14: class index, `NO_LEVEL` for unused rows).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    """

    def __init__(self, folder: Path, validation: bool = False) -> None:
        self._bank = SceneBank(folder, validation)

    def names(self) -> list[str]:
        """Return the names of the scenes there are now."""
        return self._bank.names()

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a stretch from the scene `name`."""
        scene = self._bank.load(name)
        matrix = random_matrix(rng, 5.0, (0.87, 1.15), 0.03)
        inside = [v for v in scene.vertebrae if _in_view(v, scene)]
        focus = np.mean([v.center_zyx_mm for v in inside], axis=0) if inside else scene.size_mm / 2
        if inside:
            # The block holds 384 mm: of longer scenes a stretch around one of the vertebrae.
            anchor = inside[int(rng.integers(len(inside)))]
            reach = max(0.0, float(np.ptp([v.center_zyx_mm[0] for v in inside])) / 2 - 120)
            offset = np.clip(anchor.center_zyx_mm[0] - focus[0], -reach, reach)
            near = [v for v in inside if abs(v.center_zyx_mm[0] - focus[0] - offset) < 170]
            focus = np.mean([v.center_zyx_mm for v in near or inside], axis=0)
        focus = focus + [0, 6, 0] + rng.normal(0, 4, 3)
        elastic = rng.uniform(0, 2.0) if rng.random() < 0.3 else 0.0
        spacing = CONTEXT_SPACING_MM
        sampled = sample_scene(scene, focus, spacing, BLOCK_SHAPE_ZYX, matrix, elastic, rng)
        protocol = ScanProtocol.random(rng)
        hu = render(sampled, (spacing,) * 3, Appearance.random(rng), protocol, rng)
        centres, levels = _in_block(scene, focus, matrix)
        hu, centres, levels = _cut(hu, centres, levels, rng)
        seen = visible(BLOCK_SHAPE_ZYX, spacing, protocol)
        if seen is not None:
            index = np.clip(np.rint(centres).astype(int), 0, np.array(BLOCK_SHAPE_ZYX) - 1)
            keep = np.array([bool(seen[tuple(i)]) for i in index], bool)
            centres, levels = centres[keep], levels[keep]
        return _packed(hu, centres, levels)


def _in_view(vertebra, scene) -> bool:
    centre = np.asarray(vertebra.center_zyx_mm)
    inside = ((centre > -2) & (centre < scene.size_mm + 2)).all()
    return bool(inside) and vertebra.level != SACRUM_NUMBER


def _in_block(scene, focus: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres in voxels of the block and class indices, head to foot."""
    back = np.linalg.inv(matrix)
    middle = (np.asarray(BLOCK_SHAPE_ZYX) - 1) / 2
    centres, levels = [], []
    for vertebra in scene.vertebrae:
        if not _in_view(vertebra, scene):
            continue
        at = back @ (np.asarray(vertebra.center_zyx_mm) - focus) / CONTEXT_SPACING_MM + middle
        if ((at > 1) & (at < np.asarray(BLOCK_SHAPE_ZYX) - 2)).all():
            centres.append(at)
            levels.append(level_numbered(vertebra.level).order)
    return np.array(centres, float).reshape(-1, 3), np.array(levels, int)


def _cut(hu, centres, levels, rng):
    """End the scan above and below as fields of view do; lose a vertebra at times."""
    n = len(levels)
    if n == 0:
        return hu, centres, levels
    length = int(rng.integers(3, 7)) if rng.random() < SHORT_SHARE else MAX_VERTEBRAE
    if n > length:
        first = int(rng.integers(0, n - length + 1))
        top = centres[first, 0] + rng.uniform(4, 12)
        bottom = centres[first + length - 1, 0] - rng.uniform(4, 12)
        hu[int(np.ceil(top)) :] = -1024.0
        hu[: max(0, int(bottom))] = -1024.0
        centres, levels = centres[first : first + length], levels[first : first + length]
    if len(levels) > 4 and rng.random() < MISSED_SHARE:
        lost = int(rng.integers(1, len(levels) - 1))
        centres, levels = np.delete(centres, lost, axis=0), np.delete(levels, lost)
    return hu, centres, levels


def _packed(hu: torch.Tensor, centres: np.ndarray, levels: np.ndarray) -> Sample:
    rows = np.zeros((MAX_VERTEBRAE, 3), np.float32)
    classes = np.full(MAX_VERTEBRAE, NO_LEVEL, np.int64)
    rows[: len(levels)], classes[: len(levels)] = centres, levels
    return {
        "hu": hu.clamp(-2000, 4000).to(torch.float16),
        "centres": torch.from_numpy(rows),
        "levels": torch.from_numpy(classes),
    }
