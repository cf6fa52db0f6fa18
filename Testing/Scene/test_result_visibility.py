"""Only the results that are under review are displayed."""

from __future__ import annotations

import pytest
from result_folder import exampleCt, reopen, writeFolder
from VertebraAnalysisLib.HeightLinesWriter import HeightLinesWriter
from VertebraAnalysisLib.ResultSet import ResultSet
from VertebraAnalysisLib.ReviewSession import ReviewSession
from VertebraAnalysisLib.SceneWriter import SceneWriter


@pytest.fixture
def two(slicer, tmp_path):
    """Two result sets of one CT."""
    folder, ct = writeFolder(tmp_path / "results"), exampleCt(slicer)
    return SceneWriter().write(folder, ct), SceneWriter().write(folder, ct)


@pytest.fixture
def session():
    return ReviewSession(SceneWriter(), lambda: "Reader")


def shown(resultSet):
    """What is displayed of a result set."""
    named = {"segmentation": resultSet.segmentationNode, "bodies": resultSet.bodiesNode,
             "points": resultSet.centersNode}  # fmt: skip
    named |= {" ".join(key): node for key, node in resultSet.heightLineNodes.items()}
    return {name for name, node in named.items() if node.GetDisplayVisibility()}


ALL = {"segmentation", "points", "v02 anterior", "v02 middle", "v02 posterior"}


def test_opening_one_of_two_results_hides_the_other(two, session):
    first, second = two
    session.open(first)
    assert shown(first) == ALL and shown(second) == set()
    session.open(second)
    assert shown(first) == set() and shown(second) == ALL


def test_what_the_user_hid_or_showed_is_found_again(two, session):
    first, second = two
    session.open(first)
    first.segmentationNode.SetDisplayVisibility(False)
    first.bodiesNode.SetDisplayVisibility(True)
    HeightLinesWriter.hide(first, "v02")
    session.open(second)
    assert shown(first) == set()
    session.open(first)
    assert shown(first) == {"bodies", "points"}


def test_results_shown_by_hand_beside_others_stay_so(two, session):
    first, second = two
    session.open(second)
    first.segmentationNode.SetDisplayVisibility(True)
    session.change(lambda review, reader: review.acceptAll(reader))
    assert shown(first) == {"segmentation"}
    session.open(first)
    assert shown(first) == ALL


def test_without_results_under_review_none_are_displayed(two, session):
    session.open(two[0])
    session.open(None)
    assert shown(two[0]) == shown(two[1]) == set()
    session.open(two[0])
    assert shown(two[0]) == ALL


def test_hidden_results_are_shown_when_opened_in_a_reopened_scene(slicer, two, session, tmp_path):
    session.open(two[0])
    reopen(slicer, tmp_path / "two.mrb")
    first, second = ResultSet.findAll(slicer.mrmlScene)
    again = ReviewSession(SceneWriter(), lambda: "Reader")
    again.open(second)
    assert shown(first) == set() and shown(second) == ALL


def test_results_that_cannot_be_read_hide_nothing(two, session):
    from VertebraAnalysisLib.UserError import UserError

    first, second = two
    session.open(first)
    second.textNode.SetText("{}")
    with pytest.raises(UserError):
        session.open(second)
    assert shown(first) == ALL


def test_closing_the_scene_with_results_open_is_no_trouble(slicer, two, session):
    session.open(two[0])
    slicer.mrmlScene.Clear(False)
    session.open(None)
    assert not session.isOpen
