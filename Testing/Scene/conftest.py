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
