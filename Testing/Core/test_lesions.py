"""Lesions of phantoms: where they are said to be is where the CT shows them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_phantom import toy_scene
from vertebra_core.phantom.appearance import Appearance
from vertebra_core.phantom.case_writing import write_case
from vertebra_core.phantom.codes import BODY_BIT
from vertebra_core.phantom.lesions import LYTIC, SCLEROTIC, draw_lesions, with_lesions
from vertebra_core.phantom.sampling import sample_scene
from vertebra_core.phantom.scan_case import scan
from vertebra_core.phantom.scan_protocol import ScanProtocol
from vertebra_core.phantom.scene import PhantomLesion, load_scene, save_scene


def _lesion(kind: str = SCLEROTIC, hu: float = 900.0) -> PhantomLesion:
    center = toy_scene().vertebrae[1].center_zyx_mm
    return PhantomLesion(kind, 21, center, (5.0, 6.0, 5.0), hu, 0.0, (0.0, 0.0, 0.0))


def _quiet() -> ScanProtocol:
    return ScanProtocol(noise_hu=1.0, streak_hu=0.0, beam_hardening_hu=0.0, cupping_hu=0.0)


@pytest.mark.parametrize(("kind", "hu"), [(LYTIC, 40.0), (SCLEROTIC, 900.0)])
def test_the_scan_shows_a_lesion_exactly_where_the_truth_says(kind, hu):
    sound = toy_scene()
    scene = replace(sound, lesions=(_lesion(kind, hu),))
    look = Appearance.random(np.random.default_rng(3))
    look = replace(look, lesion_threshold=float("inf"), cement_levels=(), trabecular_hu=250.0)
    scans = [
        scan(s, (1, 1, 1), np.random.default_rng(5), protocol=_quiet(), appearance=look)[0].hu
        for s in (sound, scene)
    ]
    changed = np.abs(scans[1].astype(float) - scans[0]) > 60
    where = np.argwhere(changed)
    assert np.abs(where.mean(0) - scene.lesions[0].center_zyx_mm).max() < 0.8
    z, y, x = (round(c) for c in scene.lesions[0].center_zyx_mm)
    inside = scans[1][z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3].mean()
    assert inside == pytest.approx(hu, abs=60)
    far = np.ones(changed.shape, bool)
    far[z - 8 : z + 9, y - 9 : y + 10, x - 8 : x + 9] = False
    assert not changed[far].any()


def test_lesions_turn_and_move_with_the_scene():
    scene = replace(toy_scene(), lesions=(_lesion(),))
    turned = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]) * 0.8
    center = np.array(scene.lesions[0].center_zyx_mm) + turned @ np.array([4.0, -3.0, 2.0])
    block = sample_scene(scene, center, 1.0, (33, 33, 33), turned)
    inside = (block.lesion_share > 0.5).nonzero().float()
    assert torch.allclose(inside.mean(0), torch.tensor([12.0, 19.0, 14.0]), atol=0.6)
    assert float(block.lesion_hu[block.lesion_share > 0].min()) == 900.0


def test_a_scene_without_lesions_is_sampled_as_before():
    block = sample_scene(toy_scene(), (48, 60, 50), 1.0, (8, 8, 8))
    assert block.lesion_share is None and block.lesion_hu is None


def test_drawn_lesions_lie_within_bodies_and_apart():
    scene = toy_scene()
    kinds = set()
    for seed in range(12):
        lesions = draw_lesions(scene, np.random.default_rng(seed), 4)
        assert lesions
        for lesion in lesions:
            kinds.add(lesion.kind)
            index = tuple(round(c) for c in lesion.center_zyx_mm)
            assert scene.labels[index] == lesion.level | BODY_BIT
            assert (lesion.hu < 100) == (lesion.kind == LYTIC)
        for i, a in enumerate(lesions):
            for b in lesions[i + 1 :]:
                apart = np.linalg.norm(np.subtract(a.center_zyx_mm, b.center_zyx_mm))
                assert apart >= max(a.radii_zyx_mm) + max(b.radii_zyx_mm)
    assert kinds == {LYTIC, SCLEROTIC}


def test_lesions_follow_from_the_seed_and_their_share():
    scene = toy_scene()
    assert with_lesions(scene, 0.0) is scene
    assert with_lesions(scene).lesions == with_lesions(scene).lesions != ()
    some = [bool(with_lesions(replace(scene, seed=s), 0.5).lesions) for s in range(40)]
    assert 8 < sum(some) < 32


def test_scenes_keep_their_lesions_on_disk_and_older_banks_have_none(tmp_path):
    scene = with_lesions(toy_scene())
    save_scene(scene, tmp_path / "scene_1.npy")
    assert load_scene(tmp_path / "scene_1.npy").lesions == scene.lesions
    path = tmp_path / "scene_1.json"
    truth = json.loads(path.read_text())
    del truth["lesions"]
    path.write_text(json.dumps(truth))
    assert load_scene(tmp_path / "scene_1.npy").lesions == ()


def test_the_truth_beside_a_case_states_its_lesions(tmp_path):
    scene = replace(toy_scene(2.0), lesions=(_lesion(),))
    ct, labels, bodies = scan(scene, (2, 2, 2), np.random.default_rng(0), protocol=_quiet())
    write_case(tmp_path, scene, ct, labels, bodies)
    truth = json.loads((tmp_path / "truth.json").read_text())
    (entry,) = truth["lesions"]
    assert entry["kind"] == SCLEROTIC and entry["level"] == 21 and entry["level_name"] == "L2"
    assert entry["center_lps_mm"] == list(reversed(entry["center_zyx_mm"]))
    assert len(truth["vertebrae"]) == 3 and truth["vertebrae"][0]["labelled_voxels"] > 0
