"""A training tells means of its steps since it told them last."""

from __future__ import annotations

import csv

from vertebra_core.training.run_report import RunReport


def test_steps_are_told_by_their_means_and_then_forgotten(tmp_path, caplog):
    caplog.set_level("INFO")
    report = RunReport(tmp_path, 1, tensorboard=False)
    for step, losses in ((2, [1.0, 3.0]), (4, [5.0, 6.0])):
        for loss in losses:
            report.add({"loss": loss})
        report.tell_steps(step, 60.0 * step, 0.1)
    report.tell_validation(4, {"dice": 0.5})
    report.tell_validation(6, {})
    report.close()
    with (tmp_path / "training.csv").open() as file:
        rows = [(r["step"], r["minutes"], r["loss"]) for r in csv.DictReader(file)]
    assert rows == [("2", "2", "2"), ("4", "4", "5.5")]
    assert (tmp_path / "validation.csv").read_text().splitlines() == ["step,dice", "4,0.5"]
    assert caplog.messages[-1] == "step 4 validation: dice 0.5000" and len(caplog.messages) == 3


def test_without_a_folder_nothing_is_written_or_said(caplog):
    caplog.set_level("INFO")
    report = RunReport(None, 1, tensorboard=False)
    report.add({"loss": 1.0})
    report.tell_steps(1, 1.0, 0.1)
    report.tell_validation(1, {"dice": 0.5})
    report.close()
    assert caplog.messages == []
