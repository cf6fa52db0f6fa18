"""Sees to it that slice views show the CT that results belong to."""

from __future__ import annotations

from typing import Any

from .SubjectHierarchy import SubjectHierarchy


def showVolume(volumeNode: Any) -> None:
    """Show a CT in the slice views, unless one of them shows it, or its study, already.

    Whoever compares two CTs side by side, or reads another reconstruction of the same study, keeps
    what is shown. Otherwise the CT takes the place of background and foreground: results drawn over
    another patient would be taken for that patient's.

    Parameters
    ----------
    volumeNode : vtkMRMLScalarVolumeNode or None
        Nothing is done without one.
    """
    scene = volumeNode.GetScene() if volumeNode is not None else None
    if scene is None:
        return
    number = scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")
    views = [scene.GetNthNodeByClass(i, "vtkMRMLSliceCompositeNode") for i in range(number)]
    hierarchy = SubjectHierarchy(scene)
    shown = [node for view in views for node in _visibleVolumes(view)]
    if any(node is volumeNode or hierarchy.isSameStudy(node, volumeNode) for node in shown):
        return
    for view in views:
        if view.GetDoPropagateVolumeSelection():
            view.SetBackgroundVolumeID(volumeNode.GetID())
            view.SetForegroundVolumeID(None)


def _visibleVolumes(view: Any) -> list[Any]:
    ids = [view.GetBackgroundVolumeID()]
    if view.GetForegroundOpacity() > 0:
        ids.append(view.GetForegroundVolumeID())
    nodes = [view.GetScene().GetNodeByID(volumeId) for volumeId in ids if volumeId]
    return [node for node in nodes if node is not None]
