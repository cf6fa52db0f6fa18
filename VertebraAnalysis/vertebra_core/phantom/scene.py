"""A phantom scene: the anatomy of one synthetic patient with its truth, before any scanner."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError

SDF_STEPS_PER_MM = 8
SDF_ZERO = 128


def largest_height_loss(heights: Sequence[float], intact: Sequence[float]) -> float:
    """Largest loss among heights, as a fraction of what they were; any unit."""
    return max(1 - now / was for now, was in zip(heights, intact, strict=True))


@dataclass(frozen=True)
class PhantomVertebra:
    """Truth of one vertebra. Positions are mm in the scene's frame, in z, y, x order.

    Attributes
    ----------
    level : int
        VerSe number.
    center_zyx_mm : tuple of float
        Centre of the vertebral body.
    axes_zyx : tuple of tuple of float
        Rows: unit vectors of the body's own up, back and left axes, each in z, y, x order.
    height_anterior_mm, height_middle_mm, height_posterior_mm : float
        Heights of the body as it is (after any fracture).
    intact_heights_mm : tuple of float
        Anterior, middle and posterior height before the fracture.
    width_mm, depth_mm : float
        Width and depth of the body.
    grade : int
        Genant grade 0-3.
    shape : str
        ``"normal"``, ``"wedge"``, ``"biconcave"`` or ``"crush"``.
    trabecular_hu : float
        Mean trabecular density that a noiseless scan without contrast would show.
    endplate_losses : tuple of float
        Share of the intact height by which the superior and the inferior endplate sank where the
        fracture is deepest; NaN in scenes of versions that did not state it.
    """

    level: int
    center_zyx_mm: tuple[float, float, float]
    axes_zyx: tuple[tuple[float, float, float], ...]
    height_anterior_mm: float
    height_middle_mm: float
    height_posterior_mm: float
    intact_heights_mm: tuple[float, float, float]
    width_mm: float
    depth_mm: float
    grade: int
    shape: str
    trabecular_hu: float
    endplate_losses: tuple[float, float] = (math.nan, math.nan)

    @property
    def height_loss(self) -> float:
        """Largest loss of the three heights as a fraction of the intact ones: what is graded."""
        heights = self.height_anterior_mm, self.height_middle_mm, self.height_posterior_mm
        return largest_height_loss(heights, self.intact_heights_mm)


@dataclass(frozen=True)
class PhantomLesion:
    """Truth of one lesion; positions are mm in the scene's frame, z, y, x.

    Attributes
    ----------
    kind : str
        ``"lytic"`` or ``"sclerotic"``.
    level : int
        VerSe number of the vertebra it lies in.
    center_zyx_mm : tuple of float
    radii_zyx_mm : tuple of float
        Half axes along the scene's axes.
    hu : float
        Density inside.
    waviness : float
        How uneven its surface is, as a share of the radii.
    phases : tuple of float
        Where the waves of the surface begin, per axis.
    """

    kind: str
    level: int
    center_zyx_mm: tuple[float, float, float]
    radii_zyx_mm: tuple[float, float, float]
    hu: float
    waviness: float
    phases: tuple[float, float, float]


@dataclass(frozen=True)
class PhantomScene:
    """Anatomy on an isotropic grid; index axes z (to the head), y (to the back), x (to the left).

    Attributes
    ----------
    spacing_mm : float
        Voxel size.
    labels : ndarray of uint8, shape (z, y, x)
        `codes.Bone` or VerSe number, with `codes.BODY_BIT`; reaches 2 mm beyond bone surfaces.
    bone_sdf : ndarray of uint8, shape (z, y, x)
        Signed distance to the nearest bone surface, negative inside: (value - 128) / 8 mm.
    tissue : ndarray of uint8, shape (z, y, x)
        `codes.Tissue`.
    vertebrae : tuple of PhantomVertebra
        Head to foot; the centres may lie outside the grid.
    seed : int
    lesions : tuple of PhantomLesion
    """

    spacing_mm: float
    labels: np.ndarray
    bone_sdf: np.ndarray
    tissue: np.ndarray
    vertebrae: tuple[PhantomVertebra, ...]
    seed: int
    lesions: tuple[PhantomLesion, ...] = ()

    @property
    def size_mm(self) -> np.ndarray:
        """Extent of the grid along z, y, x in mm (from the first voxel centre to the last)."""
        return (np.asarray(self.labels.shape) - 1) * self.spacing_mm


def encode_sdf(distance_mm: np.ndarray) -> np.ndarray:
    """Quantise signed distances (mm) to uint8, 1/8 mm a step, clipped to about +-16 mm."""
    scaled = np.rint(distance_mm * SDF_STEPS_PER_MM) + SDF_ZERO
    return np.clip(scaled, 0, 255).astype(np.uint8)


def save_scene(scene: PhantomScene, path: Path, made: Mapping[str, object] | None = None) -> None:
    """Write labels, sdf and tissue as ``path`` (.npy) and the truth beside it (.json).

    `made` notes what the scene was made with (`scene_note.made_with`).
    """
    path = Path(path)
    truth = {
        "spacing_mm": scene.spacing_mm,
        "seed": scene.seed,
        "vertebrae": [asdict(v) for v in scene.vertebrae],
        "lesions": [asdict(lesion) for lesion in scene.lesions],
        **({"made": dict(made)} if made else {}),
    }
    temporary = path.with_suffix(".tmp.npy")
    np.save(temporary, np.stack([scene.labels, scene.bone_sdf, scene.tissue]))
    path.with_suffix(".json").write_text(json.dumps(truth))
    temporary.replace(path)


def load_scene(path: Path) -> PhantomScene:
    """Read a scene written by `save_scene`; the arrays stay memory-mapped.

    Raises
    ------
    InputError
        ``scene_damaged``.
    """
    try:
        return _load(Path(path))
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            "scene_damaged",
            f"The scene {path} is damaged or cannot be read.",
            "Delete it, or make it anew.",
        ) from error


def _load(path: Path) -> PhantomScene:
    truth = json.loads(path.with_suffix(".json").read_text())
    arrays = np.load(path, mmap_mode="r", allow_pickle=False)
    vertebrae = tuple(
        PhantomVertebra(
            **{k: _tuple(v) for k, v in entry.items()},
        )
        for entry in truth["vertebrae"]
    )
    # Banks of earlier versions know no lesions.
    lesions = tuple(
        PhantomLesion(**{k: _tuple(v) for k, v in entry.items()})
        for entry in truth.get("lesions", ())
    )
    return PhantomScene(
        truth["spacing_mm"], arrays[0], arrays[1], arrays[2], vertebrae, truth["seed"], lesions
    )


def _tuple(value):
    return tuple(_tuple(v) for v in value) if isinstance(value, list) else value
