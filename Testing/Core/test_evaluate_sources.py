"""`evaluate cases`: every record and every result belongs to the files that are evaluated."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import SimpleITK as sitk  # noqa: N813
from labelled_folder import CENTERS_LPS, images, write_plain_case
from refused_scans import refuse_all_scans
from simple_ct import simple_ct
from vertebra_core.command_line import main
from vertebra_core.errors import InputError
from vertebra_core.evaluation.case_files import CaseFiles
from vertebra_core.evaluation.case_sources import sources_of
from vertebra_core.evaluation.prediction import read_result
from vertebra_core.evaluation.predictor import predictor
from vertebra_core.evaluation.public_cases import CHEST_CROP, check_crop
from vertebra_core.evaluation.record_log import RecordLog, open_log
from vertebra_core.evaluation.records import REAL, CaseRecord
from vertebra_core.reading import read_ct

POINTS = {name: (1.0, 2.0, 3.0) for name in ("LocNet-F", "LocNet-H")}


@pytest.fixture
def cases(tmp_path):
    """Two cases, all of whose vertebrae are named, and an empty folder of results."""
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in ("one", "two"):
        write_plain_case(folder, name)
    return folder


def write_result(folder, levels=("L1", "L2", "L3"), **manifest):
    """Write an analysis that found `levels` where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [
        {"level": level, "center_lps_mm": list(center)}
        for level, center in zip(levels, CENTERS_LPS.values(), strict=False)
    ]
    content = {"vertebrae": found, "manifest": manifest}
    (folder / "analysis.json").write_text(json.dumps(content))


def figures(capsys, *words, status=0):
    capsys.readouterr()
    assert main(["evaluate", "cases", *map(str, words), "--json"]) == status
    printed = capsys.readouterr()
    return json.loads(printed.out), printed.err


def test_results_that_were_analysed_again_are_scored_again(cases, tmp_path, capsys):
    for name in ("one", "two"):
        write_result(tmp_path / "results" / name, ("T12", "L1", "L2"))
    words = [cases, "--results", tmp_path / "results", "--output", tmp_path / "out"]
    assert figures(capsys, *words)[0]["identification_rate"] == 0
    for name in ("one", "two"):
        write_result(tmp_path / "results" / name)
    again, told = figures(capsys, *words)
    assert again["identification_rate"] == 1
    assert "one: evaluated again" in told
    assert "evaluated again" not in figures(capsys, *words)[1]


@pytest.mark.parametrize("role", ["ct", "labels", "bodies", "truth"])
def test_cases_whose_files_changed_are_analysed_again(role, cases, tmp_path, monkeypatch):
    asked = refuse_all_scans(monkeypatch)
    words = ["evaluate", "cases", str(cases), "--cases", "one", "--output", str(tmp_path / "out")]
    assert main(words) == main(words) == 0
    assert len(asked) == 1
    if role == "truth":
        entry = {"level": "L1", "center_lps_mm": list(CENTERS_LPS[20])}
        (cases / "one_truth.json").write_text(json.dumps({"vertebrae": [entry]}))
    else:
        path = cases / f"one_{role}.nii.gz"
        sitk.WriteImage(sitk.ReadImage(str(path)) + (role == "ct"), str(path))
    assert main(words) == main(words) == 0
    assert len(asked) == 2


def test_records_that_do_not_say_of_which_files_are_made_again(cases, tmp_path, monkeypatch):
    asked = refuse_all_scans(monkeypatch)
    words = ["evaluate", "cases", str(cases), "--output", str(tmp_path / "out")]
    assert main(words) == 0
    path = tmp_path / "out" / "records.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(record.pop("sources") for record in records)
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    assert main(words) == 0
    assert len(asked) == 4


def test_the_voxels_beside_a_header_count_as_well(tmp_path):
    path = tmp_path / "a_ct.mhd"
    sitk.WriteImage(images("LPS")[0], str(path))
    before = sources_of(CaseFiles("a", path))
    assert sources_of(CaseFiles("a", path)) == before
    with (tmp_path / "a_ct.raw").open("ab") as file:
        file.write(b"0")
    assert sources_of(CaseFiles("a", path)) != before


def test_records_name_no_file(cases, tmp_path, monkeypatch):
    refuse_all_scans(monkeypatch)
    assert main(["evaluate", "cases", str(cases), "--output", str(tmp_path / "out")]) == 0
    assert str(cases) not in (tmp_path / "out" / "records.jsonl").read_text()


def test_a_record_without_localisers_does_not_do_for_their_comparison(tmp_path):
    log = open_log(tmp_path)
    log.add(CaseRecord("a", REAL, (1.0, 1.0, 1.0), (), (), sources={"ct": "x"}))
    assert log.holds("a", {"ct": "x"}) and not log.holds("a", {"ct": "y"})
    assert not log.holds("a", {"ct": "x"}, with_localisers=True)
    log.add(replace(log["a"], centres_by_localiser={k: (p,) for k, p in POINTS.items()}))
    kept = RecordLog(tmp_path / "records.jsonl")
    assert kept.holds("a", {"ct": "x"}, with_localisers=True) and not kept.holds("b")


def test_a_case_does_not_take_the_result_of_another(cases, tmp_path, capsys):
    write_result(tmp_path / "results")
    write_result(tmp_path / "results" / "one")
    scored, told = figures(capsys, cases, "--results", tmp_path / "results", status=2)
    assert list(scored["cases"]) == ["one"]
    assert "no result of case two" in told


def test_the_last_part_of_a_name_does_only_where_no_other_case_ends_alike(tmp_path, capsys):
    for ward in ("a", "b"):
        (tmp_path / "cases" / ward).mkdir(parents=True)
        write_plain_case(tmp_path / "cases" / ward, "patient")
    (tmp_path / "cases" / "c").mkdir()
    write_plain_case(tmp_path / "cases" / "c", "other")
    for folder in ("patient", "other", "b/patient"):
        write_result(tmp_path / "results" / folder)
    words = [tmp_path / "cases", "--results", tmp_path / "results"]
    scored, told = figures(capsys, *words, status=2)
    assert list(scored["cases"]) == ["b/patient", "c/other"]
    assert "no result of case a/patient" in told and "1 of 3 cases" in told
    # Choosing one of them does not make the other's result its own.
    capsys.readouterr()
    assert main(["evaluate", "cases", *map(str, words), "--cases", "a/patient"]) == 2
    assert "no result of case a/patient" in capsys.readouterr().err


def test_a_result_of_a_scan_elsewhere_is_refused(cases, tmp_path):
    ct = read_ct(cases / "one_ct.nii.gz")
    noted = {
        "input_size_xyz": ct.size_xyz,
        "input_spacing_xyz_mm": ct.spacing_xyz_mm,
        "input_origin_lps_mm": ct.origin_lps_mm,
        "input_direction": ct.direction,
    }
    write_result(tmp_path / "r", **noted)
    assert len(read_result(tmp_path / "r", ct).found) == 3
    # Stored along other axes it is the same scan.
    turned = tmp_path / "turned.nii.gz"
    sitk.WriteImage(images("RAS")[0], str(turned))
    assert len(read_result(tmp_path / "r", read_ct(turned)).found) == 3
    write_result(tmp_path / "r", **(noted | {"input_origin_lps_mm": (-36.0, -40.0, 30.0)}))
    with pytest.raises(InputError, match="result of another scan"):
        read_result(tmp_path / "r", ct)


def test_a_result_with_a_probability_that_is_no_number_is_refused(tmp_path):
    entry = '{"level": "L1", "center_lps_mm": [0, 0, 0], "level_probability": NaN}'
    (tmp_path / "analysis.json").write_text(f'{{"vertebrae": [{entry}]}}')
    with pytest.raises(InputError, match="not the result"):
        read_result(tmp_path, simple_ct())


@pytest.mark.parametrize(
    "words", [["--cases", "a"], ["--numbers", "verse"], ["--grades", "table.csv"]]
)
def test_options_without_effect_on_the_public_data_are_refused(words, tmp_path, capsys):
    assert main(["evaluate", "cases", "--public-data", str(tmp_path), *words]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"{words[0]} would change nothing" in told


def test_a_public_scan_without_a_result_is_not_reached_and_the_others_are_told(
    shared_data, tmp_path, capsys
):
    (tmp_path / "data" / "ct").mkdir(parents=True)
    for part in ("ct", "centers"):
        end = "nii.gz" if part == "ct" else "json"
        name = f"ct/lidc_0314_{part}.{end}"
        (tmp_path / "data" / name).symlink_to((shared_data / name).resolve())
    (tmp_path / "data" / CHEST_CROP.ct).symlink_to((shared_data / CHEST_CROP.ct).resolve())
    write_result(tmp_path / "results" / CHEST_CROP.name, ())
    words = ["--public-data", tmp_path / "data", "--results", tmp_path / "results"]
    scored, told = figures(capsys, *words)
    reached = {(r["scan"], r["what"]): r["reached"] for r in scored["requirements"]}
    assert reached["lidc_0314", "scan and result"] == "NO"
    assert len(reached) == 3 and "no result of case lidc_0314" in told


def test_a_crop_that_was_not_analysed_shows_why_instead_of_meeting_what_is_wanted():
    ct = simple_ct()

    def requirements(code):
        def refuse(_):
            raise InputError(code, "It did not work.")

        told = predictor(None, refuse)("crop", ct)
        record = CaseRecord("crop", REAL, ct.spacing_xyz_mm, (), (), stray_ml=0.0)
        return check_crop(replace(record, notes=told.notes))

    assert all(r.met for r in requirements("no_spine"))
    for requirement in requirements("too_large"):
        assert not requirement.met and "It did not work" in requirement.measured
