"""Writes a vertebra that the analysis missed into the nodes of a result set, and takes it out."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from .HeightLinesWriter import HeightLinesWriter
from .MarkupsWriter import MarkupsWriter
from .SegmentationWriter import SegmentationWriter

if TYPE_CHECKING:
    from .ResultSet import ResultSet
    from .ReviewedVertebra import ReviewedVertebra
    from .SegmentShape import SegmentShape


class AddedVertebraWriter:
    """What an added vertebra has of its own; nodes that the user deleted stay deleted."""

    @staticmethod
    def write(
        resultSet: ResultSet,
        vertebra: ReviewedVertebra,
        shape: SegmentShape,
        body: SegmentShape | None,
        above: Collection[str],
    ) -> None:
        """Add its segments and its point.

        Parameters
        ----------
        resultSet : ResultSet
        vertebra : ReviewedVertebra
        shape : SegmentShape
            Of the vertebra.
        body : SegmentShape or None
            Of its body.
        above : collection of str
            Keys of the vertebrae above it.
        """
        segmentations = ((resultSet.segmentationNode, shape), (resultSet.bodiesNode, body))
        for node, own in segmentations:
            if node is not None and own is not None:
                SegmentationWriter.add(node, vertebra, own, above)
        if resultSet.centersNode is not None:
            MarkupsWriter.add(resultSet.centersNode, vertebra)

    @staticmethod
    def remove(resultSet: ResultSet, keys: Collection[str]) -> None:
        """Take all that vertebrae have of their own out of the scene, as far as it is there."""
        if not keys:
            return
        for node in (resultSet.segmentationNode, resultSet.bodiesNode):
            SegmentationWriter.remove(node, keys)
        MarkupsWriter.remove(resultSet.centersNode, keys)
        HeightLinesWriter.remove(resultSet, keys)
