"""Read the pixels of DICOM slices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from vertebra_core.dicom_header import SliceHeader
from vertebra_core.image_files import text_path


def read_pixels(headers: Sequence[SliceHeader]) -> np.ndarray:
    """Read slices, each with its own rescale.

    Parameters
    ----------
    headers : sequence of SliceHeader
        Of slices of one size.

    Returns
    -------
    ndarray, shape (z, y, x)
        In the order of the headers; the type holds the values of all slices.

    Raises
    ------
    RuntimeError
        If a file cannot be decoded.
    """
    by_path: dict[Path, list[int]] = defaultdict(list)
    for k, header in enumerate(headers):
        by_path[header.path].append(k)
    planes: list[np.ndarray | None] = [None] * len(headers)
    for path, places in by_path.items():
        with text_path(path) as readable:
            frames = sitk.GetArrayFromImage(sitk.ReadImage(str(readable), imageIO="GDCMImageIO"))
        for k in places:
            planes[k] = _rescaled(frames[headers[k].frame], headers[k])
    return np.stack(planes)


def _rescaled(plane: np.ndarray, header: SliceHeader) -> np.ndarray:
    if (header.scale, header.offset) != (1.0, 0.0):
        plane = plane * header.scale + header.offset
    return plane.astype(np.float32) if plane.dtype == np.float64 else plane
