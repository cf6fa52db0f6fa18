"""``phantom --bank``: the scenes to train from, written once."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from toy_bank import bank_scene
from vertebra_core.command_line import main
from vertebra_core.phantom.bank import EVALUATION_SEED_START
from vertebra_core.phantom.findings import WantedFindings
from vertebra_core.phantom.scene import load_scene, save_scene
from vertebra_core.training.bank import offsets_in_block, random_matrix, scale_of


@pytest.fixture
def asked(monkeypatch) -> list[tuple[int, float, WantedFindings]]:
    """Seed, voxel size and findings of every scene built."""
    built = []

    def build(seed, library, spacing_mm, wanted):
        built.append((seed, spacing_mm, wanted))
        return replace(bank_scene(seed), spacing_mm=spacing_mm)

    monkeypatch.setattr("vertebra_core.phantom.bank.make_scene", build)
    return built


def test_a_bank_is_built_as_asked_and_gone_on_with(asked, tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO)
    words = ["phantom", "-o", str(tmp_path / "bank"), "--bank", "--seed", "7", "--count"]
    more = ["--fractures", "3", "--mild", "5", "--lesions", "0.5", "--scene-spacing", "2"]
    more += ["--fused", "0.3"]
    assert main([*words, "2", *more]) == 0
    wanted = WantedFindings(lesion_share=0.5, n_fractures=3, n_mild=5, fused_share=0.3)
    assert asked == [(7, 2.0, wanted), (8, 2.0, wanted)]
    assert [r.message.split()[0] for r in caplog.records] == [
        "scene_00000007.npy",
        "scene_00000008.npy",
    ]
    assert capsys.readouterr().out.startswith("2 new of 2 ")
    kept = load_scene(tmp_path / "bank" / "scene_00000008.npy")
    assert kept.seed == 8 and np.array_equal(kept.labels, bank_scene(8).labels)
    assert main([*words, "3", *more]) == 0
    assert asked[2:] == [(9, 2.0, wanted)]
    assert capsys.readouterr().out.startswith("1 new of 3 ")


def test_scenes_made_otherwise_are_refused_before_any_is_built(asked, tmp_path, capsys):
    words = ["phantom", "-o", str(tmp_path), "--bank", "--seed", "7", "--count"]
    assert main([*words, "1"]) == 0
    for more, told in (
        (["--scene-spacing", "2"], "voxels of 1.5 mm"),
        (["--fractures", "3"], "other findings"),
        (["--lesions", "0.5"], "other findings"),
    ):
        capsys.readouterr()
        assert main([*words, "2", *more]) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1 and f"scene_00000007.npy was made with {told}" in message
    assert len(asked) == 1
    # Other seeds may be of other spines.
    other = ["phantom", "-o", str(tmp_path), "--bank", "--seed", "8", "--count", "1"]
    assert main([*other, "--fractures", "3"]) == 0
    assert len(asked) == 2


def test_scenes_of_earlier_versions_are_kept_where_nothing_contradicts(asked, tmp_path, capsys):
    save_scene(bank_scene(7), tmp_path / "scene_00000007.npy")
    spacing = f"{bank_scene(7).spacing_mm:g}"
    words = ["phantom", "-o", str(tmp_path), "--bank", "--seed", "7", "--count", "1"]
    assert main([*words, "--scene-spacing", spacing, "--fractures", "3"]) == 0
    assert asked == [] and capsys.readouterr().out.startswith("0 new of 1 ")
    assert main([*words, "--scene-spacing", "7"]) == 2
    assert asked == []


def test_seeds_of_the_evaluation_are_refused(asked, tmp_path, capsys):
    last = str(EVALUATION_SEED_START - 1)
    assert main(["phantom", "-o", str(tmp_path), "--bank", "--seed", last, "--count", "2"]) == 2
    assert "seeds must stay below" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize("size", [0.7, 1.0, 1.15])
def test_the_scale_of_a_drawn_matrix_is_the_size_of_the_anatomy(size):
    matrix = random_matrix(np.random.default_rng(4), 20.0, (size, size), anisotropy=0.0)
    assert scale_of(matrix) == pytest.approx(size)
    # A structure of 10 mm in the scene spans `size` times as much in the sample.
    length = np.linalg.norm(np.linalg.inv(matrix) @ [10.0, 0, 0])
    assert length == pytest.approx(10 * size)


def test_places_in_a_block_are_mapped_back_to_where_they_come_from():
    rng = np.random.default_rng(4)
    matrix, middle = random_matrix(rng, 20.0, (0.8, 1.2)), np.array([30.0, 50.0, 40.0])
    points = rng.uniform(0, 80, (5, 3))
    local = offsets_in_block(points, middle, matrix)
    assert middle + local @ matrix.T == pytest.approx(points)
    assert offsets_in_block(tuple(points[2]), middle, matrix) == pytest.approx(local[2])
