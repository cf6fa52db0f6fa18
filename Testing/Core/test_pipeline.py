"""The chain of stages, with stages that need no weights."""

from __future__ import annotations

import platform
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from fake_stages import HALF_BODY_ZYX_MM, LEVELS, fake_stages, true_centres, trunk_ct
from vertebra_core.errors import Cancelled, InputError
from vertebra_core.flag_names import FLAG_NAMES
from vertebra_core.localisation.localise import Centre
from vertebra_core.pipeline import analyze
from vertebra_core.progress import STAGE_WEIGHTS
from vertebra_core.segmentation import merge as merging
from vertebra_core.volume_source import VolumeSource


def levels(result):
    return [v.level for v in result.analysis.vertebrae]


def codes(result, level):
    (vertebra,) = (v for v in result.analysis.vertebrae if v.level == level)
    return {flag.code for flag in vertebra.flags}


def test_vertebrae_come_out_named_in_place_and_on_the_input_grid():
    ct = trunk_ct()
    result = analyze(ct, stages=fake_stages())
    assert levels(result) == list(LEVELS) == list(result.network_levels)
    for vertebra, centre in zip(result.analysis.vertebrae, true_centres(), strict=True):
        assert vertebra.center_lps_mm == pytest.approx(centre, abs=0.6)
    assert result.labels.dtype == result.bodies.dtype == np.uint8
    assert result.labels.shape == result.bodies.shape == ct.hu.shape
    body_ml = 8 * np.prod(HALF_BODY_ZYX_MM) / 1000
    voxel_ml = np.prod(ct.spacing_xyz_mm) / 1000
    for number in (19, 20, 21, 22):
        own = result.bodies == number
        assert own.sum() * voxel_ml == pytest.approx(body_ml, rel=0.15)
        assert (result.labels[own] == number).all()
        assert (result.labels == number).sum() > own.sum()


def test_slices_that_seem_thick_are_told_at_every_vertebra(monkeypatch):
    asked = []

    def seeming(volume, centres):
        asked.append((volume.spacing_xyz_mm, len(centres)))
        return 3.5

    monkeypatch.setattr("vertebra_core.geometry_flags.seeming_slice_mm", seeming)
    ct = trunk_ct()
    result = analyze(ct, stages=fake_stages())
    assert asked == [(ct.spacing_xyz_mm, len(LEVELS))]
    assert all("low_resolution" in codes(result, level) for level in LEVELS)


def test_volumes_are_those_of_the_label_map():
    ct = trunk_ct()
    result = analyze(ct, stages=fake_stages())
    voxel_ml = np.prod(ct.spacing_xyz_mm) / 1000
    for number, vertebra in zip((19, 20, 21, 22), result.analysis.vertebrae, strict=True):
        assert vertebra.volume_ml == pytest.approx((result.labels == number).sum() * voxel_ml)


def test_orientation_of_the_input_does_not_matter():
    # The same patient, stored feet first and mirrored: index axes z and x run backwards.
    ct = trunk_ct()
    flipped = replace(
        ct,
        hu=ct.hu[::-1, :, ::-1].copy(),
        origin_lps_mm=tuple(ct.index_to_lps(np.array(ct.hu.shape) * [1, 0, 1] - [1, 0, 1])),
        direction=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
    )
    straight, turned = (analyze(v, stages=fake_stages()) for v in (ct, flipped))
    assert levels(turned) == levels(straight)
    assert (turned.labels[::-1, :, ::-1] != straight.labels).mean() < 1e-3
    for a, b in zip(straight.analysis.vertebrae, turned.analysis.vertebrae, strict=True):
        assert a.center_lps_mm == pytest.approx(b.center_lps_mm, abs=0.1)


def test_places_where_there_is_no_vertebra_are_dropped():
    ct = trunk_ct()
    corner = tuple(ct.corners_lps_mm().min(0) + 25)
    assert levels(analyze(ct, stages=fake_stages(junk=[corner]))) == list(LEVELS)


def test_a_vertebra_found_twice_counts_once():
    near = tuple(np.array(true_centres()[1]) + [0, 0, 4.0])
    assert levels(analyze(trunk_ct(), stages=fake_stages(junk=[near]))) == list(LEVELS)


def test_a_missed_vertebra_is_searched_again_in_the_image():
    result = analyze(trunk_ct(), stages=fake_stages(found=(0, 1, 3)))
    assert levels(result) == list(LEVELS)
    assert "possibly_missed_neighbour" not in codes(result, "L1")


def test_one_that_stays_missed_is_flagged_beside_the_gap():
    result = analyze(trunk_ct(), stages=fake_stages(found=(0, 1, 3), hidden=(2,)))
    assert levels(result) == ["T12", "L1", "L3"]
    assert "possibly_missed_neighbour" in codes(result, "L1") & codes(result, "L3")
    assert "possibly_missed_neighbour" not in codes(result, "T12")
    assert any("L2" in warning for warning in result.analysis.warnings)


def test_a_sure_centre_that_localisation_left_out_is_told():
    stages = fake_stages(found=(0, 1, 2))
    x, y, z = true_centres()[3]
    left_out = (
        Centre((x, y, z), 0.9, 50.0),
        Centre((x, y, z - 20), 0.7, 50.0),
        Centre((x + 5, y, true_centres()[0][2] + 5), 0.95, 50.0),
    )

    def localise(*arguments):
        return replace(stages.localise(*arguments), rejected=left_out)

    result = analyze(trunk_ct(), stages=replace(stages, localise=localise))
    assert levels(result) == ["T12", "L1", "L2"]
    (told,) = [w for w in result.analysis.warnings if w.startswith("Something like")]
    assert told.startswith("Something like a vertebra 30 mm below L2 was left out")


def test_what_the_field_of_view_cuts_is_flagged():
    ct = trunk_ct()
    # Ends within the body of L3.
    keep = int(np.searchsorted(ct.index_to_lps(np.eye(3)[0] * 0)[2] + 2.5 * np.arange(60),
                               true_centres()[3][2]))  # fmt: skip
    cut = replace(
        ct, hu=ct.hu[keep:].copy(), origin_lps_mm=tuple(ct.index_to_lps(np.array([keep, 0, 0])))
    )
    result = analyze(cut, stages=fake_stages())
    assert "cut_by_field_of_view" in codes(result, "L3")
    assert "cut_by_field_of_view" not in codes(result, "L1")
    volumes = {v.level: v.volume_ml for v in result.analysis.vertebrae}
    assert volumes["L3"] is None and volumes["L1"] > 0


def test_an_uncertain_level_is_flagged():
    result = analyze(trunk_ct(), stages=fake_stages())
    assert "low_level_margin" in codes(result, "L3")
    assert "low_level_margin" not in codes(result, "T12")
    (last,) = (v for v in result.analysis.vertebrae if v.level == "L3")
    assert (last.level_probability, last.runner_up_level) == (0.7, "L4")
    assert last.runner_up_probability == 0.01 and last.level_margin == pytest.approx(0.69)


def test_flags_are_known_and_reasons_are_sentences():
    result = analyze(trunk_ct(), stages=fake_stages(found=(0, 1, 3), hidden=(2,)))
    for flag in (f for v in result.analysis.vertebrae for f in v.flags):
        assert flag.code in FLAG_NAMES and flag.reason.endswith(".")


def test_no_spine_is_an_input_error():
    for stages in (fake_stages(found=()), fake_stages(hidden=(0, 1, 2, 3))):
        with pytest.raises(InputError) as refused:
            analyze(trunk_ct(), stages=stages)
        assert refused.value.code == "no_spine"
        assert "field of view" in refused.value.hint and "header" in refused.value.hint


def test_an_unsuitable_volume_is_refused_first():
    ct = trunk_ct()
    with pytest.raises(InputError):
        analyze(replace(ct, hu=np.zeros_like(ct.hu)), stages=fake_stages())


def test_progress_runs_through_all_stages():
    said = []
    result = analyze(
        trunk_ct(), stages=fake_stages(), on_progress=lambda *report: said.append(report)
    )
    order = list(dict.fromkeys(stage for stage, _ in said))
    assert order == list(result.analysis.manifest.seconds_per_stage)
    assert all(0 <= fraction <= 1 for _, fraction in said)
    # Files are written by whoever asked for the analysis.
    assert [*order, "writing"] == list(STAGE_WEIGHTS)


def test_progress_of_merging_is_told_while_it_lasts(monkeypatch):
    told = threading.Event()
    merge = merging.merge

    def slow(masks, numbers, like, on_progress, cancelled):
        on_progress(0.5)
        assert told.wait(20)
        return merge(masks, numbers, like, on_progress, cancelled)

    def hear(stage, fraction):
        if (stage, fraction) == ("merging", 0.5):
            told.set()

    monkeypatch.setattr(merging, "merge", slow)
    assert levels(analyze(trunk_ct(), on_progress=hear, stages=fake_stages())) == list(LEVELS)
    assert told.is_set()


@pytest.mark.parametrize("asked", [1, 3, 6])
def test_cancelling_between_stages_ends_the_analysis(asked):
    questions = iter(range(100))
    with pytest.raises(Cancelled):
        analyze(trunk_ct(), stages=fake_stages(), cancelled=lambda: next(questions) >= asked - 1)


def test_manifest_states_geometry_weights_and_options():
    ct = trunk_ct()
    manifest = analyze(ct, stages=fake_stages()).analysis.manifest
    assert manifest.input_size_xyz == ct.size_xyz
    assert manifest.input_spacing_xyz_mm == ct.spacing_xyz_mm
    assert manifest.weights_sha256 == {"locnet": "ab" * 32}
    assert manifest.options["localiser"] == "votes"


def test_manifest_states_which_scan_when_and_with_what():
    before = datetime.now(UTC).replace(microsecond=0)
    ct = replace(trunk_ct(), source=VolumeSource("chest.nii.gz", "1.2.3"))
    manifest = analyze(ct, stages=fake_stages()).analysis.manifest
    assert (manifest.input_name, manifest.series_uid) == ("chest.nii.gz", "1.2.3")
    created = datetime.fromisoformat(manifest.created)
    assert before <= created <= datetime.now(UTC) and created.utcoffset() == timedelta(0)
    assert manifest.created == created.isoformat(timespec="seconds")
    assert manifest.versions == {
        "vertebra_core": manifest.core_version,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "SimpleITK": sitk.__version__,
        "numpy": np.__version__,
    }


def test_bodies_that_touch_or_differ_much_from_their_neighbours_are_flagged():
    real = fake_stages()

    def segment(ct, centres, progress, cancelled):
        masks = list(real.segment(ct, centres, progress, cancelled))
        # L1 grows down to L2's upper endplate, 10 mm below its own lower one.
        body = masks[1].body.copy()
        z, y, x = np.nonzero(body > 0.5)
        body[z.min() - 10 : z.min(), y.min() : y.max() + 1, x.min() : x.max() + 1] = 1
        masks[1] = replace(masks[1], body=body, vertebra=np.maximum(masks[1].vertebra, body))
        # L3 is a thin disc.
        thin = masks[3].body.copy()
        z = np.nonzero(thin > 0.5)[0]
        thin[: z.max() - 4] = 0
        masks[3] = replace(masks[3], body=thin)
        return tuple(masks)

    result = analyze(trunk_ct(), stages=replace(real, segment=segment))
    assert "touching_neighbour" in codes(result, "L1") & codes(result, "L2")
    assert "touching_neighbour" not in codes(result, "T12") | codes(result, "L3")
    assert "implausible_shape" in codes(result, "L3")
    plain = analyze(trunk_ct(), stages=real)
    assert not {"touching_neighbour", "implausible_shape"} & codes(plain, "L1")
