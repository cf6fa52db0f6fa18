"""The one normalisation of Hounsfield units that every network is trained and run with."""

from __future__ import annotations

import numpy as np
import torch

LOWEST_HU = -300.0
HIGHEST_HU = 1300.0
CENTER_HU = 150.0
SCALE_HU = 400.0


def normalise_hu(hu: torch.Tensor) -> torch.Tensor:
    """Clip HU to bone and soft tissue and scale it to about unit variance, as float32."""
    return (hu.to(torch.float32).clamp(LOWEST_HU, HIGHEST_HU) - CENTER_HU) / SCALE_HU


def normalise_hu_array(hu: np.ndarray) -> np.ndarray:
    """Do what `normalise_hu` does, for NumPy arrays."""
    clipped = np.clip(np.asarray(hu, np.float32), LOWEST_HU, HIGHEST_HU)
    return (clipped - np.float32(CENTER_HU)) / np.float32(SCALE_HU)


BONE = float(normalise_hu_array(np.float32(120.0)))
"""Normalised value of 120 HU: what is denser may be bone."""

AIR = (LOWEST_HU - CENTER_HU) / SCALE_HU
"""Normalised value of air, and of everything outside the volume."""
