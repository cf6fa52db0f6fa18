"""What perturbations cost every system, as differences to the scans as they are."""

from __future__ import annotations

from dataclasses import replace

from vertebra_core.evaluation.compare_perturbed import perturbation_tables
from vertebra_core.evaluation.compare_tables import comparison_tables
from vertebra_core.evaluation.records import (
    PHANTOM,
    REAL,
    CaseRecord,
    FoundVertebra,
    MaskScore,
    TrueVertebra,
)


def test_what_a_perturbation_costs_stands_in_one_row():
    places = [(0.0, 0.0, 40.0 * k) for k in range(4)]
    truth = tuple(TrueVertebra("L1", p) for p in places)

    def records(kind, count):
        found = tuple(FoundVertebra("C1", (1.0, 0.0, z)) for _, _, z in places[:count])
        return [CaseRecord("x", kind, (1.0, 1.0, 1.0), truth, found)]

    results = {
        ("localisation", "One", PHANTOM): records(PHANTOM, 4),
        ("localisation", "One", f"{PHANTOM}, noise"): records(PHANTOM, 3),
        ("localisation", "One", f"{PHANTOM}, crop"): records(PHANTOM, 0),
    }
    (table,) = perturbation_tables(results)
    assert table.columns[5:] == ("noise", "crop")
    assert table.rows == (
        ("localisation", "One", "error mm", "1 scan", "1.00", "+0.00", None),
        ("localisation", "One", "recall", "1 scan", "100.0 %", "-25.0", "-100.0"),
    )
    del results[("localisation", "One", f"{PHANTOM}, noise")]
    del results[("localisation", "One", f"{PHANTOM}, crop")]
    assert perturbation_tables(results) == []


def test_scans_that_a_perturbation_leaves_as_they_are_do_not_count_for_it():
    places = [(0.0, 0.0, 40.0 * k) for k in range(4)]
    truth = tuple(TrueVertebra("L1", p) for p in places)

    def record(name, error_mm, slice_mm=1.0):
        found = tuple(FoundVertebra("C1", (error_mm, 0.0, z)) for _, _, z in places)
        key = f"{name} | localisation | One | v"
        return CaseRecord(key, REAL, (1.0, 1.0, slice_mm), truth, found)

    results = {
        ("localisation", "One", REAL): [record("a", 1.0), record("b", 3.0, 3.0)],
        ("localisation", "One", f"{REAL}, resolution"): [record("a_resolution", 1.5, 3.0)],
        ("localisation", "One", f"{REAL}, blur"): [record("a_blur", 2.0), record("b_blur", 3.0)],
    }
    (table,) = perturbation_tables(results)
    assert table.columns[5:] == ("blur", "resolution")
    assert table.rows[0][3:] == ("2 scans (resolution 1)", "2.00", "+0.50", "+0.50")
    assert "resolution 3 mm." in table.note


def test_scans_without_true_masks_do_not_count_for_them():
    mask = MaskScore("L1", "vertebra", "L1", True, *[0.9] * 9)
    truth = (TrueVertebra("L1", (0.0, 0.0, 0.0)),)
    labelled = CaseRecord("a | x", REAL, (1.0,) * 3, truth, (), masks=(mask,))
    results = {("segmentation", "One", REAL): [labelled, replace(labelled, name="b", masks=())]}
    (table,) = comparison_tables(results)
    assert table.rows[0][2] == "1 scan, 1 vertebrae"
    perturbed = {("segmentation", "One", f"{REAL}, noise"): [replace(labelled, name="a_noise | x")]}
    assert perturbation_tables(results | perturbed)[0].rows[0][3] == "1 scan"
    graded = CaseRecord("g", PHANTOM, (1.0,) * 3, (replace(truth[0], grade=0),), ())
    found = (FoundVertebra("L1", (0.0, 0.0, 0.0), grade=0),)
    graded = [replace(graded, found=found), replace(graded, truth=truth)]
    (table,) = comparison_tables({("grading", "One", PHANTOM): graded})
    assert table.rows[0][2] == "1 scan, 1 vertebrae"
