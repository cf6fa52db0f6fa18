"""Part VertebraFormer's masks into vertebrae: every voxel votes for the centre of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch.nn import functional

from ..localisation.voting import peaks_from_votes
from .outputs import COARSE, N_LEVELS, WORKING_SPACING_MM

LEAST_BODY_ML = 1.0
"""Smaller bodies are no vertebra: the smallest cervical bodies hold 2 ml."""

MOST_BODIES = 40
"""More vertebrae no spine has; those with the most votes are kept."""

_COARSE_MM = WORKING_SPACING_MM * COARSE
_LEAST_WEIGHT, _ARCH_WEIGHT = 0.25, 0.3
_LEAST_VOTES = 1.0
_SEPARATION_MM = 8.0
"""Half of the distance between the closest cervical centres."""

_REACH_MM = 20.0
"""A vote farther than this from every centre is for none of them."""


@dataclass(frozen=True)
class Instances:
    """Vertebrae in a grid of 2 mm.

    Attributes
    ----------
    centers : ndarray, shape (n, 3)
        Body centres, index z, y, x.
    evidence : ndarray, shape (n, 26)
        Logarithms of the probabilities of the levels, by `Level.order`.
    owner : ndarray of int16, shape (z, y, x)
        Index of the vertebra each voxel belongs to, -1 for none.
    """

    centers: np.ndarray
    evidence: np.ndarray
    owner: np.ndarray


def part_into_vertebrae(
    masks: torch.Tensor, levels: torch.Tensor, offsets_mm: torch.Tensor
) -> Instances:
    """Find centres by votes, as LocNet's are found, and give voxels to the centre they vote for.

    The levels of a vertebra are the mean of what its voxels say.

    Parameters
    ----------
    masks : Tensor, shape (2, z, y, x)
        Logits of vertebra and body; sizes even.
    levels : Tensor, shape (26, z / 2, y / 2, x / 2)
        Logits.
    offsets_mm : Tensor, shape (3, z / 2, y / 2, x / 2)
        To the centre, z, y, x.
    """
    share = functional.avg_pool3d(torch.sigmoid(masks)[None], COARSE)[0].numpy()
    offsets = offsets_mm.numpy()
    peaks = peaks_from_votes(
        share[1],
        share[0],
        offsets,
        _COARSE_MM,
        threshold=_LEAST_WEIGHT,
        foreground_weight=_ARCH_WEIGHT,
        minimum_votes=_LEAST_VOTES,
        separation_mm=_SEPARATION_MM,
    )[:MOST_BODIES]
    centers = np.array([p.position_zyx for p in peaks]).reshape(-1, 3)
    inside, body = (masks > 0).numpy()
    voters = np.argwhere(functional.max_pool3d(masks[None, :1], COARSE)[0, 0].numpy() > 0)
    owner = _voted_for(centers, voters, offsets)
    volumes = np.bincount(_fine(owner)[inside & body] + 1, minlength=len(centers) + 1)[1:]
    large = volumes * WORKING_SPACING_MM**3 / 1000 >= LEAST_BODY_ML
    if not large.all():
        # Centres without a body of their own are echoes; their voxels go to the next centre.
        centers = centers[large]
        owner = _voted_for(centers, voters, offsets)
    probabilities = torch.softmax(levels, 0).numpy()
    evidence = np.zeros((len(centers), N_LEVELS))
    for k in range(len(centers)):
        own = probabilities[:, (owner == k) & (share[0] > 0.5)]
        evidence[k] = own.mean(1) if own.size else 1 / N_LEVELS
    return Instances(
        centers * COARSE + (COARSE - 1) / 2,
        np.log(np.maximum(evidence, 1e-6)),
        np.where(inside, _fine(owner), -1).astype(np.int16),
    )


def _voted_for(centers: np.ndarray, voters: np.ndarray, offsets_mm: np.ndarray) -> np.ndarray:
    """Index of the centre nearest to the vote of each voxel of `voters`, -1 elsewhere."""
    owner = np.full(offsets_mm.shape[1:], -1, np.int16)
    if len(centers) and len(voters):
        at = tuple(voters.T)
        votes = voters + offsets_mm[(slice(None), *at)].T / _COARSE_MM
        distance, nearest = cKDTree(centers).query(votes)
        owner[at] = np.where(distance * _COARSE_MM <= _REACH_MM, nearest, -1)
    return owner


def _fine(coarse: np.ndarray) -> np.ndarray:
    for axis in range(3):
        coarse = coarse.repeat(COARSE, axis)
    return coarse
