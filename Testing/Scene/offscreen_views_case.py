"""Renders a cube and a sphere and prints, as JSON, what the tests look at. A process of its own.

Rendering without a graphics card ends some systems' processes, and views outlive scenes badly.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from SlicerBoot import startSlicer


def sliceView(slicer, folder: Path) -> dict[str, int]:
    """A cube of bright voxels in a sagittal view, centred on it and beside it."""
    from SlicerBoot.OffscreenViews import OffscreenSliceView

    voxels = np.full((60, 60, 60), -1000, np.int16)
    voxels[20:40, 20:40, 20:40] = 1000
    node = slicer.util.addVolumeFromArray(voxels, name="cube")
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(2000, 0)
    view = OffscreenSliceView("Yellow", "Sagittal", (200, 200))
    view.show(node, heightMm=60)
    centered = slicer.vtkMRMLSliceNode.CenteredJumpSlice
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 30, 30, 30, centered)
    inside = view.render()
    view.savePng(folder / "slice.png")
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 5, 30, 30, centered)
    return {
        "cube": int(inside[100, 100].min()),
        "corner": int(inside[8, 8].max()),
        "beside": int(view.render()[100, 100].max()),
    }


def threeDView(slicer) -> dict[str, int]:
    """How much a sphere changes the middle of an empty 3D view."""
    import vtk
    from SlicerBoot.OffscreenViews import OffscreenThreeDView

    sphere = vtk.vtkSphereSource()
    sphere.SetRadius(20)
    sphere.Update()
    view = OffscreenThreeDView("View1", (200, 200))
    empty = view.render().astype(int)
    slicer.modules.models.logic().AddModel(sphere.GetOutput())
    view.look(slicer.vtkMRMLCameraNode.Left)
    return {"sphere": int(np.abs(view.render() - empty)[90:110, 90:110].max())}


if __name__ == "__main__":
    started = startSlicer()
    told = {**sliceView(started, Path(sys.argv[1])), **threeDView(started)}
    print(json.dumps(told), flush=True)
