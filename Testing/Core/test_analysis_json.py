"""The analysis as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from example_analysis import example
from vertebra_core.analysis import Heights, SpineAnalysis, Vertebra
from vertebra_core.analysis_json import (
    analysis_from_json,
    analysis_to_dict,
    analysis_to_json,
    read_analysis,
)
from vertebra_core.errors import InputError
from vertebra_core.flag_names import FLAG_NAMES

PROMISED = {
    "level", "level_probability", "runner_up_level", "center_lps_mm", "grade",
    "grade_probabilities", "shape", "borderline", "heights_mm", "height_loss", "density_hu",
    "volume_ml", "flags",
}  # fmt: skip


@pytest.fixture
def analysis() -> SpineAnalysis:
    return example()[3]


def test_everything_survives_a_round_trip(analysis):
    back = analysis_from_json(analysis_to_json(analysis))
    rounded = analysis_from_json(analysis_to_json(back))
    assert rounded == back
    assert back.manifest.input_direction == pytest.approx(analysis.manifest.input_direction)
    assert back.warnings == analysis.warnings
    for a, b in zip(analysis.vertebrae, back.vertebrae, strict=True):
        assert b.center_lps_mm == pytest.approx(a.center_lps_mm, abs=1e-5)
        assert replace(b, center_lps_mm=(), axes_lps=None, height_lines={}) == replace(
            a, center_lps_mm=(), axes_lps=None, height_lines={}
        )
        assert b.height_lines.keys() == a.height_lines.keys()


def test_keys_are_those_that_others_rely_on(analysis):
    content = json.loads(analysis_to_json(analysis))
    assert {"schema_version", "vertebrae", "manifest", "warnings"} <= content.keys()
    assert [v["level"] for v in content["vertebrae"]] == ["T12", "L1", "L2"]
    for vertebra in content["vertebrae"]:
        assert vertebra.keys() >= PROMISED
        assert all(f["code"] in FLAG_NAMES and f["reason"] for f in vertebra["flags"])
    first = content["vertebrae"][0]
    assert first["heights_mm"].keys() == {"anterior", "middle", "posterior"}
    assert first["height_loss"].keys() == {"wedge", "biconcave", "crush"}


def test_what_is_null_has_a_reason(analysis):
    for vertebra in analysis_to_dict(analysis)["vertebrae"]:
        empty = {key for key, value in vertebra.items() if value is None}
        # These three go with a figure that is explained.
        empty -= {"heights_spread_mm", "height_reference", "morphometric_grade", "learned_grade"}
        assert vertebra["not_measured"].keys() == empty
        assert all(vertebra["not_measured"].values())
    cut = analysis_to_dict(analysis)["vertebrae"][2]
    assert cut["not_measured"]["grade"] == "The edge of the scan cuts the body."


def test_numpy_numbers_and_nan_become_json(analysis):
    odd = replace(
        analysis.vertebrae[0],
        grade=np.int64(2),
        density_hu=np.float32(101.5),
        borderline=np.bool_(True),
        heights_mm=Heights(float("nan"), np.float32(20.0), 21.0),
    )
    text = analysis_to_json(replace(analysis, vertebrae=(odd,)))
    assert "NaN" not in text
    entry = json.loads(text)["vertebrae"][0]
    assert (entry["grade"], entry["density_hu"], entry["borderline"]) == (2, 101.5, True)
    assert entry["heights_mm"] == {"anterior": None, "middle": 20.0, "posterior": 21.0}
    assert math.isnan(analysis_from_json(text).vertebrae[0].heights_mm.anterior)


def test_levels_of_the_network_alone_are_kept_beside(analysis):
    content = analysis_to_dict(analysis, ("T11", "L1", None))
    assert [v["network_level"] for v in content["vertebrae"]] == ["T11", "L1", None]


def test_second_level_is_told_with_its_probability_and_the_margin_before_it(analysis):
    first, *_, last = analysis_to_dict(analysis)["vertebrae"]
    assert (last["runner_up_level"], last["runner_up_probability"]) == ("L3", 0.025)
    assert last["level_margin"] == pytest.approx(0.97 - 0.025)
    assert first["runner_up_level"] is None and first["runner_up_probability"] == 0.0004
    assert "0.1 %" in first["not_measured"]["runner_up_level"]


def test_files_of_earlier_versions_lack_the_probability_of_the_second_level(analysis):
    content = analysis_to_dict(analysis)
    for entry in content["vertebrae"]:
        del entry["runner_up_probability"], entry["level_margin"]
    back = analysis_from_json(json.dumps(content))
    assert [v.runner_up_level for v in back.vertebrae] == [None, None, "L3"]
    assert [(v.runner_up_probability, v.level_margin) for v in back.vertebrae] == [(None, None)] * 3
    # Their second place went to "no vertebra" at times, so nothing is said about other levels.
    why = analysis_to_dict(back)["vertebrae"][0]["not_measured"]
    assert {why[key] for key in ("runner_up_level", "runner_up_probability", "level_margin")} == {
        "No second level is stated: this one was given, or an older version wrote the file."
    }


def test_a_given_level_has_no_probability_and_says_so(analysis):
    given = replace(analysis.vertebrae[0], level_probability=None, runner_up_probability=None)
    content = analysis_to_dict(replace(analysis, vertebrae=(given,)))
    entry = content["vertebrae"][0]
    assert entry["level_probability"] is entry["level_margin"] is None
    assert "given" in entry["not_measured"]["level_probability"]
    assert "given" in entry["not_measured"]["runner_up_level"]
    assert analysis_from_json(json.dumps(content)).vertebrae[0].level_probability is None


def test_files_of_earlier_versions_lack_what_the_manifest_says_since(analysis):
    content = analysis_to_dict(analysis)
    for key in ("input_name", "series_uid", "created", "versions"):
        del content["manifest"][key]
    manifest = analysis_from_json(json.dumps(content)).manifest
    assert (manifest.input_name, manifest.series_uid, manifest.created) == (None, None, None)
    assert manifest.versions == {} and manifest.device == "cpu"


def test_what_is_not_graded_is_neither_borderline_nor_clear(analysis):
    fresh = Vertebra("L3", 1.0, None, (0.0, 0.0, 0.0))
    entry = analysis_to_dict(replace(analysis, vertebrae=(fresh,)))["vertebrae"][0]
    assert entry["borderline"] is None and entry["not_measured"]["borderline"]
    # Files of earlier versions say that it is not.
    content = analysis_to_dict(analysis)
    assert [v["borderline"] for v in content["vertebrae"]] == [False, True, None]
    content["vertebrae"][2]["borderline"] = False
    back = analysis_from_json(json.dumps(content)).vertebrae
    assert [v.borderline for v in back] == [False, True, None]


def test_later_minor_versions_are_read_and_their_keys_passed_over(analysis):
    content = analysis_to_dict(analysis)
    content["schema_version"] = "1.9"
    content["vertebrae"][0]["something_new"] = 3
    content["vertebrae"][0]["heights_mm"]["left"] = 3.0
    assert analysis_from_json(json.dumps(content)).vertebrae[0].level == "T12"


def test_a_newer_schema_is_refused_in_a_sentence(analysis):
    content = analysis_to_dict(analysis)
    content["schema_version"] = "2.0"
    with pytest.raises(InputError) as refused:
        analysis_from_json(json.dumps(content))
    assert refused.value.code == "newer_schema"
    assert "2.0" in refused.value.message and "Update" in refused.value.hint


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema_version": 1}', '{"schema_version": "1.0"}',
             '{"schema_version": "1.0", "vertebrae": [{}], "manifest": {}, "warnings": []}']
)  # fmt: skip
def test_something_else_is_no_analysis(text):
    with pytest.raises(InputError) as refused:
        analysis_from_json(text)
    assert refused.value.code == "not_an_analysis"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"analysis\.json cannot be read"):
        read_analysis(tmp_path / "analysis.json")
