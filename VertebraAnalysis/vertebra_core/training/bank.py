"""A folder of phantom scenes as it grows while training runs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..phantom.scene import PhantomScene, load_scene

HELD_ASIDE_EVERY = 20
"""One scene in this many (by seed) validates and is never trained on."""

ROTATION_DEG, STRONG_ROTATION_DEG = 9.0, 18.0
STRONG_ROTATION_SHARE = 0.25
"""Standard deviations of the rotation about each axis, and the share of samples with the larger
one: a neck that leans by 45 degrees leans by 55 when the patient lies askew."""


def is_held_aside(name: str) -> bool:
    """Tell whether the scene file called `name` is kept for validation."""
    digits = "".join(c for c in Path(name).stem if c.isdigit())
    return int(digits or 0) % HELD_ASIDE_EVERY == HELD_ASIDE_EVERY - 1


def scene_files(folder: Path) -> list[Path]:
    """Return the scenes of a bank, sorted; files still being written are left out."""
    return sorted(p for p in Path(folder).glob("*.npy") if ".tmp" not in p.name)


def check_bank(folder: Path) -> None:
    """Refuse a folder that is no bank of scenes.

    Raises
    ------
    InputError
        ``no_scenes``.
    """
    if not scene_files(folder):
        raise no_scenes(folder)


def no_scenes(folder: Path) -> InputError:
    """Return the error that tells why there is no scene to use in `folder`."""
    message = f"There is no folder {folder}."
    if Path(folder).is_dir():
        message = f"The folder {folder} holds no scenes."
    if scene_files(folder):
        message = f"The only scenes in {folder} are kept for validation."
    return InputError("no_scenes", message, f"Make some with `phantom -o {folder} --bank`.")


class SceneBank:
    """The scenes of a folder that are complete by now.

    Parameters
    ----------
    folder : Path
        Filled by `phantom.scene.save_scene`, possibly still at it.
    validation : bool
        Only the scenes kept for validation, instead of only the others.
    """

    def __init__(self, folder: Path, validation: bool = False) -> None:
        self.folder = Path(folder)
        self.validation = validation

    def names(self) -> list[str]:
        """Return the file names of the scenes, sorted."""
        found = (path.name for path in scene_files(self.folder))
        return [n for n in found if is_held_aside(n) == self.validation]

    def load(self, name: str) -> PhantomScene:
        """Return the scene called `name`; its arrays are memory-mapped."""
        return _load(self.folder / name)


class BankSource:
    """A `SampleSource` on the scenes of a bank; what is drawn from a scene is up to subclasses.

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

    def no_case(self) -> InputError:
        """Return the error that tells that there is no scene."""
        return no_scenes(self._bank.folder)


@lru_cache(maxsize=64)
def _load(path: Path) -> PhantomScene:
    return load_scene(path)


def rotation_deg(rng: np.random.Generator) -> float:
    """Draw the standard deviation of a sample's rotation for `random_matrix`."""
    return STRONG_ROTATION_DEG if rng.random() < STRONG_ROTATION_SHARE else ROTATION_DEG


def random_matrix(
    rng: np.random.Generator,
    rotation_deg: float,
    scale: tuple[float, float],
    anisotropy: float = 0.06,
) -> np.ndarray:
    """Draw rotation, scale and left-right flip.

    Parameters
    ----------
    rng : numpy.random.Generator
    rotation_deg : float
        Standard deviation of the rotation about each axis.
    scale : tuple of float
        Range of the size of the anatomy in the sample (above 1: larger), drawn evenly.
    anisotropy : float
        Largest relative difference of the scale between axes.

    Returns
    -------
    ndarray, shape (3, 3)
        Maps offsets (z, y, x, mm) in the sample to offsets in the scene.
    """
    a, b, c = np.deg2rad(rng.normal(0, rotation_deg, 3))
    about_z = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_x = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    sizes = rng.uniform(*scale) * rng.uniform(1 - anisotropy, 1 + anisotropy, 3)
    flip = np.array([1.0, 1.0, -1.0 if rng.random() < 0.5 else 1.0])
    return about_z @ about_y @ about_x @ np.diag(flip / sizes)


def offsets_in_block(
    points_zyx: np.ndarray, middle_zyx: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
    """Return where points of a scene or scan lie in a sample, as offsets from its middle.

    Parameters
    ----------
    points_zyx : array_like, shape (..., 3)
    middle_zyx : array_like, shape (3,)
        What the middle of the sample falls on, in the same unit (mm or voxels).
    matrix : ndarray, shape (3, 3)
        Of the sample, see `random_matrix`.

    Returns
    -------
    ndarray, shape (..., 3)
        In the same unit.
    """
    return (np.asarray(points_zyx) - middle_zyx) @ np.linalg.inv(matrix).T


def scale_of(matrix: np.ndarray) -> float:
    """Mean size of the anatomy in the sample that `random_matrix` drew (above 1: larger)."""
    return float(abs(np.linalg.det(matrix)) ** (-1 / 3))
