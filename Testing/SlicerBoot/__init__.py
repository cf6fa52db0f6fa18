"""The non-Qt half of 3D Slicer, started on the Python package ``slicer-core`` for tests and tools.

``from SlicerBoot import startSlicer; slicer = startSlicer()`` gives `slicer.mrmlScene`,
`slicer.modules`, `slicer.app` and `slicer.i18n` as code inside the application finds them: the
scene, the nodes and the module logics are the real ones, what belongs to Qt is a small stand-in.
"""

from .startSlicer import slicerCoreMissing, startSlicer

__all__ = ["slicerCoreMissing", "startSlicer"]
