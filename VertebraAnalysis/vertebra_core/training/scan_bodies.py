"""The bodies of a labelled scan, measured as grading measures them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..analysis import Vertebra
from ..evaluation.records import TrueVertebra
from ..grading.opinions import BodyOpinions, BodyToGrade, body_opinions
from ..label_masks import LabelledMask, masks_of_labels
from ..volume import CtVolume, LabelVolume


@dataclass(frozen=True)
class ScanBody:
    """A measured body of a labelled scan.

    Attributes
    ----------
    number : int
        VerSe number.
    center_zyx : tuple of float
        Centre of the body's frame, voxels of the working grid.
    axes_zyx : tuple of tuple of float
        Rows: unit vectors up, back and left, in z, y, x.
    losses : tuple of float
        Height losses by morphometry: wedge, biconcave, crush.
    grade : int or None
        As the reader who made the truth file says.
    shape : str or None
        Likewise.
    """

    number: int
    center_zyx: tuple[float, float, float]
    axes_zyx: tuple[tuple[float, float, float], ...]
    losses: tuple[float, float, float]
    grade: int | None = None
    shape: str | None = None


def bodies_of_scan(
    labels: LabelVolume,
    bodies: LabelVolume | None,
    grid: CtVolume,
    truth: tuple[TrueVertebra, ...],
) -> tuple[np.ndarray, tuple[ScanBody, ...]]:
    """Cut out bodies, where they are not drawn, and measure them.

    Vertebrae that the edge of the scan cuts are passed over.

    Parameters
    ----------
    labels : LabelVolume
        VerSe numbers.
    bodies : LabelVolume or None
        Bodies with the same numbers on the same grid.
    grid : CtVolume
        Working grid of 1 mm.
    truth : tuple of TrueVertebra
        What is known besides.

    Returns
    -------
    map : ndarray of int16, shape (z, y, x)
        Numbers of the bodies, on `grid`.
    bodies : tuple of ScanBody
        Those that are graded and could be measured, head to foot.
    """
    masks, _ = masks_of_labels(
        labels, bodies, grid.origin_lps_mm, lambda fraction: None, lambda: False
    )
    whole = [m for m in masks if not m.touches_edge and not m.why_no_body]
    drawn = np.zeros(grid.hu.shape, np.int16)
    for mask in whole:
        _paste(drawn, mask)
    named = [
        BodyToGrade(
            Vertebra(m.level.name, 1.0, None, m.center_lps_mm),
            np.asarray(m.mask.body, np.float32),
            np.asarray(m.mask.vertebra, np.float32),
            m.mask.origin_lps_mm,
            voxel_mm=float(max(labels.spacing_xyz_mm)),
        )
        for m in whole
    ]
    known = {v.level: v for v in truth}
    return drawn, tuple(
        _scan_body(mask, found, known.get(mask.level.name))
        for mask, found in zip(whole, body_opinions(named), strict=True)
        if not found.why_not
    )


def _paste(drawn: np.ndarray, mask: LabelledMask) -> None:
    body = np.asarray(mask.mask.body) > 0.5
    inner, outer = [], []
    for start, size, n in zip(mask.mask.origin_index_zyx, body.shape, drawn.shape, strict=True):
        low, high = max(0, start), max(0, min(n, start + size))
        outer.append(slice(low, max(low, high)))
        inner.append(slice(low - start, max(low, high) - start))
    drawn[tuple(outer)][body[tuple(inner)]] = mask.level.number


def _scan_body(mask: LabelledMask, found: BodyOpinions, known: TrueVertebra | None) -> ScanBody:
    frame, loss = found.frame, found.morphometry.loss
    # Voxels and millimetres are the same on this grid.
    center = np.add(mask.mask.origin_index_zyx, frame.center_zyx_mm)
    return ScanBody(
        mask.level.number,
        tuple(center.tolist()),
        frame.axes_zyx,
        (float(loss.wedge), float(loss.biconcave), float(loss.crush)),
        known.grade if known else None,
        known.shape if known else None,
    )
