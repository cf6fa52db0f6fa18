"""A CT that was moved after its analysis is noticed; moved together with its results, all fits."""

from __future__ import annotations

import json

import numpy as np
import pytest
from result_folder import exampleCt, lpsMove, reopen, segmentVoxelsRas, writeFolder
from vertebra_core.analysis import Flag, Vertebra
from VertebraAnalysisLib.Coordinates import lpsToRas, matrixFromArray
from VertebraAnalysisLib.HeightLinesWriter import HeightLinesWriter
from VertebraAnalysisLib.InputPlace import requireInputInPlace, resultsToWorld
from VertebraAnalysisLib.LabelMapExport import LabelMapExport
from VertebraAnalysisLib.MovedVertebra import movedVertebra
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.ReviewSession import ReviewSession
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.UserError import UserError

TURN = np.array([[0, -1, 0, 15.0], [1, 0, 0, -10.0], [0, 0, 1, 30.0], [0, 0, 0, 1]])
"""A quarter turn about the long axis of the patient, and a shift."""

MOVED = "not where it was"


def shift(x=0.0, y=0.0, z=0.0):
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def transformOf(slicer, matrix):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(matrixFromArray(matrix))
    return node


def place(slicer, matrix, *nodes):
    """Put nodes under one transform."""
    transform = transformOf(slicer, matrix)
    for node in nodes:
        if node.IsA("vtkMRMLTransformableNode"):
            node.SetAndObserveTransformNodeID(transform.GetID())


def opened(resultSet):
    session = ReviewSession(SceneWriter(), lambda: "Reader")
    session.open(resultSet)
    return session


def screenshots(resultSet):
    # Needs the translations of an application that has started.
    from VertebraAnalysisLib.Screenshots import Screenshots

    return Screenshots(resultSet)


def isInPlace(resultSet):
    try:
        requireInputInPlace(resultSet)
    except UserError as error:
        assert MOVED in error.message and error.hint
        return False
    return True


def test_a_ct_that_stays_is_in_place_in_a_reopened_scene_too(slicer, found, tmp_path):
    assert isInPlace(found) and opened(found).notices == ()
    reopen(slicer, tmp_path / "same.mrb")
    (again,) = ResultSet.findAll(slicer.mrmlScene)
    assert isInPlace(again) and opened(again).notices == ()


@pytest.mark.parametrize("harden", [False, True])
@pytest.mark.parametrize("matrix", [shift(x=40), shift(z=0.5), shift(z=4), TURN])
def test_a_ct_that_was_moved_alone_is_noticed(slicer, found, matrix, harden):
    place(slicer, matrix, found.inputNode)
    if harden:
        found.inputNode.HardenTransform()
    assert not isInPlace(found)
    assert any(MOVED in notice for notice in opened(found).notices)


def test_a_ct_turned_onto_its_own_voxels_is_noticed(slicer, found):
    ct = found.inputNode
    bounds = [0.0] * 6
    ct.GetRASBounds(bounds)
    middle = np.mean(np.reshape(bounds, (3, 2)), 1)
    half = np.diag([-1.0, -1.0, 1.0, 1.0])
    half[:3, 3] = middle - half[:3, :3] @ middle
    place(slicer, half, ct)
    assert not isInPlace(found)


def test_a_ct_that_only_trembles_in_the_last_decimals_is_in_place(slicer, found):
    place(slicer, shift(0.01, -0.01, 0.01), found.inputNode)
    assert isInPlace(found)


@pytest.mark.parametrize("harden", [False, True])
def test_a_cropped_analysis_lies_in_its_ct_until_that_is_moved(slicer, tmp_path, harden):
    folder = writeFolder(tmp_path)
    content = json.loads((folder / "analysis.json").read_text("utf-8"))
    from example_analysis import DIRECTION, ORIGIN_LPS_MM, SPACING_XYZ_MM

    axes = np.reshape(DIRECTION, (3, 3)) * SPACING_XYZ_MM
    origin = np.array(ORIGIN_LPS_MM) + axes @ [8, 5, 2]
    content["manifest"] |= {"input_size_xyz": [30, 40, 46], "input_origin_lps_mm": list(origin)}
    (folder / "analysis.json").write_text(json.dumps(content), "utf-8")
    found = SceneWriter().write(folder, exampleCt(slicer))
    assert isInPlace(found)
    # Whole voxels, so that the cropped part would fit again.
    place(slicer, shift(z=4.0), found.inputNode)
    if harden:
        found.inputNode.HardenTransform()
    assert not isInPlace(found)


def test_a_scene_without_a_note_of_the_place_goes_by_the_analysis(slicer, found):
    for name in list(found.textNode.GetAttributeNames()):
        if "Input" in name:
            found.textNode.RemoveAttribute(name)
    assert isInPlace(found)
    place(slicer, TURN, found.inputNode)
    assert not isInPlace(found)


def test_results_whose_ct_is_gone_have_nothing_to_be_compared_with(slicer, found):
    slicer.mrmlScene.RemoveNode(found.inputNode)
    assert isInPlace(found) and opened(found).notices == ()


def test_a_ct_moved_together_with_its_results_is_in_place(slicer, found):
    place(slicer, TURN, found.inputNode, *found.nodes)
    assert isInPlace(found) and opened(found).notices == ()
    assert resultsToWorld(found) == pytest.approx(TURN)


def test_results_that_were_moved_or_stretched_are_noticed(slicer, found):
    place(slicer, TURN, *found.nodes)
    assert not isInPlace(found)
    place(slicer, np.diag([1.0, 1.0, 1.3, 1.0]), found.inputNode, *found.nodes)
    assert not isInPlace(found)


def test_a_bending_transform_above_the_ct_is_a_movement(slicer, found):
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    found.inputNode.SetAndObserveTransformNodeID(bent.GetID())
    assert not isInPlace(found)


def test_a_ct_moved_while_it_was_analyzed_is_told_and_its_results_are_kept(slicer, tmp_path):
    ct = exampleCt(slicer)
    place(slicer, shift(x=40), ct)
    found = SceneWriter().write(writeFolder(tmp_path), ct)
    assert any(MOVED in notice for notice in opened(found).notices)
    assert found.segmentationNode is not None
    ct.SetAndObserveTransformNodeID(None)
    assert isInPlace(found) and opened(found).notices == ()


def test_a_ct_analyzed_under_a_transform_is_in_place_there(slicer, tmp_path):
    ct = exampleCt(slicer)
    place(slicer, TURN, ct)
    found = SceneWriter().write(writeFolder(tmp_path, move=lpsMove(TURN)), ct)
    assert isInPlace(found)
    ct.SetAndObserveTransformNodeID(None)
    assert not isInPlace(found)


def test_nothing_is_exported_from_a_moved_ct(slicer, found, tmp_path):
    place(slicer, shift(x=40), found.inputNode)
    with pytest.raises(UserError, match=MOVED):
        LabelMapExport.write(found, tmp_path / "labels.nii.gz")
    with pytest.raises(UserError, match=MOVED):
        screenshots(found).export(tmp_path / "pictures")
    assert not list(tmp_path.glob("labels*")) and not (tmp_path / "pictures").exists()


def test_points_and_lines_stay_where_a_common_transform_took_them(slicer, found):
    session = opened(found)
    place(slicer, TURN, found.inputNode, *found.nodes)
    line = found.heightLineNodes["v02", "anterior"]
    before = [list(found.centersNode.GetNthControlPointPositionWorld(i)) for i in range(3)]
    end = list(line.GetNthControlPointPositionWorld(0))
    session.change(lambda review, reader: review.acceptAll(reader))
    after = [list(found.centersNode.GetNthControlPointPositionWorld(i)) for i in range(3)]
    assert after == before and list(line.GetNthControlPointPositionWorld(0)) == end


def test_a_height_drawn_under_a_common_transform_is_kept_where_the_analysis_is(slicer, found):
    place(slicer, TURN, found.inputNode, *found.nodes)
    session = opened(found)
    before = HeightLinesWriter.readLines(found, "v02")
    assert before["anterior"] == session.review.vertebra("v02").height_lines["anterior"]
    line = found.heightLineNodes["v02", "anterior"]
    x, y, z = line.GetNthControlPointPositionWorld(0)
    line.SetNthControlPointPositionWorld(0, x, y, z - 6)
    lines = HeightLinesWriter.readLines(found, "v02")
    session.change(lambda r, reader: r.setHeightLines("v02", lines, reader))
    assert session.review.vertebra("v02").heights_mm.anterior == pytest.approx(20, abs=1e-3)
    assert list(line.GetNthControlPointPositionWorld(0)) == pytest.approx([x, y, z - 6], abs=1e-4)


def test_lines_that_are_made_later_are_under_the_transform_of_their_results(slicer, found):
    session = opened(found)
    place(slicer, TURN, found.inputNode, *found.nodes)
    session.change(lambda r, reader: r.overrideGrade("v01", 2, "wedge", "x", reader))
    line = found.heightLineNodes["v01", "anterior"]
    body = segmentVoxelsRas(found.bodiesNode, found.segmentIdOfKey("v01", bodies=True))
    own = [line.GetNthControlPointPosition(i) for i in (0, 1)]
    assert np.abs(body.mean(0) - np.mean(own, 0)).max() < 15
    shown = np.array(line.GetNthControlPointPositionWorld(0))
    assert shown == pytest.approx(TURN[:3, :3] @ own[0] + TURN[:3, 3])


def test_a_moved_vertebra_is_turned_and_shifted_with_its_marks():
    from vertebra_core.analysis import HeightLine, Heights

    mark = Flag("lesion_candidate", "A lesion.", (10.0, 0.0, 0.0), 0.9)
    vertebra = Vertebra(
        "L1", 1.0, None, (10.0, 20.0, 5.0), axes_lps=((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)),
        heights_mm=Heights(20.0, 21.0, 22.0),
        height_lines={"middle": HeightLine((0.0, 0.0, 11.0), (0.0, 0.0, -10.0))}, flags=(mark,),
    )  # fmt: skip
    now = movedVertebra(vertebra, TURN)
    # LPS (10, 20) is RAS (-10, -20), which a quarter turn takes to (20, -10).
    assert now.center_lps_mm == pytest.approx((-35.0, 20.0, 35.0))
    assert now.axes_lps[0] == pytest.approx((0, 1, 0)) and now.axes_lps[2] == (0, 0, 1)
    assert now.height_lines["middle"].top_lps_mm == pytest.approx((-15.0, 10.0, 41.0))
    assert now.flags[0].position_lps_mm == pytest.approx((-15.0, 20.0, 30.0))
    assert (now.heights_mm, now.level) == (vertebra.heights_mm, "L1")
    back = movedVertebra(now, np.linalg.inv(TURN))
    assert back.center_lps_mm == pytest.approx(vertebra.center_lps_mm)
    assert movedVertebra(Vertebra("C1", None, None, (0, 0, 0)), TURN).axes_lps is None


def test_a_picture_shows_the_body_where_a_common_transform_took_it(slicer, found):
    (vertebra,) = [v for v in found.loadReview().vertebrae if v.grade]
    straight = screenshots(found).picture(vertebra).pixels
    place(slicer, TURN, found.inputNode, *found.nodes)
    turned = screenshots(found).picture(vertebra).pixels
    assert np.abs(turned.astype(float) - straight).mean() < 1e-3


def test_the_world_of_results_without_a_segmentation_is_that_of_their_points(slicer, found):
    slicer.mrmlScene.RemoveNode(found.segmentationNode)
    assert resultsToWorld(found) == pytest.approx(np.eye(4))
    place(slicer, TURN, found.centersNode)
    assert resultsToWorld(found) == pytest.approx(TURN)
    center = found.loadReview().vertebra("v02").center_lps_mm
    shown = found.centersNode.GetNthControlPointPositionWorld(1)
    expected = TURN[:3, :3] @ lpsToRas(center) + TURN[:3, 3]
    assert list(shown) == pytest.approx(expected, abs=1e-3)
