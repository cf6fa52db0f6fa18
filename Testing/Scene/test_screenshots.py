"""Pictures of fractured vertebrae."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vtk")
HALF = 299.5


@pytest.fixture
def result(slicer, tmp_path):
    """The example's results in the scene; L1 is fractured."""
    from result_folder import exampleCt, writeFolder
    from VertebraAnalysisLib.SceneWriter import SceneWriter

    return SceneWriter().write(writeFolder(tmp_path / "results"), exampleCt(slicer))


def _fractured(result):
    (vertebra,) = [v for v in result.loadReview().vertebrae if v.grade]
    return vertebra


def _screenshots(result):
    from VertebraAnalysisLib.Screenshots import Screenshots

    return Screenshots(result)


def _readPng(path: Path) -> np.ndarray:
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    columns, rows, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1]


def test_every_fractured_vertebra_gets_a_picture_named_after_it(result, tmp_path):
    v = _fractured(result)
    (path,) = _screenshots(result).export(tmp_path / "pictures é")
    assert path == tmp_path / "pictures é" / f"{v.level}_G{v.grade}_{v.shape}.png"
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_pictures_of_another_patient_are_never_overwritten(result, tmp_path):
    (first,) = _screenshots(result).export(tmp_path)
    before = first.read_bytes()
    (second,) = _screenshots(result).export(tmp_path)
    assert second != first and first.read_bytes() == before


def test_the_body_lies_in_the_middle_of_the_picture_under_any_transform(slicer, result):
    """The same patient turned in the world by a transform gives the same picture."""
    from VertebraAnalysisLib.Coordinates import lpsToRas, matrixFromArray, rasToLps
    from VertebraAnalysisLib.FracturePicture import FracturePicture

    vertebra = _fractured(result)
    screenshots = _screenshots(result)
    plane = FracturePicture(vertebra).plane
    hu = screenshots._huOn(plane)
    outline = max(screenshots._outlinesOn(plane)[vertebra.level], key=len)
    middle = (outline.max(0) + outline.min(0)) / 2
    assert middle[1] == pytest.approx(HALF, abs=6)
    assert hu[300, 300] > 200 > hu[300, 30]

    angle = math.radians(25)
    turn = np.eye(4)
    turn[:3, :3] = [
        [math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)],
    ]  # fmt: skip
    turn[:3, 3] = (40, -25, 60)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrixFromArray(turn))

    def moved(point, shift=1.0):
        return rasToLps(turn[:3, :3] @ np.array(lpsToRas(point)) + shift * turn[:3, 3])

    v = vertebra.current
    axes = v.axes_lps or ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    current = replace(
        v,
        center_lps_mm=moved(v.center_lps_mm),
        axes_lps=tuple(moved(a, 0.0) for a in axes),
        height_lines={},
    )
    turned = FracturePicture(replace(vertebra, current=current)).plane
    straight = FracturePicture(
        replace(vertebra, current=replace(v, axes_lps=axes, height_lines={}))
    ).plane
    for node in (result.inputNode, result.segmentationNode):
        node.SetAndObserveTransformNodeID(None)
    huStraight, outlinesStraight = screenshots._huOn(straight), screenshots._outlinesOn(straight)
    for node in (result.inputNode, result.segmentationNode):
        node.SetAndObserveTransformNodeID(transform.GetID())
    np.testing.assert_allclose(screenshots._huOn(turned), huStraight, atol=1)
    assert screenshots._outlinesOn(turned).keys() == outlinesStraight.keys()


def test_a_ct_stored_as_hu_plus_1024_gives_the_same_picture(slicer, result):
    from VertebraAnalysisLib.FracturePicture import FracturePicture

    plane = FracturePicture(_fractured(result)).plane
    voxels = slicer.util.arrayFromVolume(result.inputNode)
    # The tissues that make it pass for a CT.
    voxels[:, :5], voxels[:, 5:9], voxels[:, 46:] = -1000, -100, -1000
    expected = _screenshots(result)._huOn(plane)
    stored = (np.clip(voxels, -1024, 3000) + 1024).astype(np.uint16)
    slicer.util.updateVolumeFromArray(result.inputNode, stored)
    np.testing.assert_allclose(_screenshots(result)._huOn(plane), expected, atol=1)


def test_a_segment_renamed_by_hand_is_drawn_as_its_vertebra(result):
    from VertebraAnalysisLib.FracturePicture import FracturePicture

    vertebra = _fractured(result)
    plane = FracturePicture(vertebra).plane
    expected = _screenshots(result)._outlinesOn(plane)
    segmentation = result.segmentationNode.GetSegmentation()
    segmentation.GetSegment(result.segmentIdOfKey(vertebra.key)).SetName("T12")
    found = _screenshots(result)._outlinesOn(plane)
    assert found.keys() == expected.keys()
    for level, lines in expected.items():
        assert len(found[level]) == len(lines)
    np.testing.assert_array_equal(found[vertebra.level][0], expected[vertebra.level][0])


def test_heights_are_drawn_where_they_were_measured(result, tmp_path):
    from VertebraAnalysisLib.FracturePicture import FracturePicture

    vertebra = _fractured(result)
    assert vertebra.height_lines
    (path,) = _screenshots(result).export(tmp_path)
    pixels = _readPng(path).astype(int)
    plane = FracturePicture(vertebra).plane
    from VertebraAnalysisLib.Coordinates import lpsToRas

    for line in vertebra.height_lines.values():
        for end in (line.top_lps_mm, line.bottom_lps_mm):
            column, row = np.round(plane.toPixels(np.array(lpsToRas(end)))).astype(int)
            red, green, blue = pixels[row, column]
            assert blue - red > 80 and green > 200, "the end of a height line is cyan"


def test_the_caption_tells_the_grade_and_what_the_reader_changed(result):
    from VertebraAnalysisLib.FracturePicture import FracturePicture

    vertebra = _fractured(result)
    assert (
        FracturePicture(vertebra).captions()[0].startswith(f"{vertebra.level}   G{vertebra.grade}")
    )
    changed = replace(vertebra, current=replace(vertebra.current, grade=3, shape="crush"))
    lines = FracturePicture(changed).captions()
    assert lines[0] == f"{vertebra.level}   G3 crush" or lines[0].startswith(
        f"{vertebra.level}   G3 crush, borderline"
    )
    assert lines[-1].startswith(f"AI: {vertebra.level}   G{vertebra.grade}")


def test_a_result_without_fractures_or_without_its_ct_is_told_in_a_sentence(
    slicer, result, tmp_path
):
    from VertebraAnalysisLib.UserError import UserError

    slicer.mrmlScene.RemoveNode(result.inputNode)
    with pytest.raises(UserError, match="not in the scene"):
        _screenshots(result).export(tmp_path / "none")
    review = result.loadReview()
    review.overrideGrade(_fractured(result).key, 0, None, "no fracture", "reader")
    result.saveReview(review)
    with pytest.raises(UserError, match="No vertebra"):
        _screenshots(result).export(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_text_and_lines_reaching_over_the_edge_are_no_error():
    from VertebraAnalysisLib.PictureCanvas import PictureCanvas

    canvas = PictureCanvas(np.zeros((40, 30)))
    canvas.drawText("A very long caption that fits nowhere", (25, 39), (1, 1, 1))
    canvas.drawPolyline(np.array([[-50, -50], [90, 90], [200, -10]]), (1, 0, 0))
    canvas.drawDot((500, 500), (0, 1, 0))
    assert canvas.pixels.shape == (40, 30, 3) and canvas.pixels.max() > 200
