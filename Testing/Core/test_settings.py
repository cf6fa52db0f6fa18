"""The settings fast and best: what they are called, what they record, what they give and cost."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_stages import fake_stages, trunk_ct
from vertebra_core.errors import InputError
from vertebra_core.evaluation import benchmark, benchmark_settings
from vertebra_core.evaluation.benchmark import sample_ct
from vertebra_core.evaluation.case_files import CaseFiles
from vertebra_core.evaluation.record_log import check_settings
from vertebra_core.models import available_networks
from vertebra_core.parallel import for_each
from vertebra_core.pipeline import AnalysisOptions, analyze
from vertebra_core.reading import read_ct
from vertebra_core.settings import BEST, FAST, SETTINGS, setting_named
from vertebra_core.volume import CtVolume


def test_the_manifest_records_the_setting():
    for setting in SETTINGS.values():
        options = AnalysisOptions(setting=setting)
        manifest = analyze(trunk_ct(), options, stages=fake_stages()).analysis.manifest
        assert manifest.options["setting"] == setting.name


def test_an_unknown_setting_is_a_sentence_with_the_choices():
    assert setting_named("fast") is FAST
    with pytest.raises(InputError, match="no setting 'turbo'") as caught:
        setting_named("turbo")
    assert "fast" in caught.value.hint and "best" in caught.value.hint


@pytest.mark.skipif(not available_networks(), reason="no bundled weights")
def test_fast_is_close_to_best_on_a_phantom():
    whole = read_ct(sample_ct())
    # The upper part takes less time than the whole.
    low = 80
    ct = CtVolume(
        np.ascontiguousarray(whole.hu[low:]),
        whole.spacing_xyz_mm,
        tuple(whole.index_to_lps(np.array([low, 0, 0])).tolist()),
        whole.direction,
    )
    best, fast = (analyze(ct, AnalysisOptions(setting=s)) for s in (BEST, FAST))
    found = [v.level for v in best.analysis.vertebrae]
    assert len(found) >= 4
    assert [v.level for v in fast.analysis.vertebrae] == found
    same, dice = benchmark_settings.agreement(best, fast)
    assert same == len(found) and dice > 0.97
    for a, b in zip(best.analysis.vertebrae, fast.analysis.vertebrae, strict=True):
        assert np.linalg.norm(np.subtract(a.center_lps_mm, b.center_lps_mm)) < 1.0


def test_work_on_several_keeps_order_and_gives_threads_back():
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        shares = list(for_each(lambda n: (n, torch.get_num_threads()), range(9), 2))
        assert shares == [(n, 2) for n in range(9)]
        assert torch.get_num_threads() == 4
        assert list(for_each(lambda n: n, range(3), 1)) == [0, 1, 2]
    finally:
        torch.set_num_threads(threads)


def test_a_failure_in_one_of_several_ends_all():
    done = []

    def work(n: int) -> int:
        if n == 1:
            raise ValueError("the second one")
        done.append(n)
        return n

    with pytest.raises(ValueError, match="the second one"):
        list(for_each(work, range(200), 2))
    assert len(done) < 199


def _arguments(*words) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args([str(w) for w in words])


def _analyser(setting):
    """One vertebra less with the fast setting."""
    found = (0, 1, 2, 3) if setting.name != "fast" else (0, 1, 2)
    return lambda ct: analyze(ct, AnalysisOptions(setting=setting), stages=fake_stages(found=found))


def test_settings_are_compared_in_seconds_and_agreement(tmp_path, capsys, monkeypatch):
    path = tmp_path / "ct.nii.gz"
    path.touch()
    monkeypatch.setattr("vertebra_core.reading.read_ct", lambda *_: trunk_ct())
    monkeypatch.setattr(benchmark_settings, "VARIANTS", (BEST, FAST))
    args = _arguments(path, "--settings", "--repeat", 2, "--json")
    assert benchmark_settings.run(args, path, _analyser) == 0
    figures = json.loads(capsys.readouterr().out)
    by_name = {v["name"]: v for v in figures["variants"]}
    assert list(by_name) == ["best", "fast"]
    assert by_name["best"]["dice_to_first"] == 1.0 and by_name["best"]["same_levels"] == 4
    assert by_name["fast"]["dice_to_first"] == pytest.approx(0.75, abs=0.01)
    assert by_name["fast"]["same_levels"] == 3 and by_name["fast"]["seconds"] > 0
    args = _arguments(path, "--settings", "--repeat", 1, "--markdown")
    benchmark_settings.run(args, path, _analyser)
    text = capsys.readouterr().out
    assert "| fast " in text and "3 of 4" in text and "Dice vertebra" not in text


def test_the_same_levels_are_those_of_vertebrae_at_the_same_place():
    result = analyze(trunk_ct(), stages=fake_stages())
    names = [v.level for v in result.analysis.vertebrae]
    # Every name but the last is given one vertebra too high.
    shifted = tuple(
        replace(v, level=level)
        for v, level in zip(result.analysis.vertebrae, [*names[1:], "L5"], strict=True)
    )
    other = replace(result, analysis=replace(result.analysis, vertebrae=shifted))
    assert benchmark_settings.agreement(result, result)[0] == len(names)
    assert benchmark_settings.agreement(result, other)[0] == 0
    none = replace(result, analysis=replace(result.analysis, vertebrae=()))
    assert benchmark_settings.agreement(none, result)[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--labels", "l", "--centres", "c"], "--labels and --centres would change nothing"),
        (["--bodies", "b"], "--bodies would change nothing"),
        (["--settings", "--bodies", "b"], "--bodies alone"),
    ],
)
def test_a_truth_that_nothing_is_measured_against_is_refused(words, told, tmp_path):
    path = tmp_path / "ct.nii.gz"
    path.touch()
    with pytest.raises(InputError, match=told):
        benchmark.run(_arguments(path, *words))


def test_settings_are_measured_against_the_truth_where_there_is_one(tmp_path, monkeypatch):
    ct = trunk_ct()
    monkeypatch.setattr("vertebra_core.reading.read_ct", lambda *_: ct)
    monkeypatch.setattr("vertebra_core.evaluation.case_loading.read_ct", lambda *_: ct)
    vertebrae = analyze(ct, stages=fake_stages()).analysis.vertebrae
    centres = [{"level": v.level, "center_lps_mm": list(v.center_lps_mm)} for v in vertebrae]
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"vertebrae": centres}))
    files = CaseFiles("trunk", Path("ct.nii.gz"), truth=truth)
    best, fast = benchmark_settings.compare_variants(files, _analyser, 1, (BEST, FAST))
    assert best.accuracy["recall"] == 1.0 and fast.accuracy["recall"] == 0.75
    assert best.accuracy["localisation_error_mm"] < 0.1
    table = benchmark_settings.settings_table("trunk", 1, [best, fast])
    assert "Dice vertebra" in table.columns and table.rows[1][7] == "75.0 %"


def test_every_variant_differs_from_best_by_itself():
    variants = benchmark_settings.VARIANTS
    assert len({replace(v, name="") for v in variants}) == len(variants)
    assert len({v.name for v in variants}) == len(variants)


def test_records_of_another_setting_are_not_mixed(tmp_path):
    folder = tmp_path / "kept"
    check_settings(folder, {"setting": "fast"})
    check_settings(folder, {"setting": "fast"})
    with pytest.raises(InputError, match="made otherwise"):
        check_settings(folder, {"setting": "best"})
    old = tmp_path / "old"
    old.mkdir()
    (old / "records.jsonl").write_text("")
    check_settings(old, {"setting": "best"})
    with pytest.raises(InputError, match="made otherwise"):
        check_settings(old, {"setting": "fast"})
