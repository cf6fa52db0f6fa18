"""Where what is known of a segmented scan ends: at the edge of the CT, or of its label map."""

from __future__ import annotations

import numpy as np

from .field_of_view import points_at_edge
from .segmentation.segment import VertebraMask
from .volume import CtVolume, LabelVolume

SCAN, LABEL_MAP = "scan", "label map"


class ScanEdges:
    """The edges that may cut a vertebra of a given segmentation.

    Parameters
    ----------
    ct : CtVolume or None
    labels : LabelVolume
        On the grid that it came on, which may end within the CT: nobody segmented what lies beyond.
    """

    def __init__(self, ct: CtVolume | None, labels: LabelVolume) -> None:
        self._ct, self._labels = ct, labels
        faces = (np.take(labels.labels, (0, -1), axis) for axis in range(3))
        self._at_faces = set(np.unique(np.concatenate([f.ravel() for f in faces])).tolist())

    def cutting(self, probability: np.ndarray, mask: VertebraMask, number: int) -> str:
        """Return what cuts a structure: `SCAN`, `LABEL_MAP`, or nothing.

        Parameters
        ----------
        probability : ndarray, shape (z, y, x)
            `mask.vertebra` or `mask.body`.
        mask : VertebraMask
        number : int
            Label of the vertebra.
        """
        return self.cuts(probability, mask, number)[0]

    def cuts(
        self, probability: np.ndarray, mask: VertebraMask, number: int
    ) -> tuple[str, np.ndarray]:
        """Return the same, and where it cuts, LPS mm, shape (n, 3)."""
        nowhere = np.empty((0, 3))
        by_scan, by_map = nowhere, nowhere
        if self._ct is not None:
            by_scan = points_at_edge(probability, mask, self._ct)
        # A label map may be cropped close around what was segmented whole.
        if number in self._at_faces:
            by_map = points_at_edge(probability, mask, self._labels)
        name = SCAN if len(by_scan) else LABEL_MAP if len(by_map) else ""
        return name, np.concatenate([by_scan, by_map])
