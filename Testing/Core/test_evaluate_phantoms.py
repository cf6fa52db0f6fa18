"""`evaluate phantoms` on a small scene made by hand, with an analysis told what to answer."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
from phantom_oracle import Answer, answer_with, oracle_that
from scipy import ndimage
from vertebra_core.analysis import Heights, Vertebra
from vertebra_core.errors import InputError
from vertebra_core.evaluation import evaluate_phantoms
from vertebra_core.evaluation.output import by_kind
from vertebra_core.evaluation.phantom_cases import (
    EVALUATION_SEED_START,
    MIN_HEIGHT_MM,
    SceneStore,
    draw_field_of_view,
    phantom_truth,
)
from vertebra_core.evaluation.predictor import predictor
from vertebra_core.evaluation.record_log import RecordLog
from vertebra_core.evaluation.records import INDEPENDENT_MESHES, PHANTOM, CaseRecord
from vertebra_core.evaluation.requirements import (
    independent_mesh_requirements,
    phantom_requirements,
)
from vertebra_core.evaluation.scoring import score_case
from vertebra_core.evaluation.summary import summarise
from vertebra_core.levels import level_named, level_numbered
from vertebra_core.phantom.bank import patient_with
from vertebra_core.phantom.codes import BODY_BIT, Tissue
from vertebra_core.phantom.findings import DRAWN_FINDINGS, WantedFindings
from vertebra_core.phantom.scan_case import scan
from vertebra_core.phantom.scene import PhantomScene, PhantomVertebra, encode_sdf, save_scene

SPACING_MM = 2.0
SHAPE = (80, 40, 40)
NAMES = ("L4", "L3", "L2", "L1")
"""Foot to head."""


def _scene(seed=EVALUATION_SEED_START):
    labels = np.zeros(SHAPE, np.uint8)
    vertebrae = []
    for k, name in enumerate(NAMES):
        z = slice(4 + 19 * k, 18 + 19 * k)
        number = level_named(name).number
        labels[z, 12:24, 12:28] = number | BODY_BIT
        labels[z, 26:34, 17:23] = number
        if name == "L2":
            labels[z.stop - 4 : z.stop, 12:16, 12:28] = 0
        vertebrae.append(
            PhantomVertebra(
                number,
                ((10.5 + 19 * k) * SPACING_MM, 17.5 * SPACING_MM, 19.5 * SPACING_MM),
                ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)),
                20.0 if name == "L2" else 28.0,
                28.0,
                28.0,
                (28.0, 28.0, 28.0),
                32.0,
                24.0,
                2 if name == "L2" else 0,
                "wedge" if name == "L2" else "normal",
                150.0,
            )
        )
    inside = labels > 0
    distance = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    sdf = encode_sdf((distance - np.sign(distance) * 0.5) * SPACING_MM)
    tissue = np.full(SHAPE, Tissue.MUSCLE, np.uint8)
    return PhantomScene(SPACING_MM, labels, sdf, tissue, tuple(vertebrae[::-1]), seed)


def _right_answer(truth, grade_of=lambda v: v.grade):
    vertebrae = tuple(
        Vertebra(
            v.level,
            1.0,
            None,
            v.center_lps_mm,
            heights_mm=Heights(*(h + 0.5 for h in v.heights_mm)),
            grade=grade_of(v),
            shape=v.shape,
        )
        for v in truth.vertebrae
        if v.in_view
    )
    return answer_with(vertebrae, truth)


def _arguments(*words):
    parser = argparse.ArgumentParser()
    evaluate_phantoms.add_arguments(parser)
    return parser.parse_args(["--json", "--scene-spacing", "2", *words])


@pytest.fixture
def oracle(monkeypatch):
    """An analysis that knows the truth of the phantom scanned last; counts its calls."""
    return oracle_that(_right_answer, monkeypatch)


def test_truth_of_a_scan_is_that_of_its_scene():
    scene = _scene()
    field = (np.array([50.0, 0.0, 0.0]), scene.size_mm)
    ct, labels, bodies = scan(scene, (1.0, 1.0, 1.0), np.random.default_rng(0), field)
    truth = phantom_truth(scene, ct, labels, bodies)
    by_level = {v.level: v for v in truth.vertebrae}
    assert [v.level for v in truth.vertebrae] == ["L1", "L2", "L3"]
    assert by_level["L2"].grade == 2
    assert by_level["L2"].heights_mm == (20.0, 28.0, 28.0)
    assert by_level["L2"].complete
    assert not by_level["L3"].complete
    # The scene's centre agrees with where the scan shows the body, to half a voxel of the scene.
    where = np.argwhere(bodies == level_named("L1").number).mean(0)
    assert np.linalg.norm(ct.index_to_lps(where) - by_level["L1"].center_lps_mm) < 1.0


def test_phantoms_are_evaluated_once_and_taken_from_their_record_afterwards(
    tmp_path, oracle, capsys
):
    for k in range(2):
        seed = EVALUATION_SEED_START + k
        (tmp_path / "scenes").mkdir(exist_ok=True)
        save_scene(_scene(seed), tmp_path / "scenes" / f"scene_{seed:08d}.npy")
    words = ["--scenes", str(tmp_path / "scenes"), "--output", str(tmp_path / "out")]
    arguments = _arguments("--count", "2", "--spacing", "2", "3", *words)
    assert evaluate_phantoms.run(arguments, oracle) == 0
    first = json.loads(capsys.readouterr().out)
    assert oracle.told["calls"] == 4
    assert first["n_phantom_scans"] == 2
    assert first["dice_mean"] == 1.0
    assert first["identification_rate"] == 1.0
    assert first["localisation_error_mm"] == pytest.approx(0.0)
    assert first["height_error_mm"]["anterior"] == pytest.approx(0.5)
    assert first["Phantoms, 3 mm slices of 1 mm pixels"]["n_scans"] == 2
    assert any(r["what"].startswith("anterior") for r in first["requirements"])
    evaluate_phantoms.run(arguments, oracle)
    assert json.loads(capsys.readouterr().out) == first
    assert oracle.told["calls"] == 4
    # Another process may take the second of them alone.
    elsewhere = ["--scenes", str(tmp_path / "scenes"), "--output", str(tmp_path / "b")]
    arguments = _arguments("--first", "1", "--count", "1", "--spacing", "2", *elsewhere)
    evaluate_phantoms.run(arguments, oracle)
    (record,) = RecordLog(tmp_path / "b" / "records.jsonl").all()
    assert record.name in RecordLog(tmp_path / "out" / "records.jsonl")
    assert str(EVALUATION_SEED_START + 1) in record.name


def test_an_output_folder_of_other_phantoms_is_refused(tmp_path, oracle):
    save_scene(_scene(), tmp_path / f"scene_{EVALUATION_SEED_START:08d}.npy")
    words = ["--count", "1", "--spacing", "3", "--scenes", str(tmp_path)]
    words += ["--output", str(tmp_path / "out")]
    evaluate_phantoms.run(_arguments(*words), oracle)
    with pytest.raises(InputError, match="made otherwise"):
        evaluate_phantoms.run(_arguments(*words, "--scene-spacing", "3"), oracle)
    with pytest.raises(InputError, match="out of range"):
        evaluate_phantoms.run(_arguments("--count", "0"), oracle)


def test_spines_with_mild_deformities_are_a_set_of_their_own(tmp_path, oracle, capsys):
    name = f"scene_fractures0_mild12_{EVALUATION_SEED_START:08d}.npy"
    save_scene(_scene(), tmp_path / name)
    words = ["--count", "1", "--spacing", "2", "3", "--scenes", str(tmp_path), "--fractures", "0"]
    words += ["--mild", "12", "--output", str(tmp_path / "out")]
    evaluate_phantoms.run(_arguments(*words), oracle)
    printed = json.loads(capsys.readouterr().out)
    title = "Phantoms with 0 fractures and 12 mild deformities, 3 mm slices of 1 mm pixels"
    assert printed[title]["n_scans"] == 1
    # What must be reached is wanted of phantoms as they are drawn.
    assert "requirements" not in printed
    with pytest.raises(InputError, match="made otherwise"):
        evaluate_phantoms.run(_arguments(*words, "--mild", "3"), oracle)
    with pytest.raises(InputError, match="0 to 12 mild deformities"):
        evaluate_phantoms.run(_arguments("--mild", "13"), oracle)


def test_scenes_of_other_seeds_are_other_scenes_kept_by_seed(tmp_path):
    seed = EVALUATION_SEED_START + 5
    save_scene(_scene(seed), tmp_path / f"scene_{seed:08d}.npy")
    assert SceneStore(2.0, tmp_path).get(seed).seed == seed


@pytest.mark.parametrize(
    ("spacing_mm", "shapes", "told"),
    [(3.0, "parametric", "voxels of 2 mm"), (2.0, "templates", "parametric shapes")],
)
def test_scenes_made_otherwise_are_not_handed_out(spacing_mm, shapes, told, tmp_path, monkeypatch):
    seed = EVALUATION_SEED_START + 5
    monkeypatch.setattr(
        "vertebra_core.evaluation.phantom_cases.make_scene", lambda *_: _scene(seed)
    )
    made = SceneStore(2.0, tmp_path).get(seed)
    assert np.array_equal(SceneStore(2.0, tmp_path).get(seed).labels, made.labels)
    with pytest.raises(InputError, match=f"was made with {told}"):
        SceneStore(spacing_mm, tmp_path, shapes=shapes).get(seed)
    # Banks of earlier versions note their voxels only.
    save_scene(_scene(seed), tmp_path / f"scene_{seed:08d}.npy")
    if shapes == "templates":
        assert SceneStore(spacing_mm, tmp_path, shapes=shapes).get(seed).seed == seed


def test_scenes_with_a_number_of_fractures_are_kept_apart_from_others(tmp_path):
    seed = EVALUATION_SEED_START + 6
    for name, own in (("scene", seed), ("scene_fractures4", seed + 1)):
        save_scene(_scene(own), tmp_path / f"{name}_{seed:08d}.npy")
    assert SceneStore(2.0, tmp_path).get(seed).seed == seed
    four = SceneStore(2.0, tmp_path, wanted=WantedFindings(n_fractures=4))
    assert four.get(seed).seed == seed + 1
    mild = WantedFindings(n_fractures=4, n_mild=2)
    assert mild.tag == "_fractures4_mild2" and DRAWN_FINDINGS.tag == ""


@pytest.mark.slow
def test_every_phantom_has_the_fractures_asked_for():
    scene = SceneStore(3.0, wanted=WantedFindings(n_fractures=12)).get(EVALUATION_SEED_START)
    assert sum(v.grade > 0 for v in scene.vertebrae) >= 2
    asked = patient_with(EVALUATION_SEED_START, WantedFindings(n_fractures=12)).column.fractures
    seen = {level_numbered(v.level).name: sum(v.endplate_losses) > 0 for v in scene.vertebrae}
    assert seen == {name: name in asked for name in seen}


def test_fields_of_view_vary_and_keep_enough_of_the_spine():
    scene = _scene()
    boxes = [draw_field_of_view(scene, np.random.default_rng(k)) for k in range(60)]
    heights = np.array([high[0] - low[0] for low, high in boxes])
    widths = np.array([high[2] - low[2] for low, high in boxes])
    assert heights.min() >= MIN_HEIGHT_MM
    assert heights.max() == pytest.approx(scene.size_mm[0])
    assert len(np.unique(heights.round(3))) > 10
    assert (widths <= scene.size_mm[2]).all()
    for low, high in boxes:
        assert (low >= 0).all() and (high <= scene.size_mm).all()


def test_what_is_missed_is_said_beside_what_is_wanted(oracle, tmp_path, capsys):
    save_scene(_scene(), tmp_path / f"scene_{EVALUATION_SEED_START:08d}.npy")
    records = tmp_path / "out" / "records.jsonl"

    def blind(ct):
        answer = oracle(ct)
        sound = _right_answer(oracle.told["truth"], grade_of=lambda v: 0)
        return Answer(sound.analysis, answer.labels, answer.bodies)

    words = ["--count", "1", "--spacing", "1", "--scenes", str(tmp_path)]
    evaluate_phantoms.run(_arguments(*words, "--output", str(records.parent)), blind)
    from vertebra_core.evaluation.records import record_from_json

    record = record_from_json(records.read_text().splitlines()[0])
    table = phantom_requirements({1.0: [record], 3.0: [record]})
    reached = {(row[0], row[1]): row[-1] for row in table.rows}
    assert reached["1 phantoms, 1 mm", "recall"] == "yes"
    assert reached["1 phantoms, 1 mm", "any fracture: sensitivity"] == "NO"
    assert reached["1 phantoms, 1 mm", "any fracture: PPV"] == "NO"
    assert reached["1 phantoms, 3 mm", "middle height, mean error"] == "yes"
    assert ("1 phantoms, 3 mm", "recall") not in reached


def test_independent_meshes_are_a_set_of_their_own(tmp_path, oracle, capsys):
    save_scene(_scene(), tmp_path / f"independent_{EVALUATION_SEED_START:08d}.npy")
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    # The scene is made: what is looked at is which levels there are meshes of.
    for name in ("lumbar1.vtp", "lumbar2.vtp", "lumbar3.vtp"):
        (meshes / name).touch()
    words = ["--count", "1", "--scenes", str(tmp_path), "--independent-meshes", str(meshes)]
    evaluate_phantoms.run(_arguments(*words, "--output", str(tmp_path / "out")), oracle)
    figures = json.loads(capsys.readouterr().out)
    assert figures["n_independent_meshes_scans"] == 1 and figures["n_phantom_scans"] == 0
    (note,) = figures["notes"]
    assert "L4 is shaped by the mesh of a neighbouring level" in note
    wanted = {row["what"]: row["wanted"] for row in figures["requirements"]}
    assert wanted == {
        "Dice of vertebrae, mean": ">= 0.930",
        "levels identified after positional logic": ">= 97.0%",
        "grades: kappa, quadratic weights": ">= 0.850",
    }
    assert {row["reached"] for row in figures["requirements"]} == {"yes"}

    ordinary = ["--count", "1", "--scenes", str(tmp_path), "--output", str(tmp_path / "out")]
    with pytest.raises(InputError, match="made otherwise"):
        evaluate_phantoms.run(_arguments(*ordinary), oracle)
    with pytest.raises(InputError, match="cannot be mixed"):
        evaluate_phantoms.run(_arguments(*words, "--shapes", str(tmp_path)), oracle)


def test_independent_meshes_that_fall_short_are_told_so(tmp_path):
    scene = _scene()
    ct, labels, bodies = scan(scene, (2.0, 2.0, 2.0), np.random.default_rng(0))
    truth = replace(phantom_truth(scene, ct, labels, bodies), kind=INDEPENDENT_MESHES)
    answer = _right_answer(truth, grade_of=lambda v: 0)
    empty = np.zeros_like(labels)
    predict = predictor(None, lambda _: Answer(answer.analysis, empty, empty), False)
    record = score_case("a", ct, truth, predict("a", ct))
    rows = independent_mesh_requirements({1.0: [record]}).rows
    assert [row[-1] for row in rows] == ["NO", "yes", "NO"]
    # Another slice distance says nothing about what is wanted at 1 mm.
    assert {row[3] for row in independent_mesh_requirements({3.0: [record]}).rows} == {"-"}


def test_figures_of_phantoms_and_independent_meshes_are_also_told_apart():
    records = [
        CaseRecord("a", PHANTOM, (1.0, 1.0, 1.0), (), ()),
        CaseRecord("b", INDEPENDENT_MESHES, (1.0, 1.0, 1.0), (), ()),
    ]
    figures = summarise(records)
    assert figures[PHANTOM]["n_scans"] == figures[INDEPENDENT_MESHES]["n_scans"] == 1
    assert list(by_kind(records)) == ["Phantoms", "Independent meshes"]
