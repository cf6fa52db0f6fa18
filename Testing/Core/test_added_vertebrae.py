"""Vertebrae that a segmentation lacks are segmented at a point, and nothing else is changed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from example_analysis import LEVELS, example
from scipy import ndimage
from vertebra_core.added_vertebrae import AddedPoint, Segmenter
from vertebra_core.command_line import main
from vertebra_core.errors import InputError
from vertebra_core.grade_pipeline import GradeOptions, grade_segmentation
from vertebra_core.grading_backend import GradingBackend
from vertebra_core.label_masks import masks_of_labels
from vertebra_core.levels import level_named
from vertebra_core.output.label_map import write_label_map
from vertebra_core.pipeline import analyze
from vertebra_core.reading import read_ct, read_label_map
from vertebra_core.segmentation.plausibility import Plausibility

BACKEND = GradingBackend(lambda ct, candidates, vertebrae: tuple(vertebrae), {"grading": "cd"}, "")


def center_of(level: str) -> tuple[float, float, float]:
    """The middle of a body of the example, LPS mm."""
    labels, bodies = example()[1:3]
    inside = np.argwhere(bodies == LEVELS[level][0])
    return tuple(labels.index_to_lps(inside).mean(0).tolist())


def lacking(*levels: str):
    """Labels of the example without some levels."""
    labels = example()[1]
    gone = [LEVELS[level][0] for level in levels]
    return replace(labels, labels=np.where(np.isin(labels.labels, gone), 0, labels.labels))


def segmenter(seen=None, plausible=True, change=lambda mask: mask) -> Segmenter:
    """Gives the vertebra of the example next to a point, or always the one named `seen`."""
    _, labels, bodies, _ = example()

    def segment(ct, points, cancelled):
        own = replace(labels, labels=bodies)
        found, _ = masks_of_labels(labels, own, ct.origin_lps_mm, lambda f: None, lambda: False)
        (point,) = points
        near = min(found, key=lambda v: np.linalg.norm(np.subtract(v.center_lps_mm, point)))
        chosen = near if seen is None else next(v for v in found if v.level.name == seen)
        return [change(chosen.mask)]

    verdict = Plausibility(plausible, "" if plausible else "Its body has no compact shape.")
    return Segmenter(segment, {"segmentation": "ab"}, lambda mask, ct: verdict)


def added(labels, *wanted, by=None, ct=None):
    """Grade `labels` of the example with vertebrae added: (level, point)."""
    points = tuple(AddedPoint(point, level_named(level)) for level, point in wanted)
    return grade_segmentation(
        labels,
        ct or example()[0],
        None,
        GradeOptions(added=points),
        backend=BACKEND,
        segmenter=by or segmenter(),
    )


def refusal(*arguments, **options) -> InputError:
    with pytest.raises(InputError) as refused:
        added(*arguments, **options)
    return refused.value


def test_a_missed_vertebra_gets_its_level_and_all_others_keep_every_voxel():
    labels, whole = lacking("L1"), example()[1].labels
    result, grid = added(labels, ("L1", center_of("L1")))
    assert [v.level for v in result.analysis.vertebrae] == ["T12", "L1", "L2"]
    found = result.labels == 20
    assert 2 * (found & (whole == 20)).sum() / (found.sum() + (whole == 20).sum()) > 0.98
    assert np.array_equal(np.where(found, 0, result.labels), labels.labels)
    assert np.array_equal(result.labels, grid.labels)
    assert (result.bodies == 20).any() and (result.labels[result.bodies == 20] == 20).all()
    own = result.analysis.vertebrae[1]
    assert own.center_lps_mm == pytest.approx(center_of("L1"), abs=0.5)
    assert own.level_probability is None, "nobody has judged a name that was given"
    assert own.volume_ml == pytest.approx(found.sum() * np.prod(grid.spacing_xyz_mm) / 1000)


def test_given_labels_are_never_overwritten():
    def swollen(mask):
        grown = ndimage.grey_dilation(np.pad(mask.vertebra.astype(float), 9), size=(19, 1, 1))
        start = tuple(i - 9 for i in mask.origin_index_zyx)
        place = tuple(c - 9 for c in mask.origin_lps_mm)
        body = np.pad(mask.body, 9)
        return replace(mask, vertebra=grown, body=body, origin_index_zyx=start, origin_lps_mm=place)

    labels = lacking("L1")
    result, _ = added(labels, ("L1", center_of("L1")), by=segmenter(change=swollen))
    given = labels.labels > 0
    assert np.array_equal(result.labels[given], labels.labels[given])
    assert (result.labels == 20).sum() > 1.3 * (example()[1].labels == 20).sum()


def test_several_can_be_added_and_count_among_one_another():
    labels = lacking("T12", "L1")
    wanted = [(level, center_of(level)) for level in ("L1", "T12")]
    result, _ = added(labels, *wanted)
    assert [v.level for v in result.analysis.vertebrae] == ["T12", "L1", "L2"]
    assert refusal(labels, wanted[0], ("L1", center_of("T12"))).code == "level_taken"


def test_the_manifest_states_what_was_added_and_by_which_weights():
    result, _ = added(lacking("L1"), ("L1", center_of("L1")))
    manifest = result.analysis.manifest
    assert manifest.weights_sha256 == {"grading": "cd", "segmentation": "ab"}
    assert manifest.options["added"] == "L1"
    plain, _ = grade_segmentation(example()[1], example()[0], backend=BACKEND)
    assert "added" not in plain.analysis.manifest.options


@pytest.mark.parametrize(
    ("level", "at", "code", "words"),
    [
        ("L1", (900.0, 0.0, 0.0), "point_outside", "outside the CT"),
        ("L2", center_of("L1"), "level_taken", "L2 is in the segmentation already"),
        ("L1", center_of("L2"), "already_segmented", "segmented already, as L2"),
        ("L4", center_of("L1"), "level_out_of_order", "L4 cannot lie below T12 and above L2"),
        ("T11", center_of("L1"), "level_out_of_order", "T11 cannot lie below T12"),
    ],
)
def test_what_cannot_be_added_is_a_sentence_and_a_hint(level, at, code, words):
    refused = refusal(lacking("L1"), (level, at))
    assert refused.code == code and words in refused.message and refused.hint


def test_without_a_ct_nothing_is_added():
    options = GradeOptions(added=(AddedPoint(center_of("L1"), level_named("L1")),))
    with pytest.raises(InputError) as refused:
        grade_segmentation(lacking("L1"), None, None, options, backend=BACKEND)
    assert refused.value.code == "added_without_ct"


def test_a_mask_of_what_is_segmented_is_refused_wherever_the_point_was():
    # The middle of L1 lies far from L2: whoever chose it meant another one.
    refused = refusal(lacking("L1"), ("L1", center_of("L1")), by=segmenter("L2"))
    assert refused.code == "no_vertebra_there"
    refused = refusal(lacking("L1"), ("L1", between("L1", "L2")), by=segmenter("L2"))
    assert refused.code == "already_segmented" and "L2" in refused.message


def between(a: str, b: str) -> tuple[float, float, float]:
    return tuple(np.mean([center_of(a), center_of(b)], 0).tolist())


def test_nothing_found_is_no_vertebra():
    def nothing(mask):
        return replace(mask, vertebra=mask.vertebra * 0, body=mask.body * 0)

    refused = refusal(lacking("L1"), ("L1", center_of("L1")), by=segmenter(change=nothing))
    assert refused.code == "no_vertebra_there" and "middle of its body" in refused.hint


def test_an_odd_mask_is_kept_between_others_only_and_says_so():
    odd = segmenter(plausible=False)
    result, _ = added(lacking("L1"), ("L1", center_of("L1")), by=odd)
    flags = {f.code: f.reason for f in result.analysis.vertebrae[1].flags}
    assert "no compact shape" in flags["implausible_shape"]
    refused = refusal(lacking("L2"), ("L2", center_of("L2")), by=odd)
    assert refused.code == "no_vertebra_there" and "no compact shape" in refused.message


def test_an_odd_mask_as_small_as_a_disc_is_no_vertebra():
    def slice_of(mask):
        middle = mask.body.shape[0] // 2
        thin = np.zeros_like(mask.body)
        thin[middle - 2 : middle + 3] = mask.body[middle - 2 : middle + 3]
        return replace(mask, vertebra=thin, body=thin)

    by = segmenter(plausible=False, change=slice_of)
    assert refusal(lacking("L1"), ("L1", center_of("L1")), by=by).code == "no_vertebra_there"
    plausible = segmenter(change=slice_of)
    result, _ = added(lacking("L1"), ("L1", center_of("L1")), by=plausible)
    assert len(result.analysis.vertebrae) == 3, "a collapsed body that looks like one is taken"


def test_an_atlas_without_a_body_lies_where_it_was_pointed_at():
    labels = lacking("T12")
    neck = np.zeros(64, np.uint8)
    neck[[20, 21]] = (2, 3)
    labels = replace(labels, labels=neck[labels.labels])
    plain = segmenter(change=lambda mask: replace(mask, body=mask.body * 0))
    atlas = replace(plain, judge=lambda mask, ct: Plausibility(True, "", like_atlas=True))
    point = tuple(np.add(center_of("T12"), (3.0, 0.0, 0.0)).tolist())
    result, _ = added(labels, ("C1", point), by=atlas)
    assert [v.level for v in result.analysis.vertebrae] == ["C1", "C2", "C3"]
    assert result.analysis.vertebrae[0].center_lps_mm == point and (result.labels == 1).any()
    # Seen elsewhere than asked for, it is not the one that was meant.
    far = tuple(np.add(center_of("T12"), (0.0, 0.0, 20.0)).tolist())
    assert refusal(labels, ("C1", far), by=atlas).code == "no_vertebra_there"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1", "2", "nan", "L1"], "must be numbers"),
        (["1", "2", "left", "L1"], "must be numbers"),
        (["1", "2", "3", "S1"], "no level S1"),
        (["1", "2", "L1"], "expected 4 arguments"),
    ],
)
def test_arguments_that_say_no_place_or_no_level_are_refused(words, said, capsys, tmp_path):
    arguments = ["grade", "ct.nii.gz", "--segmentation", "s.nii.gz", "-o", str(tmp_path / "o")]
    assert main([*arguments, "--add", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_lumbar_vertebra_taken_out_of_a_real_analysis_comes_back(shared_data, tmp_path):
    path = shared_data / "ct" / "ts_example_ct.nii.gz"
    ct = read_ct(path)
    before = analyze(ct)
    own = {v.level: v for v in before.analysis.vertebrae}
    number = level_named("L2").number
    given = np.where(before.labels == number, 0, before.labels)
    write_label_map(tmp_path / "given.nii.gz", given, ct)
    point = np.add(own["L2"].center_lps_mm, (5.0, 3.0, -4.0))
    words = ["grade", path, "--segmentation", tmp_path / "given.nii.gz", "-o", tmp_path / "out",
             "--add", *(f"{x:.2f}" for x in point), "L2", "--no-scene"]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    labels = read_label_map(tmp_path / "out" / "labels.nii.gz").labels
    assert np.array_equal(labels[given > 0], given[given > 0])
    found, true = labels == number, before.labels == number
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.95
    content = json.loads((tmp_path / "out" / "analysis.json").read_text("utf-8"))
    assert [v["level"] for v in content["vertebrae"]] == list(own)
    again = content["vertebrae"][list(own).index("L2")]
    assert again["grade"] == own["L2"].grade and again["level_probability"] is None
    for name, height in again["heights_mm"].items():
        assert height == pytest.approx(getattr(own["L2"].heights_mm, name), abs=1.0)
