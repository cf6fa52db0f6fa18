"""What perturbations cost every system, as differences to the scans as they are."""

from __future__ import annotations

from vertebra_core.evaluation.compare_perturbed import perturbation_tables
from vertebra_core.evaluation.records import PHANTOM, CaseRecord, FoundVertebra, TrueVertebra


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
