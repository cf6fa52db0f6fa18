"""Slice and 3D views rendered without windows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from SlicerBoot import slicerCoreMissing
from SlicerBoot.openGlMissing import openGlMissing

CASE = Path(__file__).with_name("offscreen_views_case.py")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What was rendered."""
    if slicerCoreMissing():
        pytest.skip(slicerCoreMissing())
    if openGlMissing():
        pytest.skip(openGlMissing())
    folder = tmp_path_factory.mktemp("views")
    done = subprocess.run([sys.executable, CASE, folder], capture_output=True, text=True)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) | {"png": folder / "slice.png"}


def test_a_slice_view_shows_the_volume_where_it_is_told_to_look(seen):
    assert seen["cube"] > 230
    assert seen["corner"] < 25
    assert seen["beside"] < 25
    assert seen["png"].read_bytes()[:4] == b"\x89PNG"


def test_a_3d_view_shows_a_model(seen):
    assert seen["sphere"] > 40
