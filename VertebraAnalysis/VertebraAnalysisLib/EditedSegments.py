"""Which masks were edited since their vertebrae were measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from .LabelmapImage import voxelsOf
from .ResultSet import segmentIdsByKey
from .ReviewSession import ReviewSession

_TAG = "VertebraAnalysis.EditedSinceMeasured"
_BINARY = "Binary labelmap"
_SETTLE_MS = 200


class EditedSegments(VTKObservationMixin):
    """Notices edits of the vertebrae's segments, and keeps in the scene which they are.

    Parameters
    ----------
    session : ReviewSession
        What it writes itself is no edit.
    onEdited : callable
        (keys) after an edit.
    """

    def __init__(self, session: ReviewSession, onEdited: Callable[[set[str]], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._session, self._onEdited = session, onEdited
        self._node: Any = None
        self._sizes: dict[str, int] = {}
        self._touched: set[str] = set()
        # Brush strokes come in quick succession.
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.connect("timeout()", self._settle)

    @property
    def keys(self) -> set[str]:
        """Keys of the vertebrae whose masks were edited."""
        return {key for key, segment in self._segments().items() if segment.HasTag(_TAG)}

    def isEdited(self, key: str) -> bool:
        """Tell whether a mask was edited, the last brush stroke included."""
        if self._timer.isActive():
            self._timer.stop()
            self._settle()
        return key in self.keys

    def follow(self) -> None:
        """Watch the segments of the results that are open now."""
        self.cleanup()
        results = self._session.resultSet
        self._node = results.segmentationNode if results is not None else None
        self._sizes = self._countVoxels()
        if self._node is not None:
            event = slicer.vtkSegmentation.SourceRepresentationModified
            self.addObserver(self._node.GetSegmentation(), event, self._onModified)

    def mark(self, keys: Iterable[str]) -> None:
        """Remember that masks were edited."""
        for key, segment in self._segments().items():
            if key in keys:
                segment.SetTag(_TAG, "1")

    def unmark(self, keys: Iterable[str]) -> None:
        """Forget edits: the vertebrae have been measured again."""
        for key, segment in self._segments().items():
            if key in keys:
                segment.RemoveTag(_TAG)

    def cleanup(self) -> None:
        """Stop watching."""
        self._timer.stop()
        self._touched.clear()
        self.removeObservers()
        self._node = None

    @vtk.calldata_type(vtk.VTK_STRING)
    def _onModified(self, _segmentation: Any, _event: Any, segmentId: str | None = None) -> None:
        if self._session.busy:
            return
        keys = {own: key for key, own in segmentIdsByKey(self._node).items()}
        self._touched |= {keys[segmentId]} if segmentId in keys else set()
        self._timer.start()

    def _settle(self) -> None:
        # An edit takes voxels from neighbours in the same layer, of which Slicer says nothing.
        before, self._sizes = self._sizes, self._countVoxels()
        edited = {key for key, size in self._sizes.items() if size != before.get(key, size)}
        edited |= self._touched
        self._touched = set()
        if edited:
            self.mark(edited)
            self._onEdited(edited)

    def _segments(self) -> dict[str, Any]:
        if self._node is None or self._node.GetScene() is None:
            return {}
        segmentation = self._node.GetSegmentation()
        ids = segmentIdsByKey(self._node)
        return {key: segmentation.GetSegment(segmentId) for key, segmentId in ids.items()}

    def _countVoxels(self) -> dict[str, int]:
        counts: dict[Any, np.ndarray] = {}
        sizes = {}
        for key, segment in self._segments().items():
            layer = segment.GetRepresentation(_BINARY)
            if layer is None:
                continue
            if layer not in counts:
                voxels = voxelsOf(layer)
                counts[layer] = np.bincount(() if voxels is None else voxels.ravel(), minlength=256)
            value = segment.GetLabelValue()
            sizes[key] = int(counts[layer][value]) if value < len(counts[layer]) else 0
        return sizes
