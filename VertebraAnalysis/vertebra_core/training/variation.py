"""Cheap variations of a finished sample, so that a replayed one is not seen twice alike."""

from __future__ import annotations

import numpy as np
import torch


def flip_left_right(x: torch.Tensor) -> torch.Tensor:
    """Mirror a block [..., z, y, x] along its last axis."""
    return x.flip(-1)


def vary_intensity(hu: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Shift, scale and sometimes add noise to HU, mildly: phantoms vary widely already."""
    varied = hu * float(rng.normal(1, 0.04)) + float(rng.normal(0, 12))
    if rng.random() < 0.3:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        noise = torch.randn(hu.shape, generator=generator)
        varied = varied + noise * float(rng.uniform(3, 30))
    return varied
