"""The nodes of one analysis of one CT, found again in any scene that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertebra_core.output.scene_keys import (
    HEIGHT_ATTRIBUTE,
    HEIGHTS_ROLE,
    INPUT_ROLE,
    KEY_ATTRIBUTE,
    KEYS_ATTRIBUTE,
    PLAIN_ATTRIBUTE,
    RESULT_SET_ATTRIBUTE,
    SINGLE_ROLES,
)

if TYPE_CHECKING:
    from .Review import Review


class ResultSet:
    """What one analysis left in the scene.

    The text node with the analysis refers to all others by MRML node references, so a result set
    survives saving, and two of them never mix. Nodes that a user deleted are None here.

    Parameters
    ----------
    textNode : vtkMRMLTextNode
        Node that carries the analysis.
    """

    def __init__(self, textNode: Any) -> None:
        self.textNode = textNode

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResultSet) and self.textNode is other.textNode

    def __hash__(self) -> int:
        return id(self.textNode)

    @staticmethod
    def findAll(scene: Any) -> list[ResultSet]:
        """Return all result sets in `scene`, oldest first."""
        nodes = scene.GetNodesByClass("vtkMRMLTextNode")
        nodes.UnRegister(scene)
        found = (nodes.GetItemAsObject(i) for i in range(nodes.GetNumberOfItems()))
        return [ResultSet(node) for node in found if node.GetAttribute(RESULT_SET_ATTRIBUTE)]

    @staticmethod
    def forInput(volumeNode: Any) -> list[ResultSet]:
        """Return the result sets of one CT, oldest first."""
        if volumeNode is None or volumeNode.GetScene() is None:
            return []
        return [
            found
            for found in ResultSet.findAll(volumeNode.GetScene())
            if found.inputNode is volumeNode
        ]

    @property
    def name(self) -> str:
        """What the user reads: the name of the text node."""
        return self.textNode.GetName()

    @property
    def exists(self) -> bool:
        """Whether the analysis is still in a scene."""
        return self.textNode is not None and self.textNode.GetScene() is not None

    @property
    def scene(self) -> Any:
        """The vtkMRMLScene, None after the text node was deleted."""
        return self.textNode.GetScene()

    @property
    def isPlain(self) -> bool:
        """Whether it is as the command line wrote it, without what the panel adds."""
        return bool(self.textNode.GetAttribute(PLAIN_ATTRIBUTE))

    def setComplete(self) -> None:
        """State that nothing is missing any more."""
        self.textNode.RemoveAttribute(PLAIN_ATTRIBUTE)

    @property
    def inputNode(self) -> Any:
        """The CT, a vtkMRMLScalarVolumeNode, or None."""
        return self._node(INPUT_ROLE)

    @property
    def segmentationNode(self) -> Any:
        """The vertebrae, a vtkMRMLSegmentationNode, or None."""
        return self._node("segmentation")

    @property
    def bodiesNode(self) -> Any:
        """The vertebral bodies, a vtkMRMLSegmentationNode, or None."""
        return self._node("bodies")

    @property
    def centersNode(self) -> Any:
        """A point per vertebra, a vtkMRMLMarkupsFiducialNode, or None."""
        return self._node("centers")

    @property
    def tableNode(self) -> Any:
        """The results, a vtkMRMLTableNode, or None."""
        return self._node("table")

    @property
    def heightLineNodes(self) -> dict[tuple[str, str], Any]:
        """The vtkMRMLMarkupsLineNodes that are there: (key, name of the height) -> node."""
        found = {}
        for index in range(self.textNode.GetNumberOfNodeReferences(HEIGHTS_ROLE)):
            node = self.textNode.GetNthNodeReference(HEIGHTS_ROLE, index)
            if node is not None and node.GetScene() is not None:
                key = node.GetAttribute(KEY_ATTRIBUTE) or ""
                found[key, node.GetAttribute(HEIGHT_ATTRIBUTE) or ""] = node
        return found

    @property
    def nodes(self) -> list[Any]:
        """All nodes of the set that exist, without the CT; the text node is the last one."""
        single = [node for node in map(self._node, SINGLE_ROLES) if node is not None]
        return [*self.heightLineNodes.values(), *single, self.textNode]

    def loadReview(self) -> Review:
        """Return the review as it was saved last.

        Raises
        ------
        UserError
            If the text is no analysis, or one of a newer version.
        """
        from .Review import Review

        return Review.fromJson(self.textNode.GetText() or "")

    def saveReview(self, review: Review) -> None:
        """Keep `review` in the scene."""
        self.textNode.SetText(review.toJson())

    def segmentIdOfKey(self, key: str, bodies: bool = False) -> str:
        """Return the ID of the segment of a vertebra; empty if there is none."""
        node = self.bodiesNode if bodies else self.segmentationNode
        return segmentIdsByKey(node).get(key, "")

    def pointOfKey(self, key: str) -> int:
        """Return the index of the control point of a vertebra; -1 if there is none."""
        keys = self._pointKeys()
        return keys.index(key) if key in keys else -1

    def keyOfPoint(self, index: int) -> str:
        """Return the key of the vertebra of a control point; empty if there is none."""
        keys = self._pointKeys()
        return keys[index] if 0 <= index < len(keys) else ""

    def remove(self) -> None:
        """Take all nodes of the set, and its folder, out of the scene; the CT stays."""
        from .SubjectHierarchy import SubjectHierarchy

        scene = self.scene
        if scene is None:
            return
        hierarchy = SubjectHierarchy(scene)
        folder = hierarchy.folderOf(self)
        scene.StartState(scene.BatchProcessState)
        try:
            for node in self.nodes:
                hierarchy.removeNode(node)
            hierarchy.removeEmptyFolder(folder)
        finally:
            scene.EndState(scene.BatchProcessState)

    def refer(self, role: str, node: Any) -> None:
        """Let the set know `node`; of `HEIGHTS_ROLE` there may be many."""
        if role == HEIGHTS_ROLE:
            self.textNode.AddNodeReferenceID(role, node.GetID())
        else:
            self.textNode.SetNodeReferenceID(role, node.GetID())

    def forget(self, node: Any) -> None:
        """Drop the references to a height line that is about to be removed."""
        for index in reversed(range(self.textNode.GetNumberOfNodeReferences(HEIGHTS_ROLE))):
            if self.textNode.GetNthNodeReferenceID(HEIGHTS_ROLE, index) == node.GetID():
                self.textNode.RemoveNthNodeReferenceID(HEIGHTS_ROLE, index)

    def _node(self, role: str) -> Any:
        # A reference can outlive its node by a moment while the scene is being closed.
        node = self.textNode.GetNodeReference(role)
        return node if node is not None and node.GetScene() is not None else None

    def _pointKeys(self) -> list[str]:
        node = self.centersNode
        return (node.GetAttribute(KEYS_ATTRIBUTE) or "").split() if node is not None else []


def hasSegments(segmentationNode: Any) -> bool:
    """Tell whether there is a segmentation, and anything in it."""
    return (
        segmentationNode is not None
        and segmentationNode.GetSegmentation().GetNumberOfSegments() > 0
    )


def segmentIdsByKey(segmentationNode: Any) -> dict[str, str]:
    """Return key of vertebra -> segment ID; other segments, such as a user's own, are left out."""
    import vtk

    if segmentationNode is None:
        return {}
    segmentation = segmentationNode.GetSegmentation()
    found = {}
    for index in range(segmentation.GetNumberOfSegments()):
        segmentId = segmentation.GetNthSegmentID(index)
        value = vtk.reference("")
        if segmentation.GetSegment(segmentId).GetTag(KEY_ATTRIBUTE, value):
            found.setdefault(str(value), segmentId)
    return found
