"""Writes what an analysis left in a folder into the scene, and keeps it in step with the review."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertebra_core.output.scene_keys import INPUT_ROLE, RESULT_SET_ATTRIBUTE

from .AddedVertebraWriter import AddedVertebraWriter
from .HeightLinesWriter import HeightLinesWriter
from .InputPlace import noteInputPlace, requireInputInPlace
from .LabelMapFile import LabelMapFile
from .MarkupsWriter import MarkupsWriter
from .ResultFiles import readResults
from .ResultSet import ResultSet
from .ResultVisibility import hide, showOnly
from .SegmentationWriter import SegmentationWriter
from .SegmentShape import SegmentShape
from .SubjectHierarchy import SubjectHierarchy
from .TableWriter import TableWriter
from .UserError import UserError

if TYPE_CHECKING:
    from .AddVertebra import MissedVertebra
    from .Review import Review

_ANALYSIS = "vertebra analysis"


class SceneWriter:
    """The way of results into the scene.

    Results are in world coordinates: the analysis is given the CT as it stands in the world, with
    the transform above it applied.
    """

    def write(
        self, resultFolder: Path | str, inputNode: Any, replace: ResultSet | None = None
    ) -> ResultSet:
        """Write everything, or nothing.

        Parameters
        ----------
        resultFolder : Path or str
            With ``analysis.json``, ``labels.nii.gz`` and ``bodies.nii.gz``.
        inputNode : vtkMRMLScalarVolumeNode
            The CT that was analysed.
        replace : ResultSet, optional
            Removed once the new results are there.

        Returns
        -------
        ResultSet

        Raises
        ------
        UserError
            If a file is missing or unreadable, or the CT is not in a scene any more. The scene is
            then as it was.
        """
        scene = inputNode.GetScene() if inputNode is not None else None
        if scene is None:
            raise UserError("The CT is no longer in the scene.", "Load it and run again.")
        text, review, labels, bodies = readResults(Path(resultFolder), inputNode)
        name = _freeName(f"{inputNode.GetName()} {_ANALYSIS}", inputNode, replace)
        scene.StartState(scene.BatchProcessState)
        try:
            writing = _Writing(scene, inputNode, name)
            try:
                resultSet = writing.run(text, review, labels, bodies)
            except BaseException:
                writing.takeBack()
                raise
            if replace is not None and replace.exists:
                replace.remove()
        finally:
            scene.EndState(scene.BatchProcessState)
        return resultSet

    def update(
        self, resultSet: ResultSet, review: Review, changedKeys: Iterable[str] | None = None
    ) -> None:
        """Make all nodes of a result set follow the review, and keep the review in the scene.

        Nodes that the user deleted stay deleted.

        Parameters
        ----------
        resultSet : ResultSet
        review : Review
        changedKeys : iterable of str, optional
            Keys of the vertebrae that are different; all by default.
        """
        if not resultSet.exists:
            return
        # First: whatever becomes of the nodes, what the reader did is kept.
        resultSet.saveReview(review)
        everything = review.vertebrae
        keys = {v.key for v in everything} if changedKeys is None else set(changedKeys)
        # What was added and taken back.
        AddedVertebraWriter.remove(resultSet, keys - {v.key for v in everything})
        changed = [v for v in everything if v.key in keys]
        # No batch state: it makes the views draw everything anew, and a height line may be just
        # under the mouse.
        SegmentationWriter.update(resultSet.segmentationNode, changed)
        SegmentationWriter.update(resultSet.bodiesNode, changed)
        MarkupsWriter.update(resultSet.centersNode, changed)
        HeightLinesWriter.update(resultSet, changed)
        TableWriter.update(resultSet.tableNode, everything)

    def add(
        self,
        resultSet: ResultSet,
        review: Review,
        changedKeys: Iterable[str],
        missed: MissedVertebra,
    ) -> None:
        """Write a vertebra that was added to the review into all nodes, or into none.

        Parameters
        ----------
        resultSet : ResultSet
        review : Review
            Holds it already.
        changedKeys : iterable of str
            Its key and those of others that are different now.
        missed : MissedVertebra
            Its shapes.
        """
        # The last one added has the highest number.
        keys, key = list(review.keys), max(review.keys)
        try:
            AddedVertebraWriter.write(
                resultSet,
                review.vertebra(key),
                missed.shape,
                missed.body,
                keys[: keys.index(key)],
            )
            self.update(resultSet, review, changedKeys)
        except BaseException:
            AddedVertebraWriter.remove(resultSet, [key])
            raise

    def prepare(self, resultSet: ResultSet, review: Review) -> tuple[str, ...]:
        """Make a result set ready for its review, and the only one that is displayed.

        Results of the command line get, once, what only the panel adds. Height lines that were
        moved while nobody reviewed go back to where the review has them, so that both agree.

        Parameters
        ----------
        resultSet : ResultSet
        review : Review
            Its review.

        Returns
        -------
        tuple of str
            What the reader should know.
        """
        if resultSet.isPlain:
            self._complete(resultSet, review)
        HeightLinesWriter.noteAllMade(resultSet, review.vertebrae)
        showOnly(resultSet)
        problem = self.placeProblem(resultSet)
        if problem:
            # Lines that were moved with the CT are left with it.
            return (problem,)
        noteInputPlace(resultSet)
        levels = HeightLinesWriter.putBack(resultSet, review.vertebrae)
        if not levels:
            return ()
        return (
            f"Height lines of {', '.join(levels)} had been moved while these results were not "
            "open; they were put back. Drag them again to change a height.",
        )

    def placeProblem(self, resultSet: ResultSet) -> str:
        """Return that the CT is not where it was analysed, and what to do; empty if it is."""
        try:
            requireInputInPlace(resultSet)
        except UserError as error:
            return f"{error.message} {error.hint}"
        return ""

    def leave(self, resultSet: ResultSet) -> None:
        """Display a result set no more, whose review ends."""
        if resultSet.exists and not resultSet.scene.IsClosing():
            hide(resultSet)

    def _complete(self, resultSet: ResultSet, review: Review) -> None:
        hierarchy = SubjectHierarchy(resultSet.scene)
        folder = hierarchy.addFolder(resultSet.inputNode, resultSet.name)
        for node in resultSet.nodes:
            hierarchy.place(node, folder)
        HeightLinesWriter.write(resultSet, review.vertebrae)
        TableWriter.update(resultSet.tableNode, review.vertebrae)
        resultSet.setComplete()

    def reshapeBody(self, resultSet: ResultSet, key: str, shape: SegmentShape) -> None:
        """Give the segment of a vertebral body another shape, unless the user deleted it."""
        segmentId = resultSet.segmentIdOfKey(key, bodies=True)
        if segmentId:
            shape.giveTo(resultSet.bodiesNode, segmentId)

    def shapeOfBody(self, resultSet: ResultSet, key: str) -> SegmentShape | None:
        """Return the shape of the segment of a vertebral body; None if the user deleted it."""
        segmentId = resultSet.segmentIdOfKey(key, bodies=True)
        return SegmentShape.of(resultSet.bodiesNode, segmentId) if segmentId else None


class _Writing:
    """One run of `SceneWriter.write`: knows what it made, to be able to take it back."""

    def __init__(self, scene: Any, inputNode: Any, name: str) -> None:
        self._scene = scene
        self._inputNode = inputNode
        self._name = name
        self._hierarchy = SubjectHierarchy(scene)
        self._folder = 0
        self._before = {node.GetID() for node in _nodesOf(scene)}

    def run(
        self, text: str, review: Review, labels: LabelMapFile, bodies: LabelMapFile
    ) -> ResultSet:
        scene, ct, vertebrae = self._scene, self._inputNode, review.vertebrae
        self._folder = self._hierarchy.addFolder(ct, self._name)
        resultSet = self._addText(text)
        for role, node in (
            ("centers", MarkupsWriter.write(scene, self._named("vertebra points"), vertebrae)),
            ("table", TableWriter.write(scene, self._named("vertebra table"), vertebrae)),
            (
                "segmentation",
                SegmentationWriter.write(scene, self._named("vertebrae"), labels, vertebrae, ct),
            ),
            (
                "bodies",
                SegmentationWriter.write(
                    scene, self._named("vertebral bodies"), bodies, vertebrae, ct, visible=False
                ),
            ),
        ):
            resultSet.refer(role, node)
            self._hierarchy.place(node, self._folder)
        HeightLinesWriter.write(resultSet, vertebrae)
        noteInputPlace(resultSet)
        return resultSet

    def takeBack(self) -> None:
        for node in _nodesOf(self._scene):
            # Removing a node may have taken its display node along.
            if node.GetID() not in self._before and node.GetScene() is not None:
                self._hierarchy.removeNode(node)
        self._hierarchy.removeEmptyFolder(self._folder)

    def _named(self, what: str) -> str:
        # A further result set of the same CT has a number at the end of all names.
        number = self._name.removeprefix(f"{self._inputNode.GetName()} {_ANALYSIS}")
        return f"{self._inputNode.GetName()} {what}{number}"

    def _addText(self, text: str) -> ResultSet:
        import slicer
        import vtk

        node = self._scene.AddNewNodeByClass("vtkMRMLTextNode", self._name)
        node.SetAttribute(RESULT_SET_ATTRIBUTE, "1")
        node.SetEncoding(vtk.VTK_ENCODING_UTF_8)
        node.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
        node.SetText(text)
        resultSet = ResultSet(node)
        resultSet.refer(INPUT_ROLE, self._inputNode)
        self._hierarchy.place(node, self._folder)
        return resultSet


def _nodesOf(scene: Any) -> list[Any]:
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


def _freeName(name: str, inputNode: Any, replace: ResultSet | None) -> str:
    taken = {other.name for other in ResultSet.forInput(inputNode) if other != replace}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
