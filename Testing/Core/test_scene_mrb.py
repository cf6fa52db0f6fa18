"""The scene for 3D Slicer, read back by its own library."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from example_analysis import example
from vertebra_core.analysis_json import analysis_to_json
from vertebra_core.errors import Cancelled
from vertebra_core.output import scene_mrb
from vertebra_core.output.markups_json import analysis_to_markups
from vertebra_core.output.scene_mrb import SceneWriting, scene_available

# Reading happens in a process of its own, so that 3D Slicer's library stays out of the tests'.
READ = """
import json, sys
import numpy as np, slicer, vtk
from pathlib import Path
from vtk.util.numpy_support import vtk_to_numpy

folder = Path(sys.argv[1])
scene = slicer.vtkMRMLScene()
application = slicer.vtkSlicerApplicationLogic()
application.SetMRMLScene(scene)
logics = []
for name in ("vtkSlicerSegmentationsModuleLogic", "vtkSlicerMarkupsLogic", "vtkSlicerTablesLogic"):
    logics.append(getattr(slicer, name)())
    logics[-1].SetMRMLScene(scene)
mrml = next(folder.rglob("*.mrml"))
scene.SetURL(str(mrml))
scene.SetRootDirectory(str(mrml.parent))
found = {"imported": bool(scene.Import())}
for cls in ("ScalarVolume", "Segmentation", "MarkupsFiducial", "Table", "Text"):
    nodes = scene.GetNodesByClass(f"vtkMRML{cls}Node")
    nodes.UnRegister(scene)
    found[cls] = [nodes.GetItemAsObject(i).GetName() for i in range(nodes.GetNumberOfItems())]
def only(name):
    return scene.GetFirstNodeByName(name)
segmentation = only("Vertebrae").GetSegmentation()
ids = [segmentation.GetNthSegmentID(i) for i in range(segmentation.GetNumberOfSegments())]
found["segments"] = {i: segmentation.GetSegment(i).GetName() for i in ids}
tag = vtk.reference("")
segmentation.GetSegment("vertebra_L1").GetTag("DICOM.SegmentAlgorithmType", tag)
found["algorithm"] = str(tag)
segmentation.GetSegment("vertebra_L1").GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag)
found["terminology"] = str(tag)
image = segmentation.GetSegment("vertebra_L1").GetRepresentation("Binary labelmap")
matrix = vtk.vtkMatrix4x4()
image.GetImageToWorldMatrix(matrix)
ijk = np.argwhere(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(
    image.GetDimensions()[::-1]) == segmentation.GetSegment("vertebra_L1").GetLabelValue())
x0, _, y0, _, z0, _ = image.GetExtent()
center = ijk.mean(0)[::-1] + [x0, y0, z0]
found["voxels"] = len(ijk)
found["center_ras"] = list(matrix.MultiplyPoint([*center, 1.0])[:3])
points = only("Vertebra points")
found["labels"] = [points.GetNthControlPointLabel(i) for i in range(3)]
found["point_ras"] = list(points.GetNthControlPointPositionWorld(1))
table = only("Vertebra table").GetTable()
found["table"] = [table.GetValueByName(i, "level").ToString() for i in range(3)]
found["notes"] = table.GetValueByName(1, "notes").ToString()
found["text"] = only("Vertebra analysis").GetText()
ct = only("CT")
views = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
views.UnRegister(scene)
shown = [views.GetItemAsObject(i) for i in range(views.GetNumberOfItems())]
found["views"] = {v.GetLayoutName(): v.GetBackgroundVolumeID() == ct.GetID() for v in shown}
if ct is not None:
    found["ct_range"] = list(ct.GetImageData().GetScalarRange())
    bounds = [0.0] * 6
    ct.GetRASBounds(bounds)
    found["ct_bounds_ras"] = bounds
print(json.dumps(found))
"""

pytestmark = pytest.mark.skipif(not scene_available(), reason="slicer-core is not installed")


def written(folder, with_ct=True, packed=True):
    ct, labels, bodies, analysis = example()
    texts = analysis_to_json(analysis), analysis_to_markups(analysis)
    with SceneWriting(folder / "scene.mrb", packed) as writing:
        writing.begin(ct if with_ct else None, labels, bodies, *texts)
        assert writing.finish() == ""
    assert [p.name for p in folder.iterdir()] == ["scene.mrb"]
    with zipfile.ZipFile(folder / "scene.mrb") as archive:
        archive.extractall(folder / "unpacked")
    script = folder / "read.py"
    script.write_text(READ)
    shown = subprocess.run(
        [sys.executable, str(script), str(folder / "unpacked")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_scene_holds_everything_in_its_place(tmp_path):
    ct, labels, _, analysis = example()
    found = written(tmp_path)
    assert found["imported"]
    assert found["ScalarVolume"] == ["CT"]
    assert found["Segmentation"] == ["Vertebrae", "Vertebral bodies"]
    assert found["MarkupsFiducial"] == ["Vertebra points"]
    assert found["segments"] == {
        "vertebra_T12": "T12",
        "vertebra_L1": "L1",
        "vertebra_L2": "L2",
    }
    assert found["algorithm"] == "AUTOMATIC" and "66794005" in found["terminology"]
    own = labels.labels == 20
    assert found["voxels"] == own.sum()
    where = labels.index_to_lps(np.argwhere(own)).mean(0)
    assert found["center_ras"] == pytest.approx([-where[0], -where[1], where[2]], abs=0.01)
    x, y, z = analysis.vertebrae[1].center_lps_mm
    assert found["point_ras"] == pytest.approx([-x, -y, z], abs=0.01)
    assert found["labels"][1] == "L1  G1 wedge, borderline"
    assert found["table"] == ["T12", "L1", "L2"]
    assert found["notes"] == "A loss of 24 % is near '25 %'."
    assert json.loads(found["text"])["vertebrae"][1]["level"] == "L1"
    assert found["views"] == {"Red": True, "Yellow": True, "Green": True}
    assert found["ct_range"] == [int(ct.hu.min()), int(ct.hu.max())]
    edges = np.array([[-0.5, n - 0.5] for n in ct.hu.shape])
    corners = ct.index_to_lps(np.stack(np.meshgrid(*edges), -1).reshape(8, 3)) * [-1, -1, 1]
    bounds = np.array([corners.min(0), corners.max(0)]).T.ravel()
    assert found["ct_bounds_ras"] == pytest.approx(bounds.tolist(), abs=0.01)


@pytest.mark.slow
def test_a_ct_that_is_not_packed_is_the_same(tmp_path):
    found, sizes = [], []
    for packed in (True, False):
        folder = tmp_path / str(packed)
        folder.mkdir()
        found.append(written(folder, packed=packed))
        (file,) = folder.rglob("CT.nrrd")
        sizes.append(file.stat().st_size)
    assert found[0]["ct_range"] == found[1]["ct_range"]
    assert found[0]["ct_bounds_ras"] == found[1]["ct_bounds_ras"]
    assert sizes[0] < sizes[1] and sizes[1] > example()[0].hu.nbytes


@pytest.mark.slow
def test_scene_without_ct_has_none(tmp_path):
    found = written(tmp_path, with_ct=False)
    assert found["ScalarVolume"] == [] and found["table"] == ["T12", "L1", "L2"]


def test_a_relative_target_is_found_by_the_building_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ct, labels, bodies, analysis = example()
    texts = analysis_to_json(analysis), analysis_to_markups(analysis)
    writing = SceneWriting(Path("scene.mrb"))
    writing.begin(None, labels, bodies, *texts)
    assert writing.finish() == ""
    assert (tmp_path / "scene.mrb").stat().st_size > 0


def test_cancelling_ends_the_process_and_leaves_nothing(tmp_path):
    ct, labels, bodies, analysis = example()
    writing = SceneWriting(tmp_path / "scene.mrb")
    writing.begin(ct, labels, bodies, analysis_to_json(analysis), "{}")
    with pytest.raises(Cancelled):
        writing.finish(lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_library_costs_the_scene_and_is_told(tmp_path):
    ct, labels, bodies, _ = example()
    writing = SceneWriting(tmp_path / "scene.mrb")
    writing.begin(ct, labels, bodies, "no analysis", "{}")
    assert "scene.mrb could not be written" in writing.finish()
    assert list(tmp_path.iterdir()) == []


def test_without_anything_to_write_the_process_ends_and_leaves_nothing(tmp_path):
    with SceneWriting(tmp_path / "scene.mrb") as writing:
        process = writing._process
        assert process.poll() is None
    assert process.poll() is not None
    assert list(tmp_path.iterdir()) == []


def test_the_process_ends_with_the_one_that_started_it(tmp_path):
    writing = SceneWriting(tmp_path / "scene.mrb")
    # What the system does when the starting process dies.
    writing._process.stdin.close()
    assert writing._process.wait(120) == 0
    writing.stop()


def test_a_process_that_died_early_costs_the_scene_and_is_told(tmp_path):
    ct, labels, bodies, analysis = example()
    with SceneWriting(tmp_path / "scene.mrb") as writing:
        writing._process.kill()
        writing._process.wait()
        writing.begin(ct, labels, bodies, analysis_to_json(analysis), "{}")
        assert "scene.mrb could not be written" in writing.finish()


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no files")
def test_voxels_that_cannot_be_handed_over_whole_say_why(tmp_path):
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from example_analysis import example\n"
        "from vertebra_core.output import scene_mrb\n"
        "ct, _, _, _ = example()\n"
        # The file ends in the middle of the voxels, as it does on a disk that becomes full.
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: scene_mrb._save(Path(sys.argv[2]), ct.hu, ct, (slice(None),) * 3)\n"
        "except OSError as error: print(error.errno)\n"
    )
    here, source = Path(__file__).parent, Path(scene_mrb.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, here, tmp_path / "ct.npy"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(source)},
    )  # fmt: skip
    assert done.stdout.strip() == str(errno.EFBIG), done.stderr


def test_voxels_are_handed_over_unchanged_whatever_their_order_in_memory(tmp_path):
    ct, _, _, _ = example()
    box = (slice(3, 50), slice(8, 46), slice(8, 36))
    for hu in (ct.hu, np.asfortranarray(ct.hu), ct.hu.astype(np.float32)):
        scene_mrb._save(tmp_path / "ct.npy", hu, ct, box)
        handed = np.load(tmp_path / "ct.npy", mmap_mode="r")
        assert handed.dtype == hu.dtype and np.array_equal(handed, hu[box])


def test_a_large_ct_is_stored_around_the_spine_only(monkeypatch):
    ct, labels, _, _ = example()
    assert scene_mrb._box(labels, ct) == tuple(slice(0, n) for n in ct.hu.shape)
    monkeypatch.setattr(scene_mrb, "MAX_CT_VOXELS", 1000)
    monkeypatch.setattr(scene_mrb, "_MARGIN_MM", 2.0)
    z, y, x = scene_mrb._box(labels, ct)
    assert (z, y, x) == (slice(3, 50), slice(8, 46), slice(8, 36))
