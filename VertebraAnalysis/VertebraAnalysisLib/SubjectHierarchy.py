"""Where results stand in the subject hierarchy: in one folder under the study of the CT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ResultSet import ResultSet

_INVALID = 0


class SubjectHierarchy:
    """The subject hierarchy of a scene, as far as results need it.

    Parameters
    ----------
    scene : vtkMRMLScene
    """

    def __init__(self, scene: Any) -> None:
        import slicer

        node = slicer.vtkMRMLSubjectHierarchyNode
        self._hierarchy = node.GetSubjectHierarchyNode(scene) or node.ResolveSubjectHierarchy(scene)
        self._studyLevel = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy()

    def addFolder(self, inputNode: Any, name: str) -> int:
        """Make a folder beside the CT: under its study, or where the CT itself is.

        Parameters
        ----------
        inputNode : vtkMRMLScalarVolumeNode or None
            Without a CT the folder stands on top.
        name : str

        Returns
        -------
        int
            Item of the folder.
        """
        if inputNode is None:
            return self._hierarchy.CreateFolderItem(self._hierarchy.GetSceneItemID(), name)
        item = self._hierarchy.GetItemByDataNode(inputNode)
        if item == _INVALID:
            # Without the application's plugins nobody makes an item for a new node.
            item = self._hierarchy.CreateItem(self._hierarchy.GetSceneItemID(), inputNode)
        study = self._hierarchy.GetItemAncestorAtLevel(item, self._studyLevel)
        parent = study if study != _INVALID else self._hierarchy.GetItemParent(item)
        return self._hierarchy.CreateFolderItem(parent, name)

    def addSubfolder(self, parent: int, name: str) -> int:
        """Make a folder in a folder and return its item."""
        return self._hierarchy.CreateFolderItem(parent, name)

    def place(self, node: Any, folder: int) -> None:
        """Put `node` into a folder."""
        item = self._hierarchy.GetItemByDataNode(node)
        if item == _INVALID:
            self._hierarchy.CreateItem(folder, node)
        else:
            self._hierarchy.SetItemParent(item, folder)

    def isSameStudy(self, first: Any, second: Any) -> bool:
        """Tell whether two volumes are of one DICOM study."""
        items = [self._hierarchy.GetItemByDataNode(node) for node in (first, second)]
        if _INVALID in items:
            return False
        one, other = (self._hierarchy.GetItemAncestorAtLevel(i, self._studyLevel) for i in items)
        return one == other != _INVALID

    def seriesUid(self, node: Any) -> str:
        """Return the UID of the DICOM series of a volume; empty if it is of none."""
        item = self._hierarchy.GetItemByDataNode(node)
        return self._hierarchy.GetItemUID(item, "DICOM") if item != _INVALID else ""

    def folderOf(self, resultSet: ResultSet) -> int:
        """Return the folder of a result set: where its text node is; 0 if that is no folder."""
        return self._folderAbove(self._hierarchy.GetItemByDataNode(resultSet.textNode))

    def subfolder(self, folder: int, name: str) -> int:
        """Return the folder called `name` in a folder, made if it is not there."""
        item = self._hierarchy.GetItemChildWithName(folder, name)
        return item if item != _INVALID else self.addSubfolder(folder, name)

    def removeNode(self, node: Any) -> None:
        """Remove a node from the scene, and its item, which nobody else does without Qt."""
        node.GetScene().RemoveNode(node)
        item = self._hierarchy.GetItemByDataNode(node)
        if item != _INVALID:
            self._hierarchy.RemoveItem(item, False, True)

    def removeEmptyFolder(self, folder: int) -> None:
        """Remove a folder that holds no node any more; what a user put there stays."""
        import vtk

        if folder == _INVALID:
            return
        children = vtk.vtkIdList()
        self._hierarchy.GetItemChildren(folder, children, True)
        items = [children.GetId(i) for i in range(children.GetNumberOfIds())]
        nodes = [self._hierarchy.GetItemDataNode(item) for item in items]
        if not any(node is not None and node.GetScene() is not None for node in nodes):
            self._hierarchy.RemoveItem(folder, True, True)

    def _folderAbove(self, item: int) -> int:
        import slicer

        if item == _INVALID:
            return _INVALID
        parent = self._hierarchy.GetItemParent(item)
        level = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyLevelFolder()
        return parent if self._hierarchy.IsItemLevel(parent, level) else _INVALID
