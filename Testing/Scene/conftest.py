"""Fixtures of the tests that run on a real MRML scene."""

from __future__ import annotations

import pytest
from SlicerBoot import slicerCoreMissing, startSlicer


@pytest.fixture
def slicer():
    """3D Slicer's scene half, with an empty scene."""
    if slicerCoreMissing():
        pytest.skip(slicerCoreMissing())
    started = startSlicer()
    started.mrmlScene.Clear(False)
    yield started
    started.mrmlScene.Clear(False)


@pytest.fixture
def found(slicer, tmp_path):
    """The example as results: T12 G0, L1 G1 wedge with height lines, L2 not graded."""
    from result_folder import exampleCt, writeFolder
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    return SceneWriter().write(writeFolder(tmp_path / "results"), exampleCt(slicer))
