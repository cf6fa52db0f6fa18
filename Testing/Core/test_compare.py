"""The comparison: every system sees the same scans; its rows state what it is, and on how many."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_stages import LEVELS, fake_stages, true_centres, trunk_ct
from labelled_folder import CENTERS_LPS, write_plain_case
from torch import nn
from toy_phantom import toy_scene
from vertebra_core.command_line import main
from vertebra_core.errors import InputError
from vertebra_core.evaluation import compare as compare_module
from vertebra_core.evaluation.compare import all_systems, compare, found_networks, without_dbscan
from vertebra_core.evaluation.compare_answers import STOPS, System
from vertebra_core.evaluation.compare_cases import (
    CompareCase,
    PhantomCase,
    lesion_truth,
    with_perturbations,
)
from vertebra_core.evaluation.compare_pipeline import pipeline_systems
from vertebra_core.evaluation.compare_run import BASE_NETWORKS, record_run
from vertebra_core.evaluation.compare_systems import systems_of
from vertebra_core.evaluation.compare_tables import (
    comparison_tables,
    figures_of,
    lesion_figures,
    wall_figures,
)
from vertebra_core.evaluation.compare_training import training_table
from vertebra_core.evaluation.grading_metrics import grade_figures, weighted_kappa
from vertebra_core.evaluation.prediction import Prediction
from vertebra_core.evaluation.published_figures import PUBLISHED
from vertebra_core.evaluation.record_log import RecordLog
from vertebra_core.evaluation.records import PHANTOM, CaseRecord, FoundVertebra, TrueVertebra
from vertebra_core.evaluation.truth import CaseTruth
from vertebra_core.grading.fracture_networks import FracNet, FracSegNet
from vertebra_core.labelling.single_network import SingleVertebraNetwork
from vertebra_core.levels import level_named
from vertebra_core.localisation.sagittal_network import SagittalDetector
from vertebra_core.models import WeightsRecord, save_weights
from vertebra_core.phantom.lesions import with_lesions
from vertebra_core.phantom.scene import save_scene
from vertebra_core.training.imaging_domains import domain_numbers
from vertebra_core.vertebraformer.network import VertebraFormer

SINGLE = {"widths": (4, 4, 8, 8), "depths": (1,) * 4, "width": 16, "layers": 1, "heads": 2}
FORMER = {"widths": (8, 8, 8), "width": 12, "layers": 1, "heads": 2}


@pytest.fixture(scope="module")
def recorded():
    torch.manual_seed(0)
    return record_run(trunk_ct(), fake_stages())


def test_a_run_keeps_what_passed_between_the_stages(recorded):
    assert recorded.coarse.spacing_xyz_mm == (2.0, 2.0, 2.0)
    assert recorded.fine.spacing_xyz_mm == (1.0, 1.0, 1.0)
    assert [v.level for v in recorded.vertebrae] == list(LEVELS)
    assert len(recorded.candidates) == len(recorded.labelled) == len(LEVELS)
    assert all(v.grade is None for v in recorded.vertebrae)
    assert len(recorded.result.analysis.vertebrae) == len(LEVELS)


def test_a_refused_scan_counts_as_nothing_found():
    run = record_run(trunk_ct(), fake_stages(found=()))
    assert run.result is None and "No vertebra" in run.reason
    own = [s for s in pipeline_systems(nn.Identity(), "cpu") if "LocNet" not in s.name]
    others = systems_of("fracsegnet_focal", FracSegNet((4, 4)), "cpu")
    answers = {(s.stop, s.name): s.answer(run) for s in (*own, *others)}
    assert all(answer.found == () for answer in answers.values())
    labels = [answer.labels for (stop, _), answer in answers.items() if stop == "segmentation"]
    assert len(labels) == 2 and not any(label.any() for label in labels)


def test_fracture_networks_grade_and_segment_the_same_vertebrae(recorded):
    torch.manual_seed(0)
    systems = systems_of("fracsegnet_cross_entropy", FracSegNet((4, 4)), "cpu")
    grading, segmentation, walls = systems
    assert walls.stop == "walls" and len(walls.answer(recorded).found) == len(LEVELS)
    assert grading.name == segmentation.name == "FracSegNet, cross entropy"
    assert (grading.stop, segmentation.stop) == ("grading", "segmentation")
    graded = grading.answer(recorded)
    assert [v.level for v in graded.found] == list(LEVELS)
    assert all(v.grade in range(4) for v in graded.found if v.grade is not None)
    assert any(v.grade is not None for v in graded.found)
    assert segmentation.answer(recorded).labels.shape == recorded.ct.hu.shape
    (alone,) = systems_of("fracnet_focal", FracNet((4, 4), walls=False), "cpu")
    assert alone.stop == "grading"


def test_positions_alone_are_a_system_of_their_own(recorded):
    systems = {s.name: s for s in pipeline_systems(nn.Identity(), "cpu")}
    found = systems["Positions alone (no network)"].answer(recorded).found
    assert len(found) == len(LEVELS)
    assert all(v.network_level is None for v in found)
    graded = systems["Morphometry alone"].answer(recorded).found
    assert [v.level for v in graded] == list(LEVELS)


def test_single_masks_are_named_before_and_after_logic(recorded):
    torch.manual_seed(0)
    (system,) = systems_of("single_labelling", SingleVertebraNetwork(**SINGLE), "cpu")
    found = system.answer(recorded).found
    assert system.stop == "labelling"
    assert found and all(v.network_level for v in found)


def test_vertebraformer_answers_four_stops_and_runs_once_a_scan(recorded):
    torch.manual_seed(0)
    network = VertebraFormer(**FORMER)
    calls: list[int] = []
    network.register_forward_hook(lambda *_: calls.append(1))
    systems = systems_of("vertebraformer", network, "cpu")
    assert [s.stop for s in systems] == ["localisation", "segmentation", "labelling", "lesions"]
    answers = [s.answer(recorded) for s in systems]
    assert answers[1].labels.shape == recorded.ct.hu.shape
    count = len(calls)
    assert count > 0
    systems[0].answer(recorded)
    assert len(calls) == count
    plain = systems_of("vertebraformer_plain", VertebraFormer(**FORMER, modulation=False), "cpu")
    assert {s.name for s in plain} == {"VertebraFormer, plain"}


class _Trunk(CompareCase):
    def load(self):
        truth = tuple(
            TrueVertebra(n, c, grade=0) for n, c in zip(LEVELS, true_centres(), strict=True)
        )
        return trunk_ct(), CaseTruth(truth, kind=PHANTOM), {}


def _one_label() -> np.ndarray:
    labels = np.zeros(trunk_ct().hu.shape, np.uint8)
    labels[20:30, 20:30, 20:30] = level_named("L1").number
    return labels


class _LabelledTrunk(_Trunk):
    def load(self):
        ct, truth, extras = super().load()
        return ct, replace(truth, labels=_one_label()), extras


def test_masks_are_scored_at_their_own_stop_only(recorded):
    systems = [
        System("Own", stop, lambda _: Prediction((FoundVertebra("L1", (0, 0, 0)),), _one_label()))
        for stop in ("grading", "segmentation")
    ]
    case = _LabelledTrunk("trunk", PHANTOM)
    results = compare([case], systems, lambda ct: recorded, RecordLog(None))
    (graded,), (segmented,) = (results[(s.stop, "Own", PHANTOM)] for s in systems)
    assert graded.masks == () and len(graded.found) == 1
    assert [m.dice for m in segmented.masks] == [1.0]


def test_every_system_is_asked_once_and_answers_are_kept(tmp_path, recorded):
    asked: list[str] = []

    def answer(run):
        asked.append("one")
        return Prediction((FoundVertebra("T12", true_centres()[0]),))

    def analyse(ct):
        asked.append("run")
        return recorded

    systems = [System("One", "localisation", answer), System("Spots", "lesions", answer)]
    log = tmp_path / "records.jsonl"
    cases = [_Trunk("trunk", PHANTOM)]
    first = compare(cases, systems, analyse, RecordLog(log))
    again = compare(cases, systems, analyse, RecordLog(log))
    assert asked == ["run", "one"]
    assert first == again
    compare(cases, [replace(systems[0], version="retrained")], analyse, RecordLog(log))
    assert asked == ["run", "one", "run", "one"]
    (record,) = first[("localisation", "One", PHANTOM)]
    assert figures_of("localisation", [record])["recall"] == pytest.approx(0.25)
    (tables,) = comparison_tables(first)
    assert tables.rows[0][:3] == ("One", "phantoms, this project", "1 scan, 4 vertebrae")
    assert any(row[0] == "LocNet-F" and "VertFault" in row[1] for row in tables.rows)


def test_published_confusions_give_the_published_scores():
    by_name = {p.system: p.confusion_matrix() for p in PUBLISHED if p.confusion}
    scores = [round(g.f1, 2) for g in grade_figures(by_name["FracSegNet, cross entropy"])]
    assert scores == [0.88, 0.09, 0.35, 0.0]
    assert round(grade_figures(by_name["FracNet, focal"])[0].f1, 2) == 0.89
    assert weighted_kappa(by_name["FracNet, focal"]) == 0
    assert {p.stop for p in PUBLISHED} < set(STOPS)


def test_broken_walls_are_counted_one_by_one():
    places = [(0.0, 0.0, 40.0 * k) for k in range(3)]
    shapes = ("superior endplate", "superior endplate + posterior wall", "")
    said = ("superior endplate", "posterior wall", "posterior wall")
    truth = tuple(TrueVertebra("L1", c, shape=s) for c, s in zip(places, shapes, strict=True))
    found = tuple(FoundVertebra("L1", c, shape=s) for c, s in zip(places, said, strict=True))
    figures = wall_figures([CaseRecord("x", PHANTOM, (1.0, 1.0, 1.0), truth, found)])
    assert figures["n_walls"] == 3
    assert figures["superior endplate_sensitivity"] == 0.5
    assert figures["superior endplate_ppv"] == 1.0
    assert figures["posterior wall_sensitivity"] == 1.0 and figures["posterior wall_ppv"] == 0.5
    assert figures["inferior endplate_sensitivity"] is None


def test_lesions_are_found_within_a_centimetre():
    truth = tuple(
        TrueVertebra("C1", (0.0, 0.0, z), shape=k) for z, k in ((0.0, "lytic"), (90.0, "lytic"))
    )
    found = tuple(
        FoundVertebra("C1", (0.0, 0.0, z), 0.5, shape=k)
        for z, k in ((4.0, "sclerotic"), (76.0, "lytic"))
    )
    record = CaseRecord("x", PHANTOM, (1.0, 1.0, 1.0), truth, found)
    figures = lesion_figures([record])
    assert figures["recall"] == 0.5 and figures["localisation_error_mm"] == 4.0
    assert figures["kind_right"] == 0.0 and figures["false_positives_per_scan"] == 1.0


class _Scenes:
    def get(self, seed):
        return replace(toy_scene(1.5), seed=seed)


def test_a_phantom_shows_its_lesions_and_is_scanned_in_the_domain_asked_for():
    case = PhantomCase("p", PHANTOM, 10_000_003, _Scenes(), 2.0, 1.0, domain_numbers(["sharp"]))
    ct, truth, extras = case.load()
    lesions = extras["lesions"]
    assert truth.kind == PHANTOM and {v.level for v in truth.vertebrae} <= {"L1", "L2", "L3"}
    drawn = with_lesions(_Scenes().get(10_000_003)).lesions
    assert 0 < len(lesions.vertebrae) <= len(drawn)
    assert {v.shape for v in lesions.vertebrae} <= {"lytic", "sclerotic"}
    assert set(replace(case, lesion_share=0.0).load()[2]) == {"walls"}
    assert {v.shape for v in extras["walls"].vertebrae} == {""}
    outside = replace(drawn[0], center_zyx_mm=(-50.0, 0.0, 0.0))
    assert lesion_truth((outside,), ct).vertebrae == ()


def test_weights_are_found_in_sub_folders_and_the_bundled_ones_complete_them(tmp_path, monkeypatch):
    torch.manual_seed(0)
    (tmp_path / "former").mkdir()
    (tmp_path / "box" / "checkpoint").mkdir(parents=True)
    save_weights(VertebraFormer(**FORMER), tmp_path / "former" / "vertebraformer.safetensors")
    note = {"steps": "50", "batch_size": "8", "training_seconds": "90"}
    note["training_clock"] = "processor"
    save_weights(SagittalDetector((8, 8, 8, 8)), tmp_path / "box" / "sagittal.safetensors", note)
    (tmp_path / "box" / "checkpoint" / "tensors.safetensors").write_bytes(b"no network")
    networks, records = found_networks(tmp_path, "cpu")
    assert set(networks) == set(records) == {*BASE_NETWORKS, "vertebraformer", "sagittal"}
    sums = {name: record.sha256 for name, record in records.items()}
    monkeypatch.setattr(compare_module, "check_dbscan", lambda: None)
    systems = all_systems(networks, "cpu", sums)
    names = [s.name for s in systems]
    versions = {s.name: s.version for s in systems}
    assert versions["LocNet-F"] == versions["LocNet-H"] != versions["VertebraFormer"]
    retrained = all_systems(networks, "cpu", {**sums, "vertebraformer": "other"})
    assert {s.name: s.version for s in retrained}["VertebraFormer"] != versions["VertebraFormer"]
    assert {"LocNet-F", "LocNet-H, chain", "Sagittal boxes, DBSCAN", "VertebraFormer"} <= set(names)
    rows = {row[0]: row for row in training_table(networks, records).rows}
    assert rows["sagittal"][1:3] == ("SagittalDetector", "processor")
    assert rows["sagittal"][4:] == (50, 400, "1.5") and rows["vertebraformer"][4:] == (None,) * 3
    with pytest.raises(Exception, match="no folder"):
        found_networks(tmp_path / "none", "cpu")


def test_two_different_weights_of_one_name_are_refused_and_copies_are_not(tmp_path):
    paths = [tmp_path / folder / "sagittal.safetensors" for folder in ("all", "sharp")]
    for path in paths:
        path.parent.mkdir()
        save_weights(SagittalDetector((8, 8, 8, 8)), path)
    with pytest.raises(InputError, match="are different weights of one name") as refused:
        found_networks(tmp_path, "cpu")
    assert all(str(path) in refused.value.message for path in paths)
    assert "sagittal_second.safetensors" in refused.value.hint
    renamed = paths[1].rename(paths[1].with_name("sagittal_second.safetensors"))
    assert {"sagittal", "sagittal_second"} <= set(found_networks(tmp_path, "cpu")[0])
    renamed.unlink()
    shutil.copyfile(paths[0], paths[1])
    assert "sagittal" in found_networks(tmp_path, "cpu")[0]


def test_the_report_says_which_weights_are_left_out_without_scikit_learn(monkeypatch, capsys):
    def missing():
        raise InputError("package_missing", "scikit-learn is not installed.")

    monkeypatch.setattr(compare_module, "check_dbscan", missing)
    networks = {"locnet": nn.Identity(), "sagittal_wide": SagittalDetector((8, 8, 8, 8))}
    assert not any("DBSCAN" in s.name for s in all_systems(networks, "cpu"))
    assert "sagittal_wide: left out. scikit-learn" in capsys.readouterr().err
    records = dict.fromkeys(networks, WeightsRecord("", "", "", {}))
    told = training_table(networks, records, tuple(without_dbscan(networks))).note
    assert "sagittal_wide: in no other table" in told
    assert ".venv/bin/python -m pip install scikit-learn" in told
    monkeypatch.setattr(compare_module, "check_dbscan", lambda: None)
    assert without_dbscan(networks) == {}
    assert "in no other table" not in training_table(networks, records).note


@pytest.mark.slow
def test_the_command_prints_tables_and_figures(tmp_path, capsys):
    seed = 10_000_000
    save_scene(replace(toy_scene(1.5), seed=seed), tmp_path / f"scene_{seed:08d}.npy")
    words = ["evaluate", "--compare", "--count", "1", "--spacing", "2", "--scenes", str(tmp_path)]
    words += ["--output", str(tmp_path / "kept"), "--device", "cpu", "--threads", "1"]
    assert main([*words, "--markdown"]) == 0
    shown = capsys.readouterr().out
    assert "**Localisation of body centres**" in shown
    assert "LocNet-H" in shown and "Lu 2025" in shown and "1 scan, " in shown
    assert main([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert "localisation: LocNet-F, phantom" in figures


def test_nothing_to_compare_on_is_told(capsys):
    assert main(["evaluate", "--compare", "--count", "0"]) == 2
    assert "no scan to compare on" in capsys.readouterr().err
    assert main(["evaluate", "--compare", "--domains", "blurred"]) == 2
    assert "blurred" in capsys.readouterr().err
    assert main(["evaluate", "--compare", "--fractures", "13"]) == 2
    assert "0 to 12 fractures" in capsys.readouterr().err
    assert main(["evaluate"]) == 2


@pytest.fixture
def one_system(monkeypatch, recorded):
    """A comparison of a single system; the list of the scans that were analysed."""
    analysed = []
    system = System("One", "localisation", lambda run: Prediction(()))
    monkeypatch.setattr(compare_module, "found_networks", lambda *_: ({}, {}))
    monkeypatch.setattr(compare_module, "all_systems", lambda *_: [system])
    monkeypatch.setattr(compare_module, "base_stages", lambda *_: None)
    monkeypatch.setattr(compare_module, "record_run", lambda ct, _: analysed.append(ct) or recorded)
    return analysed


def test_answers_about_other_scenes_are_refused(tmp_path, one_system, capsys):
    seed = 10_000_000
    for spacing in (1.5, 3.0):
        folder = tmp_path / f"{spacing:g}"
        folder.mkdir()
        scene = replace(toy_scene(spacing), seed=seed)
        save_scene(scene, folder / f"scene_{seed:08d}.npy")
    words = ["evaluate", "--compare", "--count", "1", "--spacing", "2", "--lesions", "0", "--json"]
    words += ["--output", str(tmp_path / "out")]
    assert main([*words, "--scenes", str(tmp_path / "1.5")]) == 0
    assert main([*words, "--scenes", str(tmp_path / "1.5")]) == 0
    assert len(one_system) == 1
    coarse = [*words, "--scene-spacing", "3", "--scenes", str(tmp_path / "3")]
    assert main(coarse) == 2
    assert "made otherwise (scene spacing mm 1.5)" in capsys.readouterr().err
    (tmp_path / "shapes" / "masks").mkdir(parents=True)
    shaped = [*words, "--shapes", str(tmp_path / "shapes"), "--scenes", str(tmp_path / "1.5")]
    assert main(shaped) == 2
    assert "made otherwise (shapes parametric)" in capsys.readouterr().err
    # Records of a comparison are of systems, not of scans.
    assert main(["evaluate", "records", str(tmp_path / "out")]) == 2
    assert "holds a comparison" in capsys.readouterr().err
    assert main(["evaluate", "cases", str(tmp_path), "--output", str(tmp_path / "out")]) == 2


def test_real_scans_that_changed_are_asked_about_again(tmp_path, one_system, capsys):
    (tmp_path / "cases").mkdir()
    write_plain_case(tmp_path / "cases", "one")
    words = ["evaluate", "--compare", "--count", "0", "--cases", str(tmp_path / "cases"), "--json"]
    words += ["--output", str(tmp_path / "out"), "--perturb", "noise"]
    assert main(words) == main(words) == 0
    assert len(one_system) == 2
    entry = {"level": "L1", "center_lps_mm": list(CENTERS_LPS[20])}
    (tmp_path / "cases" / "one_truth.json").write_text(json.dumps({"vertebrae": [entry]}))
    assert main(words) == 0
    assert len(one_system) == 4


def test_a_perturbation_that_changes_nothing_is_no_measurement(tmp_path, recorded):
    class Thick(_Trunk):
        def load(self):
            ct, truth, extras = super().load()
            return replace(ct, spacing_xyz_mm=(*ct.spacing_xyz_mm[:2], 3.0)), truth, extras

    analysed = []
    system = System("One", "localisation", lambda _: Prediction(()))
    cases = list(with_perturbations([Thick("trunk", PHANTOM)], ["resolution", "thick"]))
    for _ in range(2):
        log = RecordLog(tmp_path / "records.jsonl")
        results = compare(cases, [system], lambda ct: analysed.append(ct) or recorded, log)
        assert [kind for _, _, kind in results] == [PHANTOM, f"{PHANTOM}, thick"]
    assert len(analysed) == 2
