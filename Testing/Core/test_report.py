"""The report: complete, self-contained, and drawn where things are."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from example_analysis import example
from vertebra_core.analysis import Flag, HeightLoss, Vertebra
from vertebra_core.errors import Cancelled
from vertebra_core.missing import WITHOUT_CT
from vertebra_core.output.contours import outlines
from vertebra_core.output.png import png_bytes, png_data_uri
from vertebra_core.output.report_html import report_html
from vertebra_core.output.report_table import table_html
from vertebra_core.output.spine_pictures import label_boxes, take_picture
from vertebra_core.output.spine_surfaces import body_surface, coronal_surface, sagittal_surface

VOID = {"meta", "br"}


class Checker(HTMLParser):
    """Collects text and complains about tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    ct, labels, bodies, analysis = example()
    return report_html(analysis, ct, labels, bodies)


def text_of(page: str) -> str:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return " ".join(checker.text)


def test_page_is_well_formed_and_says_what_matters(page):
    text = text_of(page)
    for wanted in (
        "For research only", "3 vertebrae, T12 to L2", "L1 grade 1 (mild, wedge)",
        "Near a threshold between grades: L1", "Not graded: L2", "G1 wedge, borderline",
        "The edge of the scan cuts the body.", 'The voxels are <large> & "coarse".', "26.5",
        "48.2", "ab" * 32,
    ):  # fmt: skip
        assert wanted in text, wanted


def test_head_tells_the_scan_its_series_and_when_it_was_analysed(page):
    head = text_of(page.partition("<div class='summary'>")[0] + "</main></body></html>")
    for wanted in ("spine <1>.nii.gz", "1.2.840.7", "2026-03-01 12:30:05 UTC", "0.1.0"):
        assert wanted in head, wanted
    assert "python 3.11.2" in text_of(page)


def test_head_of_an_analysis_of_an_earlier_version_says_that_the_name_is_not_known():
    ct, labels, bodies, analysis = example()
    plain = replace(analysis.manifest, input_name=None, series_uid=None, created=None, versions={})
    text = text_of(report_html(replace(analysis, manifest=plain), ct, labels, bodies))
    assert "name not known" in text and "DICOM series" not in text and "Analysed" not in text


def test_page_needs_nothing_from_elsewhere(page):
    links = re.findall(r"(?:href|src|url)\s*[=(]\s*['\"]?([^'\"\s>)]*)", page)
    assert links and all(link.startswith("data:image/png;base64,") for link in links)
    assert "default-src 'none'" in page and "<script" not in page


def test_pictures_are_drawn_for_spine_and_conspicuous_vertebrae(page):
    assert page.count("<svg") == 3
    assert re.findall(r"<title>(.*?)</title>", page)[1:] == [
        "Sagittal view. T12 G0; L1 G1 wedge, borderline; L2 not graded.",
        "Coronal view. T12 G0; L1 G1 wedge, borderline; L2 not graded.",
        "L1, mid-sagittal, G1 wedge, borderline",
    ]


def test_page_without_ct_shows_outlines_and_says_once_what_is_missing():
    _, labels, bodies, analysis = example()
    bare = replace(
        analysis,
        vertebrae=tuple(replace(v, density_hu=None) for v in analysis.vertebrae[:2]),
        manifest=replace(analysis.manifest, options=dict(WITHOUT_CT)),
    )
    page = report_html(bare, None, labels, bodies)
    assert "data:image" not in page and "<path" in page
    assert text_of(page).count("no CT was given") == 1 and "too little bone" not in page


def test_page_without_vertebrae_is_a_page():
    ct, labels, bodies, analysis = example()
    empty = replace(labels, labels=np.zeros_like(labels.labels))
    page = report_html(replace(analysis, vertebrae=()), ct, empty, np.zeros_like(bodies))
    assert "No vertebra was found" in text_of(page)


def test_reporting_can_be_cancelled():
    ct, labels, bodies, analysis = example()
    with pytest.raises(Cancelled):
        report_html(analysis, ct, labels, bodies, lambda: True)


def test_outlines_run_half_way_between_pixels():
    values = np.zeros((20, 30))
    values[5:11, 8:21] = 1
    (line,) = outlines(values)
    assert line.min(0) == pytest.approx([7.5, 4.5]) and line.max(0) == pytest.approx([20.5, 10.5])
    assert np.allclose(line[0], line[-1])
    assert outlines(np.zeros((4, 4))) == []
    (edge,) = outlines(np.ones((4, 6)))
    assert edge.max(0) == pytest.approx([5.5, 3.5], abs=0.5)


@pytest.mark.parametrize("make", [sagittal_surface, coronal_surface])
def test_overview_outlines_lie_around_body_centres(make):
    ct, labels, bodies, analysis = example()
    surface = make(analysis.vertebrae, labels)
    picture = take_picture(surface, ct, labels, bodies, label_boxes(labels.labels))
    for vertebra, number in zip(analysis.vertebrae, (19, 20, 21), strict=True):
        (line,) = picture.bodies[number]
        center = surface.to_pixel(np.array(vertebra.center_lps_mm))
        middle = (line.min(0) + line.max(0)) / 2
        # Boxes turned by 30 degrees are cut obliquely, but evenly, by the patient's planes.
        assert middle == pytest.approx(center, abs=2.0)
        height_mm = np.ptp(line[:, 1]) * surface.pixel_mm
        assert height_mm == pytest.approx(26.0, abs=0.5)


def test_pixels_and_positions_agree_on_every_surface():
    _, labels, _, analysis = example()
    for surface in (
        sagittal_surface(analysis.vertebrae, labels),
        coronal_surface(analysis.vertebrae, labels),
        body_surface(analysis.vertebrae[1]),
    ):
        row, column = 5, 7
        assert surface.to_pixel(surface.points_lps_mm[row, column]) == pytest.approx([column, row])


def test_body_plane_shows_the_body_upright_with_its_front_left():
    ct, labels, bodies, analysis = example()
    vertebra = analysis.vertebrae[1]
    surface = body_surface(vertebra)
    picture = take_picture(surface, ct, labels, bodies, label_boxes(labels.labels))
    (body,) = picture.bodies[20]
    extent_mm = np.ptp(body, axis=0) * surface.pixel_mm
    assert extent_mm == pytest.approx([18 * 1.25, 26.0], abs=0.6)
    whole = np.concatenate(picture.vertebrae[20])
    assert whole[:, 0].max() > body[:, 0].max() + 10
    top = surface.to_pixel(np.array(vertebra.height_lines["middle"].top_lps_mm))
    assert top[1] == pytest.approx(body[:, 1].min(), abs=0.6)
    inside, outside = (picture.grey[76, 64], picture.grey[76, 5])
    assert int(inside) > int(outside) + 40


def test_png_holds_the_picture(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (13, 21)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(png_bytes(grey))
    back = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.png")))
    assert np.array_equal(back, grey)
    assert base64.b64decode(png_data_uri(grey).partition(",")[2]) == png_bytes(grey)


def test_a_reason_that_another_goes_on_with_is_said_once():
    cut = "The edge of the scan cuts the body."
    more = "The edge of the scan cuts the body, so its heights are not known."
    flags = (Flag("cut_by_field_of_view", cut), Flag("not_graded", more))
    lone = Vertebra("L1", 1.0, None, (0.0, 0.0, 0.0), flags=flags)
    table = table_html([lone])
    assert more in table and f"<p>{cut}</p>" not in table


def test_what_is_true_of_all_vertebrae_is_said_once_above_the_table():
    thick = "Voxels of 5.5 mm make heights coarse."
    coarse = "Voxels of 5.5 mm are too coarse to measure heights."
    rows = [
        Vertebra(level, 1.0, None, (0.0, 0.0, 0.0), volume_ml=40.0,
                 flags=(Flag("low_resolution", thick), Flag("not_graded", coarse),
                        Flag("metal", f"Metal in {level}.")))
        for level in ("L1", "L2")
    ]  # fmt: skip
    table = table_html(rows)
    for reason in (thick, coarse):
        assert table.count(reason) == 1 and f"All vertebrae: {reason}" in table
    assert "Metal in L1." in table and "Metal in L2." in table
    cut = "The edge of the scan cuts the body."
    more = "The edge of the scan cuts the body, so its heights are not known."
    flags = (Flag("cut_by_field_of_view", cut), Flag("not_graded", more))
    table = table_html([replace(v, flags=flags) for v in rows])
    assert table.count("The edge of the scan") == 1


LESION = Flag("lesion_candidate", "A lytic lesion is suspected.", (1.0, 2.0, 3.0), 0.81)


def with_lesion(vertebra: Vertebra, left_mm: float, up_mm: float) -> Vertebra:
    """The vertebra with a lesion candidate off its centre."""
    left, _, up = (np.array(axis) for axis in vertebra.axes_lps)
    place = np.array(vertebra.center_lps_mm) + left_mm * left + up_mm * up
    return replace(vertebra, flags=(*vertebra.flags, replace(LESION, position_lps_mm=tuple(place))))


def test_a_suspected_lesion_is_shown_where_it_is_and_its_row_stands_out():
    ct, labels, bodies, analysis = example()
    first, second, third = analysis.vertebrae
    assert "class='attention'" not in table_html([first])
    first, second = with_lesion(first, 8.0, 4.0), with_lesion(second, -6.0, 0.0)
    assert "class='attention'" in table_html([first])
    page = report_html(replace(analysis, vertebrae=(first, second, third)), ct, labels, bodies)
    assert re.findall(r"<title>(.*?)</title>", page)[3:] == [
        "T12, sagittal, suspected lesion",
        "L1, mid-sagittal, G1 wedge, borderline",
        "L1, sagittal, suspected lesion",
    ]
    assert page.count("<circle") == 4 and "confidence 0.81" in page
    # 8 mm aside, 4 mm above the centre: the plane goes through it, the ring lies around it.
    surface = body_surface(first, first.flags[-1].position_lps_mm)
    column, row = surface.to_pixel(np.array(first.flags[-1].position_lps_mm))
    assert surface.points_lps_mm[round(row), round(column)] == pytest.approx(
        first.flags[-1].position_lps_mm, abs=0.3
    )
    zooms = page.partition("Vertebrae to look at")[2]
    x, y = map(float, re.search(r"<circle cx='([\d.]+)' cy='([\d.]+)'", zooms).groups())
    width, height = map(float, re.search(r"viewBox='0 0 ([\d.]+) ([\d.]+)'", zooms).groups())
    columns, rows = surface.size
    assert (x / width, y / height) == pytest.approx(
        ((column + 0.5) / columns, (row + 0.5) / rows), abs=0.002
    )


def test_a_lesion_without_a_place_is_shown_by_the_middle_of_its_body():
    ct, labels, bodies, analysis = example()
    flags = (replace(LESION, position_lps_mm=None, confidence=None),)
    first = replace(analysis.vertebrae[0], flags=flags)
    page = report_html(replace(analysis, vertebrae=(first,)), ct, labels, bodies)
    assert "T12, mid-sagittal, G0" in page and "<circle" not in page


def test_the_report_grades_from_40_percent_on_as_the_program_does():
    assert "from 40 % on severe (G3)" in " ".join(table_html(example()[3].vertebrae).split())


@pytest.mark.parametrize(
    ("weights", "options", "said"),
    [
        ("grading", {"grader": "grading"}, "gives a second opinion"),
        ("grading", {"input": "segmentation and CT"}, "gives a second opinion"),
        ("fracsegnet", {"grader": "fracsegnet"}, "those of the network fracsegnet alone"),
        ("locnet", dict(WITHOUT_CT), "rest on heights alone"),
    ],
)
def test_the_report_names_what_its_grades_rest_on(weights, options, said):
    analysis = example()[3]
    manifest = replace(analysis.manifest, weights_sha256={weights: "ab"}, options=options)
    page = report_html(replace(analysis, manifest=manifest), None, None, None)
    method = page.partition("<dt>Method</dt>")[2]
    assert said in method and "Panjabi" in method and "Genant" in method


def test_a_loss_of_20_percent_is_worth_a_look_whatever_its_grade():
    ct, labels, bodies, analysis = example()
    sound, *others = analysis.vertebrae
    lost = replace(sound, height_loss=HeightLoss(0.24, 0.05, -0.02))
    page = report_html(replace(analysis, vertebrae=(lost, *others)), ct, labels, bodies)
    assert "T12, mid-sagittal, G0" in page


def test_a_probability_below_the_threshold_is_not_rounded_up_to_it():
    vertebra = replace(
        example()[3].vertebrae[0],
        level_probability=0.897,
        runner_up_level="T11",
        runner_up_probability=0.1,
    )
    table = table_html([vertebra])
    assert "<small>89 %, or T11 10 %</small>" in table and "90 %" not in table
    old = table_html([replace(vertebra, runner_up_probability=None)])
    assert "<small>89 %, or T11</small>" in old


def test_a_given_level_is_told_as_given():
    given = {"level_probability": None, "runner_up_probability": None}
    table = table_html([replace(example()[3].vertebrae[0], **given)])
    assert "<small>given</small>" in table
