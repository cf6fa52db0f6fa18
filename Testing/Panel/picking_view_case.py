"""Clicks into a real slice view and prints, as JSON, what was picked. A process of its own.

Rendering without a graphics card ends some systems' processes, and views outlive scenes badly.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "VertebraAnalysis"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from QtStandIns import startSlicerWithQt


class Mouse:
    """A mouse over a slice view, whose events go to 3D Slicer's own manager of markups."""

    def __init__(self, slicer, view) -> None:
        self._slicer, self._view = slicer, view
        name = "vtkMRMLMarkupsDisplayableManager"
        self._manager = view._managers.GetDisplayableManagerByClassName(name)

    def send(self, event: int, x: int, y: int) -> None:
        """Let one event happen at a pixel."""
        import vtk

        data = self._slicer.vtkMRMLInteractionEventData()
        data.SetType(event)
        data.SetViewNode(self._view.node)
        data.SetRenderer(self._view._renderer)
        data.SetDisplayPosition((x, y))
        data.SetWorldPosition(self.rasAt(x, y))
        if self._manager.CanProcessInteractionEvent(data, vtk.reference(0.0)):
            self._manager.ProcessInteractionEvent(data)
        self._slicer.app.processEvents()

    def rasAt(self, x: int, y: int) -> tuple[float, ...]:
        """Where in the world a pixel lies, mm."""
        return self._view.node.GetXYToRAS().MultiplyPoint((x, y, 0, 1))[:3]

    def move(self, x: int, y: int) -> None:
        """Move to a pixel."""
        from vtk import vtkCommand

        for step in (10, 0):
            self.send(vtkCommand.MouseMoveEvent, x - step, y)

    def click(self, x: int, y: int) -> None:
        """Press and release the left button at a pixel."""
        from vtk import vtkCommand

        self.send(vtkCommand.LeftButtonPressEvent, x, y)
        self.send(vtkCommand.LeftButtonReleaseEvent, x, y)


def main() -> None:
    """Move the mouse, click once, and click once more."""
    slicer = startSlicerWithQt()
    import qt
    from SlicerBoot.OffscreenViews import OffscreenSliceView
    from VertebraAnalysisLib.PointPicking import PointPicking

    node = slicer.util.addVolumeFromArray(np.zeros((60, 60, 60), np.int16), name="CT")
    node.CreateDefaultDisplayNodes()
    view = OffscreenSliceView("Yellow", "Sagittal", (200, 200))
    view.show(node, heightMm=60)
    view.render()
    picked: list[tuple[float, ...]] = []
    widget = qt.QWidget()
    widget.show()
    picking = PointPicking(widget, picked.append, lambda: picked.append(()))
    mouse = Mouse(slicer, view)
    picking.start()
    mouse.move(100, 120)
    moved = len(picked)
    mouse.click(100, 120)
    mouse.click(40, 60)
    lists = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode")
    told = {"moved": moved, "picked": picked, "wanted": mouse.rasAt(100, 120), "lists": lists}
    print(json.dumps(told | {"active": picking.active}), flush=True)


if __name__ == "__main__":
    main()
