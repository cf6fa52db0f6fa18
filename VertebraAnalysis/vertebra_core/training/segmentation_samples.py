"""Samples for the segmentation network: crops around vertebrae of phantom scenes, or off them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..phantom.appearance import Appearance
from ..phantom.codes import BODY_BIT, CODE_MASK
from ..phantom.process_warp import ProcessWarp
from ..phantom.sampling import SampledScene, sample_scene
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scanner import render, visible
from ..segmentation.crops import CROP_SHAPE_ZYX, CROP_SHIFT_ZYX_MM, WORKING_SPACING_MM
from .bank import BankSource, random_matrix, rotation_deg, scale_of
from .localisation_samples import SACRUM_NUMBER, vertebra_codes
from .sources import Sample

NEGATIVE_SHARE = 0.08
"""Share of crops centred off the spine, where nothing is to be segmented."""

NEGATIVE_DISTANCE_MM = 28.0
JITTER_SD_MM = 3.0
JITTER_MAX_MM = 9.0
JITTER_PER_SPACING = 0.35
"""The prior strays at most this share of the distance to the next centre, or it would be unclear
which vertebra is meant."""

WARPED_SHARE, THINNED_SHARE = 0.6, 0.4
THINNED_MM = (-0.3, 0.5)
"""How thick processes are differs more between spines than between the scenes; tips that are seen
as partial volume were missed on thick slices."""

_HARD = {1: 1.5, 2: 1.5, 18: 2.5, 19: 3.0, 24: 1.5, 25: 1.5, 28: 1.5}
"""How much more often vertebrae are drawn that look like no other, or whose free ribs look like
transverse processes, by VerSe number."""

_CERVICAL_SCALE = (0.68, 1.15)
_SCALE = (0.68, 1.18)
"""From children's vertebrae to those of the largest adults."""


class PhantomSegmentationSource(BankSource):
    """Crops of the scenes in a bank.

    Each sample holds ``hu`` (float16, z, y, x), ``vertebra`` and ``body`` (uint8, occupancy of the
    voxel in 1/255), ``visible`` (bool), ``center`` (float32, 3: where the prior lies, voxels) and
    ``has_body`` (bool: the body is known).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    shape_zyx : tuple of int
        Size of a crop at 1 mm.
    """

    def __init__(
        self,
        folder: Path,
        validation: bool = False,
        shape_zyx: tuple[int, int, int] = CROP_SHAPE_ZYX,
    ) -> None:
        super().__init__(folder, validation)
        self._shape = tuple(shape_zyx)

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a crop from the scene `name`."""
        scene = self._bank.load(name)
        chosen = None if rng.random() < NEGATIVE_SHARE else _choose_vertebra(scene, rng)
        if chosen is None:
            target, number, spacing_mm = _off_spine_point(scene, rng), 0, 30.0
        else:
            target, number = np.asarray(chosen.center_zyx_mm), chosen.level
            spacing_mm = _neighbour_distance(scene, chosen)
        matrix = crop_matrix(number, rng)
        jitter = draw_jitter(rng, spacing_mm * scale_of(matrix))
        spacing = WORKING_SPACING_MM
        # The crop's own axes carry shift and jitter, as they do when the network is applied.
        shift = np.asarray(CROP_SHIFT_ZYX_MM) + jitter + rng.uniform(-0.5, 0.5, 3)
        middle = target + matrix @ shift
        elastic = rng.uniform(0, 2.0) if rng.random() < 0.3 else 0.0
        warp = ProcessWarp.random(chosen, rng) if chosen and rng.random() < WARPED_SHARE else None
        sampled = sample_scene(scene, middle, spacing, self._shape, matrix, elastic, rng, warp)
        if rng.random() < THINNED_SHARE:
            sampled = thinner_arches(sampled, rng.uniform(*THINNED_MM))
        protocol = ScanProtocol.random(rng)
        look = Appearance.random_training(rng)
        hu = render(sampled, (spacing,) * 3, look, protocol, rng)
        seen = visible(self._shape, spacing, protocol)
        vertebra, body = occupancy(sampled, number, spacing)
        center = (np.asarray(self._shape) - 1) / 2 + (jitter - shift) / spacing
        return pack_segmentation(hu, vertebra, body, seen, center)


def crop_matrix(number: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how a crop of the vertebra with VerSe number `number` (0: none) is turned and scaled.

    Returns
    -------
    ndarray, shape (3, 3)
        See `bank.random_matrix`.
    """
    scale = _CERVICAL_SCALE if 0 < number <= 7 else _SCALE
    return random_matrix(rng, rotation_deg(rng), scale)


def thinner_arches(sampled: SampledScene, by_mm: float) -> SampledScene:
    """Return a block whose vertebral arches and processes lost `by_mm` of bone on every side.

    Below zero they gain it, as far as `SampledScene.labels` reach beyond bone.
    """
    arch = vertebra_codes(sampled.labels & CODE_MASK) & ((sampled.labels & BODY_BIT) == 0)
    return replace(sampled, bone_sdf=sampled.bone_sdf + by_mm * arch)


def occupancy(
    sampled: SampledScene, number: int, spacing_mm: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Share of each voxel inside a vertebra and inside its body, from the signed distance.

    Parameters
    ----------
    sampled : SampledScene
    number : int
        VerSe number; 0 for none.
    spacing_mm : float
    """
    mine = (sampled.labels & CODE_MASK) == number if number else None
    if mine is None or not bool(mine.any()):
        empty = torch.zeros(sampled.bone_sdf.shape)
        return empty, empty
    vertebra = (0.5 - sampled.bone_sdf / spacing_mm).clamp(0, 1) * mine
    # The border between body and arch comes from a coarser grid: average its steps away.
    in_body = (mine & ((sampled.labels & BODY_BIT) > 0)).float()
    share = _box_mean(in_body) / _box_mean(mine.float()).clamp_min(1e-3)
    return vertebra, vertebra * share.clamp(0, 1)


def pack_segmentation(
    hu: torch.Tensor,
    vertebra: torch.Tensor,
    body: torch.Tensor | None,
    seen: torch.Tensor | None,
    center_zyx: np.ndarray,
) -> Sample:
    """Pack a crop into a sample; `body` is None where it is not known."""
    known = body is not None
    return {
        "hu": hu.clamp(-2000, 4000).to(torch.float16),
        "vertebra": (vertebra * 255).round().to(torch.uint8),
        "body": ((body if known else torch.zeros_like(vertebra)) * 255).round().to(torch.uint8),
        "visible": torch.ones(hu.shape, dtype=torch.bool) if seen is None else seen,
        "center": torch.as_tensor(np.asarray(center_zyx), dtype=torch.float32),
        "has_body": torch.tensor(known),
    }


def draw_jitter(rng: np.random.Generator, spacing_mm: float) -> np.ndarray:
    """Draw how far (z, y, x, mm) a found centre lies from the true one."""
    jitter = rng.normal(0, JITTER_SD_MM, 3)
    limit = min(JITTER_MAX_MM, JITTER_PER_SPACING * spacing_mm)
    length = float(np.linalg.norm(jitter))
    return jitter * min(1.0, limit / length) if length > 0 else jitter


def _box_mean(x: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool3d(x[None, None], 3, 1, 1)[0, 0]


def _choose_vertebra(scene, rng: np.random.Generator):
    """Choose a vertebra in view, more often those that are rare or difficult."""
    size = scene.size_mm
    candidates, weights = [], []
    for vertebra in scene.vertebrae:
        center = np.asarray(vertebra.center_zyx_mm)
        if vertebra.level == SACRUM_NUMBER or not ((center > -3) & (center < size + 3)).all():
            continue
        candidates.append(vertebra)
        weights.append((2.0 if vertebra.grade else 1.0) * _HARD.get(vertebra.level, 1.0))
    if not candidates:
        return None
    weights = np.asarray(weights) / np.sum(weights)
    return candidates[int(rng.choice(len(candidates), p=weights))]


def _neighbour_distance(scene, chosen) -> float:
    center = np.asarray(chosen.center_zyx_mm)
    others = [np.asarray(v.center_zyx_mm) for v in scene.vertebrae if v is not chosen]
    return min((float(np.linalg.norm(o - center)) for o in others), default=30.0)


def _off_spine_point(scene, rng: np.random.Generator) -> np.ndarray:
    """A point (z, y, x, mm) that is no vertebra's: half of the time in another bone."""
    centers = np.array([v.center_zyx_mm for v in scene.vertebrae if v.level != SACRUM_NUMBER])
    shape = np.asarray(scene.labels.shape)
    want_bone = rng.random() < 0.5
    point = scene.size_mm / 2
    for attempt in range(300):
        index = rng.integers(0, shape)
        point = index * scene.spacing_mm
        far = not len(centers) or np.linalg.norm(centers - point, axis=1).min() > (
            NEGATIVE_DISTANCE_MM
        )
        if not far or scene.tissue[tuple(index)] == 0:
            continue
        code = int(scene.labels[tuple(index)]) & CODE_MASK
        is_other_bone = code == SACRUM_NUMBER or code >= 40
        if is_other_bone or not want_bone or attempt > 200:
            break
    return point
