"""The command that measures writing to the scene, on a small scan."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_whole_spine_is_written_and_shown(slicer):
    pytest.importorskip("SimpleITK")
    path = REPOSITORY / "Utilities" / "benchmark_scene.py"
    spec = importlib.util.spec_from_file_location("benchmark_scene", path)
    benchmark = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = benchmark  # dataclasses look their module up there
    spec.loader.exec_module(benchmark)
    timing = benchmark.measure((160, 160, 240), render=False)
    assert timing.vertebrae == 24
    assert len(timing.click_s) == 24
    # How fast is what the command tells; here it is only seen to measure something.
    assert timing.write_s > 0 and timing.write_cpu_s > 0
    (node,) = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert node.GetNumberOfRows() == 24
