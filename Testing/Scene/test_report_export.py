"""The report of results as a reader left them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from VertebraAnalysisLib.Coordinates import matrixFromArray
from VertebraAnalysisLib.ReportExport import writeReport
from VertebraAnalysisLib.SceneWriter import SceneWriter
from VertebraAnalysisLib.UserError import UserError

TURN = np.array([[0, -1, 0, 15.0], [1, 0, 0, -10.0], [0, 0, 1, 30.0], [0, 0, 0, 1]])


def change(found, *steps):
    review = found.loadReview()
    for step in steps:
        SceneWriter().update(found, review, step(review))


def report(found, tmp_path):
    writeReport(found, tmp_path / "report ä.html")
    return (tmp_path / "report ä.html").read_text("utf-8")


def titles(page):
    return re.findall(r"<title>(.*?)</title>", page)[1:]


def table(page):
    """Levels of the rows of the table of vertebrae."""
    return re.findall(r"<th scope='row'>(\w+)<br>", page)


def test_an_untouched_analysis_is_reported_as_it_is(found, tmp_path):
    page = report(found, tmp_path)
    assert table(page) == ["T12", "L1", "L2"]
    assert titles(page)[2] == "L1, mid-sagittal, G1 wedge, borderline"
    assert page.count("data:image/png") == 3
    assert "Nothing was changed" in page and "None of the 3 vertebrae" in page
    assert not list(tmp_path.glob("*.partial"))


def test_grades_reasons_and_readers_are_reported(found, tmp_path):
    change(
        found,
        lambda r: r.overrideGrade("v01", 2, "crush", "Old <fracture>", "Dr Müller"),
        lambda r: r.setReviewed("v01", True, "Dr Öz"),
    )
    page = report(found, tmp_path)
    assert titles(page)[0] == (
        "Sagittal view. T12 G2 crush; L1 G1 wedge, borderline; L2 not graded."
    )
    assert "Old &lt;fracture&gt;" in page and "Dr Müller" in page
    assert "1 of 3 vertebrae" in page and "Dr Öz" in page


def test_what_was_undone_is_not_reported(found, tmp_path):
    change(
        found,
        lambda r: r.overrideGrade("v01", 2, "crush", "Mistaken", "Dr Müller"),
        lambda r: r.undo("Dr Müller"),
    )
    assert "Mistaken" not in report(found, tmp_path)


def test_what_is_no_vertebra_is_left_out_and_named(found, tmp_path):
    change(found, lambda r: r.setRejected("v02", True, "Dr Müller"))
    page = report(found, tmp_path)
    assert table(page) == ["T12", "L2"] and "L1" not in titles(page)[0]
    assert "left out here: L1" in page
    assert "No height loss" in page, "its fracture is not counted"


def test_pictures_follow_new_levels(found, tmp_path):
    before = report(found, tmp_path)
    change(found, lambda r: r.shiftLevels(1, "Dr Müller"))
    after = report(found, tmp_path)
    assert table(after) == ["L1", "L2", "L3"]
    # The same outlines in the same places, under other names.
    assert (
        re.findall(r"<path[^>]* d='([^']*)'", after)[:5]
        == (re.findall(r"<path[^>]* d='([^']*)'", before)[:5])
    )


def test_without_the_ct_outlines_are_drawn(slicer, found, tmp_path):
    slicer.mrmlScene.RemoveNode(found.inputNode)
    page = report(found, tmp_path)
    assert "data:image/png" not in page and "<path" in page and table(page)


def test_without_a_segmentation_there_is_the_table_alone(slicer, found, tmp_path):
    slicer.mrmlScene.RemoveNode(found.segmentationNode)
    page = report(found, tmp_path)
    assert "<svg" not in page and table(page) == ["T12", "L1", "L2"]


def test_without_bodies_the_vertebrae_are_drawn(slicer, found, tmp_path):
    slicer.mrmlScene.RemoveNode(found.bodiesNode)
    assert "<path" in report(found, tmp_path)


def test_when_nothing_is_left_that_is_said(found, tmp_path):
    change(found, *(lambda r, k=k: r.setRejected(k, True, "X") for k in ("v01", "v02", "v03")))
    page = report(found, tmp_path)
    assert "No vertebra was found" in page and "left out here: T12, L1, L2" in page


def test_a_common_transform_turns_marks_and_picture_together(slicer, found, tmp_path):
    straight = report(found, tmp_path)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrixFromArray(TURN))
    for node in (found.inputNode, *found.nodes):
        if node.IsA("vtkMRMLTransformableNode"):
            node.SetAndObserveTransformNodeID(transform.GetID())
    turned = report(found, tmp_path)
    # The zoom is along the body's own axes: its marks are where they were.
    zooms = [page[page.rindex("<svg") : page.rindex("</svg>")] for page in (straight, turned)]
    lines, others = ([float(n) for n in re.findall(r"\d+\.\d+", zoom)] for zoom in zooms)
    assert len(lines) > 20 and others == pytest.approx(lines, abs=0.15)
    assert zooms[0].count("<path") == zooms[1].count("<path") > 4


def test_a_ct_that_was_moved_alone_is_told_and_nothing_is_written(slicer, found, tmp_path):
    found.inputNode.SetOrigin(0, 0, 0)
    with pytest.raises(UserError, match="not where it was"):
        writeReport(found, tmp_path / "report.html")
    assert not list(tmp_path.glob("*.html"))


def test_a_folder_that_is_not_there_is_told(found, tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        writeReport(found, tmp_path / "nowhere" / "report.html")


def test_the_scene_is_not_changed(slicer, found, tmp_path):
    scene = slicer.mrmlScene
    before = scene.GetNumberOfNodes(), found.textNode.GetText()
    report(found, tmp_path)
    assert (scene.GetNumberOfNodes(), found.textNode.GetText()) == before
