"""Grading of segmentations that somebody else made."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from example_analysis import LEVELS, example
from vertebra_core.command_line import main
from vertebra_core.errors import Cancelled, InputError
from vertebra_core.grade_pipeline import GradeOptions, grade_segmentation
from vertebra_core.grading_backend import GradingBackend
from vertebra_core.output.label_map import write_label_map
from vertebra_core.segment_levels import numbered_by_level
from vertebra_core.volume import CtVolume, LabelVolume
from vertebra_core.volume_source import VolumeSource

HEIGHTS_ALONE = GradeOptions(device="cpu", threads=1)
BACKEND = GradingBackend(lambda ct, candidates, vertebrae: tuple(vertebrae), {}, "cpu")


def on_grid_of(labels: LabelVolume, array: np.ndarray, names=None) -> LabelVolume:
    return LabelVolume(
        array, labels.spacing_xyz_mm, labels.origin_lps_mm, labels.direction, names or {}
    )


def numbers_in(array: np.ndarray) -> set[int]:
    return set(np.unique(array).tolist())


def test_verse_numbers_pass_and_other_structures_go():
    _, labels, _, _ = example()
    labels.labels[0, 0, 0] = 26
    named, warnings = numbered_by_level(labels)
    assert numbers_in(named.labels) == {0, 19, 20, 21, 26} and warnings == ()


def test_numbers_of_totalsegmentator_are_recognised_and_told():
    _, labels, _, _ = example()
    theirs = np.zeros(64, np.uint8)
    theirs[[19, 20, 21]] = (32, 31, 30)
    named, (warning,) = numbered_by_level(on_grid_of(labels, theirs[labels.labels]))
    assert np.array_equal(named.labels, labels.labels)
    assert "TotalSegmentator" in warning


def test_the_numbering_can_be_told_where_numbers_alone_cannot_tell_it():
    _, labels, _, _ = example()
    theirs = np.zeros(64, np.uint8)
    theirs[[19, 20, 21]] = (0, 28, 26)
    ambiguous = on_grid_of(labels, theirs[labels.labels], {28: "T4"})
    named, warnings = numbered_by_level(ambiguous, "totalsegmentator")
    assert numbers_in(named.labels) == {0, 23, 26} and warnings == ()
    named, warnings = numbered_by_level(ambiguous, "verse")
    assert numbers_in(named.labels) == {0, 26, 28} and warnings == ()
    # Left to itself it goes by names, then by the numbers, and doubts a T13 on its own.
    assert numbers_in(numbered_by_level(ambiguous)[0].labels) == {0, 11}
    named, (warning,) = numbered_by_level(replace(ambiguous, names={}))
    assert numbers_in(named.labels) == {0, 26, 28} and "--numbers totalsegmentator" in warning
    theirs[[19, 20, 21]] = (19, 28, 20)
    assert numbered_by_level(on_grid_of(labels, theirs[labels.labels]))[1] == ()


def test_grade_takes_the_numbering_it_is_told():
    _, labels, bodies, _ = example()
    theirs = np.zeros(64, np.uint8)
    theirs[[19, 20, 21]] = (0, 28, 0)
    segmentation, own = (on_grid_of(labels, theirs[m]) for m in (labels.labels, bodies))
    options = GradeOptions(numbers="totalsegmentator")
    result, grid = grade_segmentation(segmentation, None, own, options, backend=BACKEND)
    assert [v.level for v in result.analysis.vertebrae] == ["L4"]
    assert numbers_in(grid.labels) == numbers_in(result.bodies) == {0, 23}
    assert result.analysis.manifest.options["numbers"] == "totalsegmentator"


def test_thick_slices_of_a_segmentation_hide_thoracic_discs_only():
    _, labels, bodies, _ = example()
    thick = [
        replace(m, spacing_xyz_mm=(*m.spacing_xyz_mm[:2], 2.6))
        for m in (labels, on_grid_of(labels, bodies))
    ]
    result, _ = grade_segmentation(thick[0], None, thick[1], backend=BACKEND)
    flags = {v.level: [f.code for f in v.flags] for v in result.analysis.vertebrae}
    assert "low_resolution" in flags["T12"] and "low_resolution" not in flags["L1"]


def test_slices_of_the_ct_that_seem_thick_are_told_with_a_segmentation_too(monkeypatch):
    monkeypatch.setattr("vertebra_core.geometry_flags.seeming_slice_mm", lambda *_: 3.5)
    ct, labels, bodies, _ = example()
    for scan, told in ((ct, True), (None, False)):
        result, _ = grade_segmentation(labels, scan, on_grid_of(labels, bodies), backend=BACKEND)
        for vertebra in result.analysis.vertebrae:
            assert any("thicker" in f.reason for f in vertebra.flags) is told


@pytest.mark.parametrize(
    "names", [("T12", "L1", "L2"), ("vertebra_T12", "vertebrae_L1", "L2 vertebra"),
              ("TH12", "Vertebra L1", "l2")]
)  # fmt: skip
def test_names_of_segments_count_more_than_numbers(names):
    _, labels, _, _ = example()
    theirs = np.zeros(64, np.uint8)
    theirs[[19, 20, 21]] = (3, 1, 7)
    array = theirs[labels.labels]
    array[0, 0, 0] = 9
    named, (warning,) = numbered_by_level(
        on_grid_of(labels, array, {3: names[0], 1: names[1], 7: names[2], 9: "Left kidney"})
    )
    assert np.array_equal(named.labels, np.where(array == 9, 0, labels.labels))
    assert "Left kidney" in warning


def test_two_segments_of_one_level_are_refused():
    _, labels, _, _ = example()
    with pytest.raises(InputError) as refused:
        numbered_by_level(replace(labels, names={19: "T12", 20: "L2", 21: "vertebra L2"}))
    assert refused.value.code == "double_level"


def test_a_map_without_vertebrae_is_refused():
    _, labels, _, _ = example()
    with pytest.raises(InputError) as refused:
        grade_segmentation(on_grid_of(labels, np.full_like(labels.labels, 200)), backend=BACKEND)
    assert refused.value.code == "no_vertebra_labels"


def test_masks_reach_the_grading_in_their_place():
    _, labels, bodies, _ = example()
    seen = {}

    def grade(ct, candidates, vertebrae):
        seen.update(zip((v.level for v in vertebrae), candidates, strict=True))
        return tuple(vertebrae)

    result, grid = grade_segmentation(
        labels, bodies=on_grid_of(labels, bodies), backend=GradingBackend(grade, {}, "cpu")
    )
    assert list(seen) == ["T12", "L1", "L2"]
    assert np.array_equal(result.labels, labels.labels) and grid.direction == labels.direction
    assert (result.bodies != bodies).mean() < 0.005
    for level, candidate in seen.items():
        number, z = LEVELS[level]
        center = labels.index_to_lps(np.argwhere(bodies == number)).mean(0)
        assert candidate.center_lps_mm == pytest.approx(center, abs=0.3)
        body_ml = (bodies == number).sum() * np.prod(labels.spacing_xyz_mm) / 1000
        assert (candidate.mask.body > 0.5).sum() / 1000 == pytest.approx(body_ml, rel=0.06)
        assert (candidate.mask.vertebra > 0.5).sum() > (candidate.mask.body > 0.5).sum()


def test_labels_are_taken_to_the_grid_of_the_ct():
    ct, labels, bodies, _ = example()
    finer = CtVolume(
        np.zeros((108, 48, 44), np.int16), (1.5, 1.25, 1.0), ct.origin_lps_mm, ct.direction
    )
    result, grid = grade_segmentation(labels, finer, on_grid_of(labels, bodies), backend=BACKEND)
    assert result.labels.shape == finer.hu.shape == grid.labels.shape
    assert numbers_in(result.labels) == {0, 19, 20, 21}


def test_a_segmentation_of_another_scan_is_refused():
    ct, labels, _, _ = example()
    elsewhere = replace(ct, origin_lps_mm=(500.0, 0.0, 0.0))
    with pytest.raises(InputError) as refused:
        grade_segmentation(labels, elsewhere, backend=BACKEND)
    assert refused.value.code == "no_overlap"


def test_segments_whose_names_say_no_level_are_told():
    _, labels, _, _ = example()
    unnamed = on_grid_of(labels, labels.labels, {20: "Segment_1", 21: "Segment_2"})
    numbered, warnings = numbered_by_level(unnamed)
    assert numbers_in(numbered.labels) == numbers_in(labels.labels)
    assert len(warnings) == 1 and "No segment bears the name of a level" in warnings[0]


def test_bodies_of_another_scan_are_refused():
    _, labels, bodies, _ = example()
    elsewhere = replace(on_grid_of(labels, bodies), origin_lps_mm=(500.0, 0.0, 0.0))
    with pytest.raises(InputError) as refused:
        grade_segmentation(labels, None, elsewhere, backend=BACKEND)
    assert refused.value.code == "no_overlap"


def test_manifest_states_the_ct_and_without_one_the_segmentation():
    ct, labels, bodies, _ = example()
    labels = replace(labels, source=VolumeSource("spine.seg.nrrd"))
    own = on_grid_of(labels, bodies)
    result, _ = grade_segmentation(labels, None, own, backend=BACKEND)
    manifest = result.analysis.manifest
    assert (manifest.input_name, manifest.series_uid) == ("spine.seg.nrrd", None)
    assert manifest.created and manifest.versions["numpy"] == np.__version__
    ct = replace(ct, source=VolumeSource("CT 1", "1.2.3"))
    manifest = grade_segmentation(labels, ct, own, backend=BACKEND)[0].analysis.manifest
    assert (manifest.input_name, manifest.series_uid) == ("CT 1", "1.2.3")


def test_stray_strokes_are_left_out_and_told():
    _, labels, bodies, _ = example()
    labels.labels[0, 0, :5] = 22
    result, _ = grade_segmentation(labels, bodies=on_grid_of(labels, bodies), backend=BACKEND)
    assert [v.level for v in result.analysis.vertebrae] == ["T12", "L1", "L2"]
    assert any("L3" in warning for warning in result.analysis.warnings)


def test_a_body_that_cannot_be_told_apart_is_explained():
    _, labels, bodies, _ = example()
    without = np.where(bodies == 20, 0, bodies)
    result, _ = grade_segmentation(labels, bodies=on_grid_of(labels, without), backend=BACKEND)
    flags = {v.level: [f.code for f in v.flags] for v in result.analysis.vertebrae}
    assert flags["L1"] == ["not_graded"] and flags["L2"] == []


def test_what_the_map_cuts_is_flagged():
    _, labels, bodies, _ = example()
    cut = replace(labels, labels=labels.labels[10:].copy())
    cut = replace(cut, origin_lps_mm=tuple(labels.index_to_lps(np.array([10, 0, 0])).tolist()))
    result, _ = grade_segmentation(cut, bodies=on_grid_of(cut, bodies[10:]), backend=BACKEND)
    flags = {v.level: [f.code for f in v.flags] for v in result.analysis.vertebrae}
    assert flags == {"T12": [], "L1": [], "L2": ["cut_by_field_of_view"]}


@pytest.mark.parametrize("spacing_z_mm", [2.0, 1.0])
def test_what_the_map_cuts_within_the_ct_is_flagged(spacing_z_mm):
    ct, labels, bodies, _ = example()
    cut = replace(labels, labels=labels.labels[10:].copy())
    cut = replace(cut, origin_lps_mm=tuple(labels.index_to_lps(np.array([10, 0, 0])).tolist()))
    slices = round(54 * 2.0 / spacing_z_mm)
    noise = np.random.default_rng(0).normal(40, 15, (slices, 48, 44)).astype(np.int16)
    ct = replace(ct, hu=noise, spacing_xyz_mm=(*ct.spacing_xyz_mm[:2], spacing_z_mm))
    result, _ = grade_segmentation(cut, ct, on_grid_of(cut, bodies[10:]), backend=BACKEND)
    flags = {v.level: [f.code for f in v.flags] for v in result.analysis.vertebrae}
    assert flags == {"T12": [], "L1": [], "L2": ["cut_by_field_of_view"]}
    assert "label map" in result.analysis.vertebrae[2].flags[0].reason


def test_what_the_map_cuts_is_not_said_to_be_cut_by_the_scan():
    _, labels, bodies, _ = example()
    cut = replace(labels, labels=labels.labels[10:].copy())
    cut = replace(cut, origin_lps_mm=tuple(labels.index_to_lps(np.array([10, 0, 0])).tolist()))
    result, _ = grade_segmentation(cut, None, on_grid_of(cut, bodies[10:]), HEIGHTS_ALONE)
    reasons = [f.reason for f in result.analysis.vertebrae[2].flags]
    assert reasons == [
        "The edge of the label map cuts the body.",
        "The edge of the label map cuts the body, so its heights are not known.",
    ]


def test_an_axis_that_a_map_of_bodies_lacks_is_explained_by_what_it_is():
    _, labels, bodies, _ = example()
    upper = np.where(labels.labels > 0, labels.labels - 18, 0).astype(np.uint8)
    own = np.where(bodies == 21, 3, 0).astype(np.uint8)
    segmentation = on_grid_of(labels, upper)
    result, _ = grade_segmentation(segmentation, None, on_grid_of(labels, own), HEIGHTS_ALONE)
    told = {v.level: v.flags[-1].reason for v in result.analysis.vertebrae[:2]}
    assert "atlas" in told["C1"] and "dens" in told["C2"]


def test_what_padding_of_the_ct_cuts_is_flagged():
    ct, labels, bodies, _ = example()
    ct.hu[:10] = -1024
    labels.labels[:10], bodies[:10] = 0, 0
    result, _ = grade_segmentation(labels, ct, on_grid_of(labels, bodies), backend=BACKEND)
    flags = {v.level: [f.code for f in v.flags] for v in result.analysis.vertebrae}
    assert flags == {"T12": [], "L1": [], "L2": ["cut_by_field_of_view"]}
    assert "scan" in result.analysis.vertebrae[2].flags[0].reason


def test_volumes_are_those_of_the_label_map():
    ct, labels, bodies, _ = example()
    finer = CtVolume(
        np.zeros((108, 48, 44), np.int16), (1.5, 1.25, 1.0), ct.origin_lps_mm, ct.direction
    )
    for scan in (None, finer):
        result, grid = grade_segmentation(labels, scan, on_grid_of(labels, bodies), backend=BACKEND)
        voxel_ml = np.prod(grid.spacing_xyz_mm) / 1000
        for vertebra in result.analysis.vertebrae:
            number, _ = LEVELS[vertebra.level]
            assert vertebra.volume_ml == pytest.approx((result.labels == number).sum() * voxel_ml)


def test_grading_can_be_cancelled():
    _, labels, _, _ = example()
    with pytest.raises(Cancelled):
        grade_segmentation(labels, backend=BACKEND, cancelled=lambda: True)


def test_command_measures_boxes_without_a_ct(tmp_path, capsys):
    _, labels, bodies, _ = example()
    write_label_map(tmp_path / "seg.nii.gz", labels.labels, labels)
    write_label_map(tmp_path / "body.nii.gz", bodies, labels)
    words = ["grade", "--segmentation", tmp_path / "seg.nii.gz",
             "--bodies", tmp_path / "body.nii.gz",
             "-o", tmp_path / "out", "--no-scene", "--threads", "1"]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    assert "T12" in capsys.readouterr().out
    content = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert [v["level"] for v in content["vertebrae"]] == ["T12", "L1", "L2"]
    for vertebra in content["vertebrae"]:
        for height in vertebra["heights_mm"].values():
            assert height == pytest.approx(26.0, abs=0.8)
        assert vertebra["density_hu"] is None
        why = vertebra["not_measured"]["density_hu"]
        assert why == "No trabecular density: no CT was given."
    table = (tmp_path / "out" / "vertebrae.csv").read_text("utf-8")
    assert f"density_hu: {why}" in table
    assert (tmp_path / "out" / "report.html").exists()
