"""Small folders of CTs with label maps, as a VerSe download or a hospital's own labels look."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

SPACING_XYZ = (1.5, 1.25, 2.0)
SIZE_XYZ = (50, 60, 48)
CENTERS_LPS = {20: (1.0, -6.0, 74.0), 21: (2.0, -4.0, 46.0), 22: (1.0, -6.0, 18.0)}


def images(directions: str, numbers: dict[int, int] | None = None) -> tuple[sitk.Image, ...]:
    """CT, vertebrae and bodies of three boxes with arches, in the axes `directions` name.

    `numbers` maps the numbers of `CENTERS_LPS` to others.
    """
    labels = np.zeros(SIZE_XYZ[::-1], np.uint8)
    bodies = labels.copy()
    reference = placed(labels)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in SIZE_XYZ], indexing="ij"), -1)
    world = index * SPACING_XYZ + reference.GetOrigin()
    for number, center in CENTERS_LPS.items():
        number = (numbers or {}).get(number, number)
        x, y, z = np.moveaxis(world - center, -1, 0)
        body = (abs(x) < 16) & (abs(y) < 12) & (abs(z) < 10)
        arch = (abs(x) < 6) & (y >= 12) & (y < 34) & (abs(z) < 6)
        labels[(body | arch).T] = number
        bodies[body.T] = number
    # Muscle, fat around it, air in front: what a CT must show to be taken for one.
    hu = np.where(labels > 0, 450, 45)
    hu[:, :12] = hu[:, -4:] = -100
    hu[:, :6] = -1000
    hu = hu + np.random.default_rng(0).normal(0, 12, labels.shape)
    hu = np.rint(hu).astype(np.int16)
    oriented = sitk.DICOMOrientImageFilter()
    oriented.SetDesiredCoordinateOrientation(directions)
    return tuple(oriented.Execute(placed(a)) for a in (hu, labels, bodies))


def placed(array: np.ndarray) -> sitk.Image:
    """Make an image of `array` on the grid of these folders."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING_XYZ)
    image.SetOrigin((-36.0, -40.0, 0.0))
    return image


def write_verse_subject(root: Path, subject: str, numbers: dict[int, int] | None = None) -> None:
    """Write a subject as VerSe has them, stored in RAS axes, with its centroid file."""
    ct, labels, _ = images("RAS", numbers)
    raw, derived = root / "rawdata" / subject, root / "derivatives" / subject
    raw.mkdir(parents=True)
    derived.mkdir(parents=True)
    sitk.WriteImage(ct, raw / f"{subject}_ct.nii.gz")
    sitk.WriteImage(labels, derived / f"{subject}_seg-vert_msk.nii.gz")
    entries: list[dict] = [{"direction": ["R", "A", "S"]}]
    for number, center in CENTERS_LPS.items():
        x, y, z = labels.TransformPhysicalPointToContinuousIndex(center)
        entries.append({"label": (numbers or {}).get(number, number), "X": x, "Y": y, "Z": z})
    (derived / f"{subject}_seg-subreg_ctd.json").write_text(json.dumps(entries))


def write_plain_case(root: Path, name: str) -> None:
    """Write a CT beside label maps of vertebrae and bodies, stored in LPS axes."""
    for role, image in zip(("ct", "labels", "bodies"), images("LPS"), strict=True):
        sitk.WriteImage(image, root / f"{name}_{role}.nii.gz")


def painted_ct(mask: sitk.Image) -> sitk.Image:
    """Paint a CT on a mask of real vertebrae, whose own CT is not public."""
    labels = sitk.GetArrayFromImage(mask)
    hu = np.random.default_rng(0).normal(0, 12, labels.shape) + np.where(labels > 0, 400, 40)
    # Fat and air as well: what a CT must show to be taken for one.
    edge = labels.shape[0] // 8
    hu[: 2 * edge][labels[: 2 * edge] == 0] -= 140
    hu[:edge][labels[:edge] == 0] = -1000
    ct = sitk.GetImageFromArray(np.rint(hu).astype(np.int16))
    ct.CopyInformation(mask)
    return ct
