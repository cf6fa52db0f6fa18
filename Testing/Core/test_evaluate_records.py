"""`evaluate records` tells the same story as the evaluation that recorded."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import pytest
from vertebra_core.errors import InputError
from vertebra_core.evaluation import evaluate_records
from vertebra_core.evaluation.record_log import open_log
from vertebra_core.evaluation.records import (
    PHANTOM,
    REAL,
    CaseRecord,
    FoundVertebra,
    TrueVertebra,
)

TRUTH = tuple(TrueVertebra(f"L{k}", (0.0, 0.0, -30.0 * k), grade=0) for k in (1, 2, 3))
FOUND = tuple(FoundVertebra(v.level, v.center_lps_mm, 0.9, grade=0) for v in TRUTH)
SCAN = CaseRecord("a", REAL, (1.0, 1.0, 1.0), TRUTH, FOUND)
SETTINGS = {"setting": "best", "weights": {"locnet": "a"}, "scene_spacing_mm": 1.5}


def kept(folder, *records, **settings):
    log = open_log(folder, {**SETTINGS, **settings})
    for record in records:
        log.add(record)
    return folder


def phantom(name, pixel_mm=1.0, slice_mm=1.0):
    spacing = (pixel_mm, pixel_mm, slice_mm)
    return replace(SCAN, name=name, kind=PHANTOM, spacing_xyz_mm=spacing)


def told(capsys, *folders, form="--json"):
    parser = argparse.ArgumentParser()
    evaluate_records.add_arguments(parser)
    capsys.readouterr()
    assert evaluate_records.run(parser.parse_args([*map(str, folders), form])) == 0
    printed = capsys.readouterr()
    return (json.loads(printed.out) if form == "--json" else printed.out), printed.err


def test_scans_without_a_truth_are_left_out_as_in_their_evaluation(tmp_path, capsys):
    crop = replace(SCAN, name="crop", truth=())
    figures, _ = told(capsys, kept(tmp_path, SCAN, crop))
    assert figures["n_scans"] == 1 and list(figures["cases"]) == ["a"]
    assert figures["false_positives"] == 0 and figures["scans_all_right"] == 1.0
    with pytest.raises(InputError, match="no records"):
        told(capsys, kept(tmp_path / "crop", crop))


def test_phantoms_are_titled_by_what_was_asked_for_and_only_drawn_ones_have_requirements(
    tmp_path, capsys
):
    name = "phantom_fractures4_mild2_10000000_1x1mm"
    folder = kept(tmp_path / "deformed", phantom(name), deformed_bodies="_fractures4_mild2")
    title = "Phantoms with 4 fractures and 2 mild deformities, 1 mm slices of 1 mm pixels"
    text, _ = told(capsys, folder, form="--markdown")
    assert f"**{title} (n = 1)**" in text and "What must be reached" not in text
    drawn = kept(tmp_path / "drawn", phantom("phantom_10000000_1x1mm"), deformed_bodies=None)
    figures, warned = told(capsys, drawn, folder)
    assert figures["n_scans"] == 1 and figures[title]["n_scans"] == 1 and not warned
    assert {row["scans"] for row in figures["requirements"]} == {"1 phantoms, 1 mm"}


def test_pixel_sizes_are_not_pooled(tmp_path, capsys):
    scans = [phantom(f"phantom_10000000_{p:g}x1mm", p) for p in (0.5, 1.0)]
    figures, _ = told(capsys, kept(tmp_path, *scans))
    assert figures["Phantoms, 1 mm slices of 1 mm pixels"]["n_scans"] == 1
    assert {row["scans"] for row in figures["requirements"]} == {
        "1 phantoms, 1 mm, pixels 0.5 mm",
        "1 phantoms, 1 mm, pixels 1 mm",
    }


def test_folders_made_in_other_ways_are_told_together_with_a_warning(tmp_path, capsys):
    one = kept(tmp_path / "one", phantom("phantom_10000000_1x1mm"))
    two = kept(tmp_path / "two", phantom("phantom_10000001_1x1mm"), scene_spacing_mm=3.0)
    figures, warned = told(capsys, one, two)
    assert figures["n_scans"] == 2
    assert warned == f"{two} was made with other scene spacing mm than {one}.\n"


def test_phantoms_read_from_files_have_no_requirements(tmp_path, capsys):
    scan = replace(phantom("phantom_1"), sources={"ct": "x"})
    text, _ = told(capsys, kept(tmp_path, scan), form="--markdown")
    assert "**Phantoms (n = 1)**" in text and "What must be reached" not in text


def test_records_of_a_comparison_are_refused(tmp_path, capsys):
    compared = replace(SCAN, name="a | localisation | LocNet-F | 0123")
    with pytest.raises(InputError, match="holds a comparison"):
        told(capsys, kept(tmp_path, compared))
