"""Tables, markups, label maps, and that they appear whole or not at all."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from example_analysis import example
from vertebra_core.analysis import Flag
from vertebra_core.errors import Cancelled, OutputError
from vertebra_core.output.analysis_csv import COLUMNS, analysis_to_csv
from vertebra_core.output.atomic_output import AtomicOutput
from vertebra_core.output.grade_names import grade_label
from vertebra_core.output.label_map import write_label_map
from vertebra_core.output.markups_json import analysis_to_markups, point_description
from vertebra_core.reading import read_label_map
from vertebra_core.volume import LabelVolume, same_grid

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def test_table_has_a_row_per_vertebra_and_empty_cells_with_reasons():
    text = analysis_to_csv(example()[3])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert [r["level"] for r in rows] == ["T12", "L1", "L2"]
    assert (rows[1]["grade"], rows[1]["shape"], rows[1]["borderline"]) == ("1", "wedge", "yes")
    assert rows[1]["height_loss_wedge"] == "0.24"
    assert rows[1]["flag_reasons"] == 'A loss of 24 % is near "25 %".'
    assert rows[2]["grade"] == rows[2]["height_anterior_mm"] == rows[2]["density_hu"] == ""
    assert [r["borderline"] for r in rows] == ["no", "yes", ""]
    second = ("runner_up_level", "runner_up_probability", "level_margin")
    assert [rows[2][name] for name in second] == ["L3", "0.025", "0.945"]
    assert "grade: The edge of the scan cuts the body." in rows[2]["not_measured"]


def test_markups_name_every_vertebra_in_lps():
    analysis = example()[3]
    content = json.loads(analysis_to_markups(analysis))
    assert content["@schema"].endswith("markups-schema-v1.0.3.json#")
    (markup,) = content["markups"]
    assert (markup["type"], markup["coordinateSystem"]) == ("Fiducial", "LPS")
    points = markup["controlPoints"]
    assert [p["label"] for p in points] == [
        "T12  G0",
        "L1  G1 wedge, borderline",
        "L2  not graded",
    ]
    assert "Ha 26.0, Hm 25.0, Hp 26.5 mm" in points[0]["description"]
    assert '"' not in points[1]["description"]
    for point, vertebra in zip(points, analysis.vertebrae, strict=True):
        assert point["position"] == pytest.approx(vertebra.center_lps_mm, abs=1e-3)


@pytest.mark.parametrize(
    ("grade", "shape", "borderline", "said"),
    [
        (2, "wedge", False, "G2 wedge"),
        (1, "wedge", True, "G1 wedge, borderline"),
        (1, "normal", False, "G1"),
        (0, "normal", None, "G0"),
        (None, None, None, "not graded"),
    ],
)
def test_grades_are_called_by_their_shape_only_where_there_is_one(grade, shape, borderline, said):
    vertebra = replace(example()[3].vertebrae[0], grade=grade, shape=shape, borderline=borderline)
    assert grade_label(vertebra) == said


def test_a_point_is_described_in_one_line_that_tells_what_a_reader_changed():
    before = example()[3].vertebrae[1]
    odd = replace(before, flags=(Flag("metal", 'A "screw"\tlies\nin it.'),))
    told = point_description(odd)
    assert told.endswith("A 'screw' lies in it.") and "by AI" not in told
    moved = point_description(replace(odd, level="L2", grade=2), before)
    assert "level by reader, L1 by AI; G1 wedge, borderline by AI; A 'screw'" in moved
    assert "G1 wedge, borderline by AI" in point_description(odd, before, overridden=True)


@pytest.mark.parametrize("mirrored", [False, True])
def test_label_maps_lie_where_the_ct_lies(tmp_path, mirrored):
    _, labels, _, _ = example()
    if not mirrored:
        labels = replace(labels, direction=IDENTITY)
    write_label_map(tmp_path / "labels.nii.gz", labels.labels, labels)
    back = read_label_map(tmp_path / "labels.nii.gz")
    assert back.labels.dtype == np.uint8
    assert np.array_equal(back.labels, labels.labels)
    assert same_grid(back, labels, 1e-3)
    assert np.allclose(back.direction, labels.direction, atol=1e-5)


def test_both_ways_of_placing_a_nifti_agree(tmp_path):
    _, labels, _, _ = example()
    write_label_map(tmp_path / "labels.nii.gz", labels.labels, labels)
    image = sitk.ReadImage(str(tmp_path / "labels.nii.gz"))
    assert image.GetMetaData("qform_code") == image.GetMetaData("sform_code") == "1"
    rows = [[float(v) for v in image.GetMetaData(f"srow_{axis}").split()] for axis in "xyz"]
    last = np.array(labels.labels.shape)[::-1] - 1
    by_rows = np.array(rows) @ [*last, 1.0] * [-1, -1, 1]
    assert image.TransformIndexToPhysicalPoint([int(n) for n in last]) == pytest.approx(
        by_rows, abs=1e-3
    )


def test_a_full_disk_is_noticed_by_the_label_map(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    _, labels, _, _ = example()
    (tmp_path / "labels.nii.gz").symlink_to("/dev/full")
    with pytest.raises(OSError) as full:
        write_label_map(tmp_path / "labels.nii.gz", labels.labels, labels)
    assert full.value.errno == errno.ENOSPC


def test_writing_a_label_map_can_be_cancelled(tmp_path):
    _, labels, _, _ = example()
    with pytest.raises(Cancelled):
        write_label_map(tmp_path / "l.nii.gz", labels.labels, labels, lambda: True)


def test_label_maps_must_fit_the_volume(tmp_path):
    _, labels, _, _ = example()
    other = LabelVolume(labels.labels[1:], labels.spacing_xyz_mm, labels.origin_lps_mm)
    with pytest.raises(ValueError, match="size"):
        write_label_map(tmp_path / "l.nii.gz", labels.labels, other)


def files(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_nothing_is_seen_before_the_commit_and_all_after(tmp_path):
    folder = tmp_path / "new" / "results"
    with AtomicOutput(folder) as output:
        output.path("analysis.json").write_text("{}")
        output.path("report.html").write_text("<p>")
        assert [p for p in folder.iterdir() if not p.name.startswith(".")] == []
        results = output.commit()
    assert files(folder) == {"analysis.json": "{}", "report.html": "<p>"}
    assert [p.name for p in results] == ["report.html", "analysis.json"]
    assert sorted(p.name for p in folder.iterdir()) == ["analysis.json", "report.html"]


def test_without_a_commit_nothing_is_left(tmp_path):
    with pytest.raises(Cancelled), AtomicOutput(tmp_path / "new" / "results") as output:
        output.path("analysis.json").write_text("{}")
        raise Cancelled()
    assert list(tmp_path.iterdir()) == []


def test_earlier_results_are_replaced_as_a_whole_and_strangers_stay(tmp_path):
    for name in ("analysis.json", "scene.mrb", "my notes.txt"):
        (tmp_path / name).write_text("old")
    with AtomicOutput(tmp_path) as output:
        output.path("analysis.json").write_text("new")
        output.commit()
    assert files(tmp_path) == {"analysis.json": "new", "my notes.txt": "old"}


def test_earlier_results_survive_a_failure(tmp_path, monkeypatch):
    (tmp_path / "analysis.json").write_text("old")
    (tmp_path / "report.html").write_text("old")
    replace_file = Path.replace

    def fail_late(self: Path, target: Path) -> Path:
        new = self.name == "analysis.json" and self.parent.name.startswith(".vertebra")
        if new and target.parent == tmp_path:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace_file(self, target)

    with pytest.raises(OutputError) as full, AtomicOutput(tmp_path) as output:
        output.path("analysis.json").write_text("new")
        output.path("report.html").write_text("new")
        monkeypatch.setattr(Path, "replace", fail_late)
        output.commit()
    assert full.value.code == "disk_full"
    assert files(tmp_path) == {"analysis.json": "old", "report.html": "old"}


def test_a_full_disk_is_told_in_a_sentence(tmp_path):
    with pytest.raises(OutputError) as full, AtomicOutput(tmp_path) as output, output.writing():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert full.value.code == "disk_full" and "full" in full.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_told_in_a_sentence(tmp_path):
    with pytest.raises(OutputError) as told, AtomicOutput(tmp_path / "new") as output:
        output.path("report.html").mkdir()
        with output.writing():
            output.path("report.html").write_text("<p>")
    assert told.value.code == "not_writable" and str(tmp_path / "new") in told.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_file_missing_elsewhere_is_not_told_as_results_that_cannot_be_written(tmp_path):
    with (
        pytest.raises(FileNotFoundError),
        AtomicOutput(tmp_path / "out") as output,
        output.writing(),
    ):
        (tmp_path / "resource.json").read_text()
    with pytest.raises(OSError, match="libcudnn"), AtomicOutput(tmp_path / "out"):
        raise OSError("libcudnn.so.9: cannot open shared object file")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_refused_at_once(tmp_path):
    (tmp_path / "results").write_text("a file")
    for folder in (tmp_path / "results", tmp_path / "results" / "deeper"):
        with pytest.raises(OutputError) as refused, AtomicOutput(folder):
            pytest.fail("opened")
        assert refused.value.code == "not_writable"


def test_what_a_killed_run_left_goes_after_a_day(tmp_path):
    old, young = tmp_path / ".vertebra-partial-old", tmp_path / ".vertebra-partial-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "labels.nii.gz").write_text("half")
    yesterday = time.time() - 2 * 24 * 3600
    os.utime(old, (yesterday, yesterday))
    with AtomicOutput(tmp_path):
        assert not old.exists() and young.exists()
