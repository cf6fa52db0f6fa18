"""`evaluate painted`: a label map becomes scans with a truth, scored by the grades of readers."""

from __future__ import annotations

import argparse
import json

import pytest
import SimpleITK as sitk  # noqa: N813
from expert_map import LEVELS, map_of, mapped_scene
from phantom_oracle import answer_with, oracle_that
from vertebra_core.analysis import Vertebra
from vertebra_core.errors import InputError
from vertebra_core.evaluation import evaluate_painted
from vertebra_core.evaluation.record_log import RecordLog
from vertebra_core.evaluation.records import EXPERT_MASKS
from vertebra_core.volume import to_sitk

GRADES = "verse_scan,label,genant_grade\nspine,L1,2\nspine,L2,0\nspine,L3,0\nspine,L4,1\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("painted")
    sitk.WriteImage(to_sitk(map_of(mapped_scene())), str(folder / "spine.nii.gz"))
    (folder / "grades.csv").write_text(GRADES)
    return folder


@pytest.fixture
def grade_one_for_all(monkeypatch):
    """An analysis that finds all, and calls what it sees of every vertebra grade 1."""

    def grade_one(truth):
        return answer_with(
            (
                Vertebra(v.level, 1.0, None, v.center_lps_mm, grade=1, shape="wedge")
                for v in truth.vertebrae
                if v.in_view
            ),
            truth,
        )

    return oracle_that(grade_one, monkeypatch)


def _arguments(*words):
    parser = argparse.ArgumentParser()
    evaluate_painted.add_arguments(parser)
    fast = ["--json", "--scene-spacing", "4", "--spacing", "3", "--pixel", "3"]
    return parser.parse_args([*fast, *map(str, words)])


def test_the_grades_of_readers_are_the_truth_of_the_map_and_neighbours_have_none(
    folder, grade_one_for_all, tmp_path, capsys
):
    words = [folder / "spine.nii.gz", "--grades", folder / "grades.csv", "--looks", "2"]
    arguments = _arguments(*words, "--output", tmp_path / "out")
    assert evaluate_painted.run(arguments, grade_one_for_all) == 0
    printed = json.loads(capsys.readouterr().out)
    records = RecordLog(tmp_path / "out" / "records.jsonl").all()
    assert len(records) == printed["n_scans"] == 2 and records[0].name != records[1].name
    for record in records:
        assert record.kind == EXPERT_MASKS
        given = {v.level: v.grade for v in record.truth}
        assert {k: g for k, g in given.items() if g is not None}.items() <= {
            "L1": 2, "L2": 0, "L3": 0, "L4": 1
        }.items()  # fmt: skip
        assert set(LEVELS) <= set(given) and given["L2"] == 0
        assert all(v.heights_mm is None for v in record.truth)
    assert printed["identification_rate"] == 1.0
    # A stopped evaluation goes on: nothing is analysed twice, and one look more is one scan more.
    calls = grade_one_for_all.told["calls"]
    evaluate_painted.run(arguments, grade_one_for_all)
    assert json.loads(capsys.readouterr().out) == printed
    assert grade_one_for_all.told["calls"] == calls == 2


def test_mistakes_are_told_in_a_sentence(folder, grade_one_for_all, tmp_path):
    mask = folder / "spine.nii.gz"
    other = tmp_path / "grades.csv"
    other.write_text(GRADES.replace("spine", "someone"))
    for words, said in (
        ((mask, "--looks", "0"), "out of range"),
        ((mask, mask), "one name"),
        ((tmp_path / "none.nii.gz",), "There is no file"),
        ((mask, "--pixel", "0"), "voxels of 0 mm"),
        ((mask, "--grades", other), "names none of the scans"),
    ):
        with pytest.raises(InputError, match=said):
            evaluate_painted.run(_arguments(*words), grade_one_for_all)
    assert grade_one_for_all.told["calls"] == 0
