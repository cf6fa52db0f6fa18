"""Pictures of a CT with label contours, for looking at predictions.

Run as ``python -m vertebra_core.evaluation.pictures CT LABELS OUT.png``.
"""

from __future__ import annotations

import argparse
import struct
import zlib
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..levels import LEVELS
from ..volume import CtVolume, LabelVolume, resample_labels, resample_to_working_grid

WINDOW_HU = (-250.0, 650.0)
GAP_PIXELS = 6
AXIAL_REACH_MM = 80.0


def spine_picture(
    ct: CtVolume, labels: LabelVolume, n_axial: int = 6, spacing_mm: float = 1.0
) -> np.ndarray:
    """Draw curved sagittal and coronal views through the labelled vertebrae, and axial slices.

    Parameters
    ----------
    ct : CtVolume
    labels : LabelVolume
        VerSe numbers, on any grid.
    n_axial : int
        Axial slices, spread over the labelled vertebrae.
    spacing_mm : float
        Pixel size of the picture.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    grid = resample_to_working_grid(ct, spacing_mm)
    names = resample_labels(labels, grid).labels
    path_y, path_x = spine_path(names)
    z = np.arange(grid.hu.shape[0])
    x, y = np.arange(grid.hu.shape[2]), np.arange(grid.hu.shape[1])
    views = [
        # Head up; front to the left in the sagittal view, patient's right to the left in others.
        _view(grid.hu[z[:, None], y[None], path_x[:, None]][::-1],
              names[z[:, None], y[None], path_x[:, None]][::-1]),
        _view(grid.hu[z[:, None], path_y[:, None], x[None]][::-1],
              names[z[:, None], path_y[:, None], x[None]][::-1]),
    ]  # fmt: skip
    present = [v.number for v in LEVELS if (names == v.number).any()]
    chosen = [present[k] for k in np.unique(np.linspace(0, len(present) - 1, n_axial).astype(int))]
    axial = []
    for number in chosen if present else []:
        where = np.argwhere(names == number)
        k, *centre = (round(float(c)) for c in where.mean(0))
        reach = round(AXIAL_REACH_MM / spacing_mm)
        around = tuple(slice(max(0, c - reach), c + reach) for c in centre)
        axial.append(_view(grid.hu[k][around], names[k][around]))
    return _side_by_side([*views, *_columns(axial, views[0].shape[0])])


def spine_path(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for every slice the y and x index of the spine: through the labels' bulk, smoothed.

    The y index leans to the front of each vertebra, where the body lies.
    """
    n = labels.shape[0]
    heights, ys, xs = [], [], []
    for box, number in zip(ndimage.find_objects(labels), range(1, 256), strict=False):
        if box is None:
            continue
        where = np.argwhere(labels[box] == number) + [s.start for s in box]
        heights.append(where[:, 0].mean())
        # A third of a vertebra's voxels, the foremost, belong to its body.
        ys.append(np.percentile(where[:, 1], 30))
        xs.append(where[:, 2].mean())
    if not heights:
        return np.full(n, labels.shape[1] // 2), np.full(n, labels.shape[2] // 2)
    order = np.argsort(heights)
    z = np.arange(n)
    return tuple(
        np.rint(np.interp(z, np.array(heights)[order], np.array(values)[order])).astype(int)
        for values in (ys, xs)
    )


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an RGB image, uint8 of shape (height, width, 3), as PNG."""
    height, width, _ = image.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = image.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    Path(path).write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def _view(hu: np.ndarray, labels: np.ndarray) -> np.ndarray:
    low, high = WINDOW_HU
    gray = (np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    rgb = np.repeat(gray[..., None], 3, axis=-1)
    inner = ndimage.minimum_filter(labels, size=3) == ndimage.maximum_filter(labels, size=3)
    for level in LEVELS:
        rgb[(labels == level.number) & ~inner] = level.color_rgb
    return rgb


def _columns(images: list[np.ndarray], height: int) -> list[np.ndarray]:
    """Stack images into columns no higher than `height` (or than one image)."""
    columns: list[list[np.ndarray]] = []
    for image in images:
        used = sum(i.shape[0] + GAP_PIXELS for i in columns[-1]) if columns else 0
        if columns and used + image.shape[0] <= height:
            columns[-1].append(image)
        else:
            columns.append([image])
    return [_side_by_side([i.transpose(1, 0, 2) for i in c]).transpose(1, 0, 2) for c in columns]


def _side_by_side(images: list[np.ndarray]) -> np.ndarray:
    height = max(i.shape[0] for i in images)
    width = sum(i.shape[1] for i in images) + GAP_PIXELS * (len(images) - 1)
    canvas = np.zeros((height, width, 3), np.uint8)
    left = 0
    for image in images:
        canvas[: image.shape[0], left : left + image.shape[1]] = image
        left += image.shape[1] + GAP_PIXELS
    return canvas


def main() -> int:
    """Entry point."""
    from ..label_numbers import AUTO, SCHEMES, to_verse_numbers
    from ..reading import read_ct, read_label_map

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ct", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--numbers", choices=SCHEMES, default=AUTO)
    parser.add_argument("--axial", type=int, default=6, help="number of axial slices")
    parser.add_argument("--spacing", type=float, default=1.0, help="pixel size in mm")
    args = parser.parse_args()
    labels = read_label_map(args.labels)
    numbered = LabelVolume(
        to_verse_numbers(labels.labels, args.numbers),
        labels.spacing_xyz_mm,
        labels.origin_lps_mm,
        labels.direction,
    )
    write_png(args.out, spine_picture(read_ct(args.ct), numbered, args.axial, args.spacing))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
