"""The CT of the example results, with the tissues that make it pass for a CT."""

from __future__ import annotations

from typing import Any

from result_folder import exampleCt


def suitableCt(slicer: Any, name: str = "CT spine") -> Any:
    """Put the example's CT into the scene; air and fat surround it."""
    node = exampleCt(slicer, name)
    values = slicer.util.arrayFromVolume(node)
    values[:, :5] = -1000
    values[:, 5:9] = -100
    values[:, 46:] = -1000
    slicer.util.arrayFromVolumeModified(node)
    return node
