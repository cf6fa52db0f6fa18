"""What must be reached on the public scans, and the tables evaluation makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vertebra_core.analysis import Vertebra
from vertebra_core.errors import InputError
from vertebra_core.evaluation.case_evaluation import CaseEvaluation
from vertebra_core.evaluation.prediction import Prediction
from vertebra_core.evaluation.public_cases import (
    check_abdomen,
    check_chest,
    check_crop,
    check_expert_masks,
    crop_truth,
    evaluate_public_data,
)
from vertebra_core.evaluation.record_log import RecordLog
from vertebra_core.evaluation.records import CaseRecord, FoundVertebra, MaskScore, TrueVertebra
from vertebra_core.evaluation.scoring import score_case
from vertebra_core.evaluation.tables import Table, text
from vertebra_core.levels import MOBILE_LEVELS
from vertebra_core.volume import CtVolume

ABDOMEN_LEVELS = ("T12", "L1", "L2", "L3", "L4", "L5")


def _spine(levels, shift=0, flags=()):
    names = [v.name for v in MOBILE_LEVELS if v.name not in ("T13", "L6")]
    truth, found = [], []
    for k, level in enumerate(levels):
        truth.append(TrueVertebra(level, (0.0, 0.0, -25.0 * k)))
        given = names[names.index(level) + shift]
        found.append(FoundVertebra(given, (0.0, 1.5, -25.0 * k), flags=flags))
    return CaseRecord("scan", "real", (1.0, 1.0, 1.0), tuple(truth), tuple(found))


def _mask(level, part, dice):
    return MaskScore(level, part, level, True, dice, 0.8, 0.99, 0.01, 0.02, 0.5, 3.0, 1.0, 0.5)


def _met(requirements):
    return {r.what: r.met for r in requirements}


def test_the_abdomen_passes_only_with_every_demand_met():
    masks = tuple(_mask(v, part, 0.93) for v in ABDOMEN_LEVELS for part in ("vertebra", "body"))
    record = replace(_spine(ABDOMEN_LEVELS), masks=masks, stray_ml=0.0)
    assert all(_met(check_abdomen(record)).values())
    low = (_mask("L5", "body", 0.84), *(m for m in masks if (m.level, m.part) != ("L5", "body")))
    assert not _met(check_abdomen(replace(record, masks=low)))["Dice of bodies"]
    assert _met(check_abdomen(replace(record, masks=low)))["Dice of vertebrae"]
    stray = _met(check_abdomen(replace(record, stray_ml=2.0)))
    assert not stray["reported outside the spine"] and stray["right level"]
    nothing = _met(check_abdomen(replace(record, found=(), masks=())))
    assert not nothing["T12-L5 found"] and not nothing["mean centre error"]
    assert not nothing["Dice of vertebrae"]


def test_the_chest_may_be_off_by_one_only_when_every_vertebra_says_so():
    levels = ("C7", *(f"T{k}" for k in range(1, 13)))
    assert all(_met(check_chest(_spine(levels))).values())
    assert not _met(check_chest(_spine(levels, shift=-1)))["levels"]
    assert _met(check_chest(_spine(levels, shift=-1, flags=("low_level_margin",))))["levels"]
    assert not _met(check_chest(_spine(levels, shift=-2, flags=("low_level_margin",))))["levels"]
    far = _spine(levels)
    moved = replace(far.found[3], center_lps_mm=(0.0, 9.0, -75.0))
    far = replace(far, found=(*far.found[:3], moved, *far.found[4:]))
    assert not _met(check_chest(far))["C7-T12 found within 8 mm"]


def test_in_the_crop_the_heart_is_wrong_and_a_cut_vertebra_must_be_flagged():
    cut = FoundVertebra("T8", (-4.0, -112.0, 650.0), flags=("cut_by_field_of_view",))
    record = CaseRecord("crop", "real", (1.5, 1.5, 1.5), (), (cut,), stray_ml=0.0)
    assert all(_met(check_crop(record)).values())
    graded = replace(record, found=(replace(cut, grade=0),))
    assert not _met(check_crop(graded))["cut vertebrae flagged, not graded"]
    heart = replace(record, found=(replace(cut, center_lps_mm=(-4.0, -170.0, 650.0)),))
    assert not _met(check_crop(heart))["reported in heart or vessels"]
    assert not _met(check_crop(replace(record, stray_ml=5.0)))["reported in heart or vessels"]


def test_expert_masks_need_the_right_fractures_and_no_false_alarm():
    right = {"T9": 2, "T10": 1, "T11": 0, "T12": None, "L1": 3, "L2": 1}

    def met(grades):
        vertebrae = [Vertebra(n, 1.0, None, (0.0, 0.0, 0.0), grade=g) for n, g in grades.items()]
        return check_expert_masks(vertebrae).met

    assert met(right)
    assert not met({**right, "L1": 2})
    assert not met({**right, "T10": None})
    assert not met({**right, "T12": 2})


def test_labels_in_the_heart_of_the_crop_are_stray():
    ct = CtVolume(np.zeros((20, 102, 122), np.int16), (1.5,) * 3, (-71.66, -255.66, 576.2))
    labels = np.zeros(ct.hu.shape, np.uint8)
    # A body at the back edge, beside the midline of the spine.
    labels[5:15, 92:102, 38:52] = 15
    truth = crop_truth(ct)
    assert score_case("crop", ct, truth, Prediction((), labels)).stray_ml == 0
    labels[5:15, 50:60, 38:52] = 14
    expected_ml = 10 * 10 * 14 * 1.5**3 / 1000
    stray = score_case("crop", ct, truth, Prediction((), labels)).stray_ml
    assert stray == pytest.approx(expected_ml, rel=0.3)


def test_public_scans_are_evaluated_where_they_are(shared_data):
    shapes = []

    def predict(name, ct):
        shapes.append(name)
        return Prediction((), np.zeros(ct.hu.shape, np.uint8), np.zeros(ct.hu.shape, np.uint8))

    records, table = evaluate_public_data(shared_data, CaseEvaluation(predict, RecordLog(None)))
    assert shapes == ["ts_example", "lidc_0314", "ts_pulmonary_crop"]
    assert [r.name for r in records] == ["ts_example", "lidc_0314"]
    reached = {(row[0], row[1]): row[-1] for row in table.rows}
    assert reached["ts_example", "T12-L5 found"] == "NO"
    assert reached["ts_pulmonary_crop", "reported in heart or vessels"] == "yes"


def test_a_folder_without_public_scans_is_refused(tmp_path):
    with pytest.raises(InputError, match="None of the public scans"):
        evaluate_public_data(tmp_path, CaseEvaluation(lambda name, ct: None, RecordLog(None)))


def test_tables_align_text_left_and_numbers_right():
    table = Table("T", ("name", "value"), (("a", 1.5), ("long", None)), note="n")
    assert text(table).splitlines() == [
        "T",
        "name  value",
        "----  -----",
        "a      1.50",
        "long      -",
        "n",
    ]
    assert text(table, markdown=True).splitlines()[2:5] == [
        "| name | value |",
        "| ---- | ----: |",
        "| a    |  1.50 |",
    ]
