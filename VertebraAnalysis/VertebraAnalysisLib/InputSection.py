"""The choice of the CT, and what is wrong with it, said at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin


class InputSection(VTKObservationMixin):
    """Watches the selected volume and says whether it can be analyzed.

    Parameters
    ----------
    ui : object
        With `inputSelector` and `inputMessage`.
    problem, warning : callable
        (volume node) -> one sentence, empty when there is nothing to say.
    onChecked : callable
        (other) when a volume was looked at; `other` tells whether another one is selected now.
    """

    def __init__(
        self,
        ui: Any,
        problem: Callable[[Any], str],
        warning: Callable[[Any], str],
        onChecked: Callable[[bool], None],
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._selector, self._label = ui.inputSelector, ui.inputMessage
        self._problem, self._warning = problem, warning
        self._onChecked = onChecked
        self._watched: Any = None
        self.suitable = False
        self._selector.connect("currentNodeChanged(vtkMRMLNode*)", self.check)

    @property
    def node(self) -> Any:
        """The selected volume, or None."""
        return self._selector.currentNode()

    @property
    def message(self) -> str:
        """What is said about the volume; empty when nothing is."""
        return self._label.text

    def selectAny(self) -> None:
        """Select a volume of the scene that can be analyzed, if none is selected."""
        if self.node is not None:
            return
        nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        suitable = (n for n in nodes if not n.GetHideFromEditors() and not self._problem(n))
        node = next(suitable, None)
        if node is not None:
            self._selector.setCurrentNode(node)

    def check(self, *_unused: Any) -> None:
        """Look at the selected volume again."""
        node = self.node
        other = node is not self._watched
        if other:
            self.removeObservers()
            self._watched = node
            if node is not None:
                for event in (node.ImageDataModifiedEvent, node.TransformModifiedEvent):
                    self.addObserver(node, event, self.check)
        problem = self._problem(node) if node is not None else ""
        self.suitable = node is not None and not problem
        text = problem or (self._warning(node) if node is not None else "")
        if text:
            text = (_("Unsuitable: {text}") if problem else _("Note: {text}")).format(text=text)
        elif node is None:
            text = _("Choose a CT of the spine, or try the sample.")
        self._label.text = text
        self._label.visible = bool(text)
        self._onChecked(other)

    def cleanup(self) -> None:
        """Stop watching."""
        self.removeObservers()
        self._watched = None
