"""A scanned phantom on disk, with its truth beside it."""

from __future__ import annotations

import errno
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import SimpleITK

from ..errors import InputError
from ..levels import level_numbered
from ..nifti_header import check_nifti
from ..volume import CtVolume
from ..whole_folder import whole_folder
from .painted_bodies import as_painted
from .scene import PhantomScene

_HEIGHTS = "height_anterior_mm", "height_middle_mm", "height_posterior_mm"


def write_case(
    folder: Path,
    scene: PhantomScene,
    ct: CtVolume,
    labels: np.ndarray,
    bodies: np.ndarray,
) -> None:
    """Write a scanned phantom: ct.nii.gz, labels.nii.gz, bodies.nii.gz and truth.json, or nothing.

    ``truth.json`` lists every vertebra whose centre lies in the scan as `PhantomVertebra` has it,
    heights as painted (see `painted_bodies`; null where a fusion hides them), with ``level_name``,
    ``center_lps_mm`` (x, y, z) and ``labelled_voxels`` added, and every lesion in the scan as
    `PhantomLesion` has it, with ``level_name`` and ``center_lps_mm``.

    Parameters
    ----------
    folder : Path
        Of the case; an earlier case in it is replaced.
    scene : PhantomScene
    ct : CtVolume
    labels, bodies : ndarray of uint8, shape (z, y, x)
        As `scan_case.scan` gives them.

    Raises
    ------
    OSError
        If a file cannot be written whole.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder, "ct.nii.gz") as place:
        for name, array in (("ct", ct.hu), ("labels", labels), ("bodies", bodies)):
            _write_image(place / f"{name}.nii.gz", array, ct)
        (place / "truth.json").write_text(json.dumps(_truth(scene, ct, labels), indent=1))


def _write_image(path: Path, array: np.ndarray, ct: CtVolume) -> None:
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(ct.spacing_xyz_mm)
    image.SetOrigin(ct.origin_lps_mm)
    image.SetDirection(ct.direction)
    try:
        SimpleITK.WriteImage(image, str(path), useCompression=True)
        # The library does not look whether the disk took all of it.
        check_nifti(path)
    except (RuntimeError, InputError) as error:
        raise OSError(errno.EIO, f"the disk did not take all of {path.name}") from error


def _truth(scene: PhantomScene, ct: CtVolume, labels: np.ndarray) -> dict:
    counts = np.bincount(labels.ravel(), minlength=128)
    low = np.asarray(ct.origin_lps_mm)
    high = low + (np.asarray(ct.hu.shape[::-1]) - 1) * np.asarray(ct.spacing_xyz_mm)

    def inside(things) -> list[dict]:
        """Those whose centres lie in the scan, with the level's name and the centre in LPS mm."""
        entries = []
        for thing in things:
            center = np.asarray(thing.center_zyx_mm)[::-1]
            if (center >= low).all() and (center <= high).all():
                name = level_numbered(thing.level).name
                place = {"level_name": name, "center_lps_mm": [float(c) for c in center]}
                entries.append(asdict(thing) | place)
        return entries

    vertebrae = inside(as_painted(scene, v) for v in scene.vertebrae)
    for entry in vertebrae:
        entry["labelled_voxels"] = int(counts[entry["level"]])
        for name in _HEIGHTS:
            entry[name] = entry[name] if math.isfinite(entry[name]) else None
    return {
        "seed": scene.seed,
        "spacing_xyz_mm": ct.spacing_xyz_mm,
        "vertebrae": vertebrae,
        "lesions": inside(scene.lesions),
    }
