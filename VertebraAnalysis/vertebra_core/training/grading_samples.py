"""Samples for the grade head: bodies of phantom scenes in their own frame, with their fractures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from ..grading.network import CROP_SHAPE_ZYX, CROP_SHIFT_Y_MM
from ..grading.norms import level_norm, why_not_graded
from ..grading.shape_names import SHAPE_NAMES
from ..levels import level_numbered
from ..phantom.appearance import Appearance
from ..phantom.painted_bodies import as_painted
from ..phantom.sampling import sample_scene
from ..phantom.scan_protocol import ScanProtocol
from ..phantom.scanner import render
from ..phantom.scene import PhantomScene, PhantomVertebra
from .bank import BankSource, random_matrix
from .segmentation_samples import occupancy
from .sources import Sample

FRACTURED_SHARE = 0.55
"""Share of samples that are fractured: patients have far fewer, but the head must see them."""

UNKNOWN = -100
"""Grade or shape of a sample that is not known; it carries no loss."""

_SPACING_MM = 1.0
_HEIGHT_SD_MM = 0.4
_REFERENCE_SD = 0.04
"""Errors of measured heights, and of the posterior height expected from the spine."""


class PhantomGradingSource(BankSource):
    """Bodies of the scenes in a bank.

    Each sample holds ``hu`` (float16, z, y, x along the body's axes), ``body`` and ``vertebra``
    (uint8, probability in 1/255), ``losses`` (float32, 3, as measured), ``grade`` and ``shape``
    (int64), and ``height_loss`` (float32, the true one; NaN where it is not known).

    Parameters
    ----------
    folder : Path
        Bank of scenes.
    validation : bool
        Use the scenes held aside.
    """

    def draw(self, name: str, rng: np.random.Generator) -> Sample:
        """Draw a body from the scene `name`."""
        scene = self._bank.load(name)
        vertebra = choose_body(scene, rng)
        if vertebra is None:
            return empty_sample()
        axes = np.asarray(vertebra.axes_zyx)
        variation = random_matrix(rng, 4.0, (0.88, 1.12), 0.03)
        matrix = axes.T @ variation
        shift = np.array([0.0, CROP_SHIFT_Y_MM, 0.0]) + rng.normal(0, 1.2, 3)
        centre = np.asarray(vertebra.center_zyx_mm) + matrix @ shift
        sampled = sample_scene(scene, centre, _SPACING_MM, CROP_SHAPE_ZYX, matrix, 0.0, rng)
        hu = render(
            sampled, (_SPACING_MM,) * 3, Appearance.random(rng), ScanProtocol.random(rng), rng
        )
        whole, body = occupancy(sampled, vertebra.level, _SPACING_MM)
        whole, body = as_segmented(whole, body, rng)
        losses, shape = _measured_losses(vertebra, rng), SHAPE_NAMES.index(vertebra.shape)
        loss = vertebra.height_loss
        return pack_grading(hu, body, whole, losses, vertebra.grade, shape, loss)


def gradable_bodies(scene) -> list:
    """Return the vertebrae of a scene that are graded and lie well inside it."""
    size = scene.size_mm
    return [
        v
        for v in scene.vertebrae
        if why_not_graded(level_numbered(v.level).name) is None
        and ((np.asarray(v.center_zyx_mm) > 14) & (np.asarray(v.center_zyx_mm) < size - 14)).all()
    ]


def choose_body(scene, rng: np.random.Generator):
    """Choose a gradable body, a fractured one more often than in life; None where there is none."""
    inside = gradable_bodies(scene)
    return as_seen(scene, inside[choose_index([v.grade for v in inside], rng)]) if inside else None


def as_seen(scene: PhantomScene, vertebra: PhantomVertebra) -> PhantomVertebra:
    """Return a fractured body with the loss and grade that can be seen where it was cut back.

    A sound one stays what it is, though neighbours have cut it back, and so does one that fusion
    hides.
    """
    if not vertebra.grade:
        return vertebra
    painted = as_painted(scene, vertebra)
    return painted if math.isfinite(painted.height_loss) else vertebra


def choose_index(grades: Sequence[int], rng: np.random.Generator) -> int:
    """Choose one of several bodies by their grades, a fractured one more often than in life."""
    among = np.arange(len(grades))
    fractured = among[np.asarray(grades) > 0]
    if len(fractured) and rng.random() < FRACTURED_SHARE:
        among = fractured
    return int(among[rng.integers(len(among))])


def _measured_losses(vertebra, rng: np.random.Generator) -> np.ndarray:
    """Height losses as morphometry would find them, with its errors."""
    norm = level_norm(level_numbered(vertebra.level).name)
    true = (
        vertebra.height_anterior_mm,
        vertebra.height_middle_mm,
        vertebra.height_posterior_mm,
    )
    anterior, middle, posterior = np.maximum(true + rng.normal(0, _HEIGHT_SD_MM, 3), 2.0)
    expected = vertebra.intact_heights_mm[2] * np.exp(rng.normal(0, _REFERENCE_SD))
    return np.array(
        [
            1 - anterior / posterior / norm.wedge_ratio,
            1 - middle / posterior / norm.biconcave_ratio,
            1 - posterior / expected,
        ],
        np.float32,
    )


def as_segmented(whole, body, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Make exact occupancy look like a network's probability: blurred, surfaces a little off."""
    width = int(rng.choice([1, 3, 3, 5]))
    gain, level = float(rng.uniform(1.5, 4)), float(rng.normal(0.5, 0.08))

    def seen(x: torch.Tensor) -> torch.Tensor:
        smooth = functional.avg_pool3d(x[None, None], width, 1, width // 2)[0, 0]
        return ((smooth - level) * gain + 0.5).clamp(0, 1)

    whole = seen(whole)
    return whole, torch.minimum(seen(body), whole)


def pack_grading(
    hu: torch.Tensor,
    body: torch.Tensor,
    vertebra: torch.Tensor,
    losses: np.ndarray,
    grade: int,
    shape: int,
    height_loss: float = math.nan,
) -> Sample:
    """Pack a body's crop, probabilities and truth into a sample as `PhantomGradingSource` has."""
    return {
        "hu": hu.clamp(-2000, 4000).to(torch.float16),
        "body": (body * 255).round().to(torch.uint8),
        "vertebra": (vertebra * 255).round().to(torch.uint8),
        "losses": torch.from_numpy(losses.astype(np.float32)),
        "grade": torch.tensor(grade),
        "shape": torch.tensor(shape),
        "height_loss": torch.tensor(height_loss, dtype=torch.float32),
    }


def empty_sample() -> Sample:
    """A sample that carries no loss, for a scene without a gradable body."""
    blank = torch.zeros(CROP_SHAPE_ZYX, dtype=torch.uint8)
    return {
        "hu": torch.zeros(CROP_SHAPE_ZYX, dtype=torch.float16),
        "body": blank,
        "vertebra": blank.clone(),
        "losses": torch.zeros(3),
        "grade": torch.tensor(UNKNOWN),
        "shape": torch.tensor(UNKNOWN),
        "height_loss": torch.tensor(math.nan),
    }
