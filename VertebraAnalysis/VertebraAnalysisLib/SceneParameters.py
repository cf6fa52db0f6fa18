"""Keeps the choices in the scene's parameter node and the widgets of the panel equal."""

from __future__ import annotations

from typing import Any

from .ParameterNode import ParameterNode

_CHOICES = ("inputVolume", "results", "regionOfInterest", "existingSegmentation")
"""Parameters that are nodes, which belong to one CT."""


class SceneParameters:
    """Connects the parameter node of the scene with the widgets that are named after parameters.

    Parameters
    ----------
    ui : object
        Its widgets say in the property ``SlicerParameterName`` what they show.
    logic : ScriptedLoadableModuleLogic
        Gives the parameter node.

    Attributes
    ----------
    node : ParameterNode or None
        None while no scene is open.
    following : bool
        The widgets are being brought in line with a scene: what they announce nobody has chosen.
    """

    def __init__(self, ui: Any, logic: Any) -> None:
        self._logic = logic
        named = {w.property("SlicerParameterName"): w for w in vars(ui).values()}
        self._widgets = {name: widget for name, widget in named.items() if name}
        self._guiTag: Any = None
        self.node: ParameterNode | None = None
        self.following = False
        self._kept: dict[str, Any] = {}

    def take(self) -> bool:
        """Connect with the parameter node of the scene; returns whether that is news."""
        node = self._logic.getParameterNode()
        if self.node is not None and self.node.parameterNode is node:
            return False
        self.release()
        self.node = ParameterNode(node)
        for name, chosen in self._kept.items():
            setattr(self.node, name, chosen)
        self._kept = {}
        self.following = True
        try:
            # Not `connectGui`: in older versions it returns nothing to disconnect with, and the
            # node of a closed scene would go on writing into the panel.
            self._guiTag = self.node.connectParametersToGui(self._widgets)
        finally:
            self.following = False
        return True

    def release(self) -> None:
        """Leave parameter node and widgets to themselves."""
        if self.node is not None:
            self.node.disconnectGui(self._guiTag)
        self.node = None

    def choose(self, name: str, chosen: Any) -> None:
        """Set a parameter, and its widget too: while others are written, the node does not."""
        setattr(self.node, name, chosen)
        self._widgets[name].setCurrentNode(chosen)

    def beginImport(self, keep: bool) -> None:
        """Nodes are being read; with `keep` those stay chosen that are, whatever comes."""
        self._kept = {name: getattr(self.node, name) for name in _CHOICES} if keep else {}
        self.following = True

    def endImport(self) -> None:
        """All nodes are there: `take` has to follow.

        The node was read before those that it refers to were there, and keeps what it found.
        """
        self.release()
