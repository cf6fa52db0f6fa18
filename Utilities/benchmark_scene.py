"""Measure how long writing a large result into the scene takes, and showing one of its vertebrae.

    python Utilities/benchmark_scene.py [--size 512 512 500] [--no-render]

Needs slicer-core, and OpenGL for rendering (software rendering will do).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
WRITE_LIMIT_S = 2.0
CLICK_LIMIT_S = 0.2
SPACING_XYZ_MM = (0.7, 0.7, 1.0)


@dataclass(frozen=True)
class Timing:
    """Seconds; those of clicks are a list, one for each vertebra shown.

    Attributes
    ----------
    write_s, write_cpu_s : float
        From the files of a result to all nodes in the scene; `_cpu_` is processor time: what it
        takes when nothing else keeps the machine busy.
    click_s, click_cpu_s : list of float
        From choosing a vertebra to all four views rendered.
    navigate_s : list of float
        The part of it that is not rendering.
    vertebrae : int
    """

    write_s: float
    write_cpu_s: float
    click_s: list[float]
    click_cpu_s: list[float]
    navigate_s: list[float]
    vertebrae: int


def write_result(folder: Path, size_xyz: tuple[int, int, int]) -> np.ndarray:
    """Write the files of an analysis of a whole spine, C1 to L5, every fourth one fractured.

    Returns
    -------
    ndarray of int16, shape (z, y, x)
        The CT that belongs to it, HU.
    """
    import SimpleITK
    from vertebra_core.analysis import Manifest, SpineAnalysis
    from vertebra_core.analysis_json import analysis_to_json
    from vertebra_core.levels import LEVELS

    nx, ny, nz = size_xyz
    labels = np.zeros((nz, ny, nx), np.uint8)
    bodies = np.zeros_like(labels)
    hu = np.full((nz, ny, nx), -100, np.int16)
    levels = [v for v in LEVELS if v.name not in ("T13", "L6", "S1")]
    pitch = nz / len(levels)
    vertebrae = []
    for index, level in enumerate(reversed(levels)):
        top, bottom = round((index + 0.82) * pitch), round((index + 0.12) * pitch)
        z, x, y = slice(bottom, top), nx // 2, ny // 2
        body = (z, slice(y - 20, y + 22), slice(x - 30, x + 30))
        arch = (z, slice(y + 22, y + 75), slice(x - 8, x + 8))
        bodies[body] = level.number
        labels[body] = labels[arch] = level.number
        hu[body] = hu[arch] = 250
        vertebrae.insert(0, _vertebra(level.name, body, fractured=index % 4 == 1))
    manifest = Manifest(
        "benchmark", {}, "cpu", {}, size_xyz, SPACING_XYZ_MM, (0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    )  # fmt: skip
    text = analysis_to_json(SpineAnalysis(tuple(vertebrae), manifest))
    (folder / "analysis.json").write_text(text, "utf-8")
    for name, voxels in (("labels", labels), ("bodies", bodies)):
        image = SimpleITK.GetImageFromArray(voxels)
        image.SetSpacing(SPACING_XYZ_MM)
        SimpleITK.WriteImage(image, str(folder / f"{name}.nii.gz"), True)
    return hu


def _vertebra(level: str, body: tuple[slice, slice, slice], fractured: bool) -> Any:
    from vertebra_core.analysis import HeightLine, HeightLoss, HeightReference, Heights, Vertebra

    z, y, x = (((s.start + s.stop - 1) / 2, s.stop - s.start) for s in body)
    middle = (x[0] * SPACING_XYZ_MM[0], y[0] * SPACING_XYZ_MM[1], z[0] * SPACING_XYZ_MM[2])
    height, depth = z[1] * SPACING_XYZ_MM[2], y[1] * SPACING_XYZ_MM[1]
    heights = Heights(height * (0.7 if fractured else 1.0), height * 0.95, height)
    lines = {
        name: HeightLine(
            (middle[0], middle[1] + shift * depth, middle[2] + value / 2),
            (middle[0], middle[1] + shift * depth, middle[2] - value / 2),
        )
        for name, shift, value in (
            ("anterior", -0.4, heights.anterior),
            ("middle", 0.0, heights.middle),
            ("posterior", 0.4, heights.posterior),
        )
    }
    return Vertebra(
        level=level, level_probability=0.98, runner_up_level=None, center_lps_mm=middle,
        axes_lps=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        heights_mm=heights, heights_spread_mm=Heights(0.3, 0.3, 0.3), height_lines=lines,
        height_loss=HeightLoss(0.3 if fractured else 0.0, 0.03, 0.0),
        height_reference=HeightReference(1.0, 0.98, height, "neighbours"),
        grade=2 if fractured else 0, shape="wedge" if fractured else "normal",
        grade_probabilities=(0.0, 0.1, 0.8, 0.1) if fractured else (0.97, 0.02, 0.01, 0.0),
        morphometric_grade=2 if fractured else 0, learned_grade=2 if fractured else 0,
        density_hu=140.0, volume_ml=30.0,
    )  # fmt: skip


def measure(size_xyz: tuple[int, int, int], render: bool) -> Timing:
    """Write a result and show its vertebrae one after the other."""
    sys.path[:0] = [str(REPOSITORY / "VertebraAnalysis"), str(REPOSITORY / "Testing")]
    from SlicerBoot import startSlicer

    slicer = startSlicer()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        hu = write_result(folder, size_xyz)
        ijk_to_ras = np.diag([-SPACING_XYZ_MM[0], -SPACING_XYZ_MM[1], SPACING_XYZ_MM[2], 1.0])
        volume = slicer.util.addVolumeFromArray(hu, ijkToRAS=ijk_to_ras, name="CT")
        volume.CreateDefaultDisplayNodes()
        views = _views(volume) if render else []
        # Loading libraries is not what is measured; the application has them loaded.
        import SimpleITK  # noqa: F401
        from VertebraAnalysisLib.SceneWriter import SceneWriter
        from VertebraAnalysisLib.ViewNavigation import ViewNavigation

        started, cpu = time.perf_counter(), time.process_time()
        result = SceneWriter().write(folder, volume)
        write_s = time.perf_counter() - started
        write_cpu_s = time.process_time() - cpu
    for view in views:
        view.render()
    navigation = ViewNavigation(slicer.mrmlScene)
    vertebrae = result.loadReview().vertebrae
    click_s, click_cpu_s, navigate_s = [], [], []
    for vertebra in vertebrae:
        started, cpu = time.perf_counter(), time.process_time()
        navigation.showVertebra(vertebra)
        navigate_s.append(time.perf_counter() - started)
        for view in views:
            view.render()
        click_s.append(time.perf_counter() - started)
        click_cpu_s.append(time.process_time() - cpu)
    return Timing(write_s, write_cpu_s, click_s, click_cpu_s, navigate_s, len(vertebrae))


def _views(volume: Any) -> list[Any]:
    from SlicerBoot.OffscreenViews import OffscreenSliceView, OffscreenThreeDView

    views: list[Any] = []
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        view = OffscreenSliceView(name, orientation, (500, 500))
        view.show(volume)
        views.append(view)
    return [*views, OffscreenThreeDView(size=(500, 500))]


def main() -> int:
    """Print both figures (medians of clicks); return 1 where one is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=3, default=(512, 512, 500), metavar="N")
    parser.add_argument("--no-render", action="store_true", help="without rendering the views")
    arguments = parser.parse_args()
    timing = measure(tuple(arguments.size), not arguments.no_render)
    median, median_cpu = (float(np.median(t)) for t in (timing.click_s, timing.click_cpu_s))
    size = "x".join(map(str, arguments.size))
    print(
        f"writing {timing.vertebrae} vertebrae at {size} into the scene: {timing.write_s:.2f} s "
        f"of which processor {timing.write_cpu_s:.2f} s (limit {WRITE_LIMIT_S} s)"
    )
    what = "views moved" if arguments.no_render else "three slice views and a 3D view rendered"
    print(
        f"row click to {what}: "
        f"{median:.3f} s of which processor {median_cpu:.3f} s (limit {CLICK_LIMIT_S} s); "
        f"without rendering {float(np.median(timing.navigate_s)):.3f} s"
    )
    # A machine that does other work as well keeps the clock running, not the processor time.
    slow = min(timing.write_s, timing.write_cpu_s) > WRITE_LIMIT_S
    return int(slow or min(median, median_cpu) > CLICK_LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
