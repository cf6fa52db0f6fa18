"""Settings of positional logic are compared on rows of scenes held aside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy_phantom import toy_scene
from vertebra_core.labelling.label import IMAGE_OPTIONS
from vertebra_core.labelling.network import N_CLASSES, NO_VERTEBRA, LabellingNetwork
from vertebra_core.levels import level_named
from vertebra_core.phantom.scene import save_scene
from vertebra_core.training.calibrate_levels import LabelledRow, collect_rows, figures_of

LEVELS = ("T10", "T11", "T12", "L1", "L2", "L3")


def a_row(said, truth=LEVELS, sure=0.9):
    """Six bodies 30 mm apart; `said` is what the network calls them, None for no vertebra."""
    classes = [level_named(n).order if n else NO_VERTEBRA for n in truth]
    probabilities = np.full((len(said), N_CLASSES), (1 - sure) / (N_CLASSES - 1))
    for i, name in enumerate(said):
        probabilities[i, level_named(name).order if name else NO_VERTEBRA] = sure
    positions = np.array([[0.0, 0.0, -30.0 * i] for i in range(len(said))])
    return LabelledRow(positions, np.log(probabilities), np.array(classes))


def test_a_network_that_is_right_gives_full_marks():
    figures = figures_of([a_row(LEVELS)], IMAGE_OPTIONS, 1.0)
    assert figures.levels_right == 1 and figures.rows_right == 1
    assert figures.log_loss < 0.1


def test_a_row_that_is_off_by_one_counts_as_wrong_and_its_certainty_as_error():
    shifted = ("T9", "T10", "T11", "T12", "L1", "L2")
    figures = figures_of([a_row(LEVELS), a_row(shifted)], IMAGE_OPTIONS, 1.0)
    assert figures.levels_right == 0.5 and figures.rows_right == 0.5
    assert figures.calibration_error == pytest.approx(0.5, abs=0.1)


def test_a_higher_temperature_states_less_certainty_without_changing_levels():
    rows = [a_row(LEVELS, sure=0.5)]
    sharp, soft = (figures_of(rows, IMAGE_OPTIONS, t) for t in (1.0, 6.0))
    assert soft.levels_right == sharp.levels_right == 1
    assert soft.log_loss > sharp.log_loss


def test_a_weight_of_nothing_leaves_the_network_unheard():
    unheard = replace(IMAGE_OPTIONS, emission_weight=0.0)
    assert figures_of([a_row(LEVELS)], unheard, 1.0).log_loss > 0.5


def test_rows_are_drawn_from_scenes_held_aside(tmp_path):
    save_scene(toy_scene(), tmp_path / "scene_00000001.npy")
    with pytest.raises(ValueError, match="held aside"):
        collect_rows(tmp_path, LabellingNetwork(), 1)
    save_scene(toy_scene(), tmp_path / "scene_00000019.npy")
    rows = collect_rows(tmp_path, LabellingNetwork(), 2)
    assert len(rows) == 2
    for row in rows:
        n = len(row.classes)
        assert row.positions_lps_mm.shape == (n, 3)
        assert row.log_probabilities.shape == (n, N_CLASSES)
        assert (np.diff(row.positions_lps_mm[:, 2]) <= 0).all()


def test_a_vertebra_that_is_dropped_counts_as_wrong():
    dropped = ("T10", "T11", None, "L1", "L2", "L3")
    sharp, soft = (figures_of([a_row(dropped, sure=s)], IMAGE_OPTIONS, 1.0) for s in (0.999, 0.9))
    assert sharp.levels_right == pytest.approx(5 / 6) and sharp.rows_right == 0
    whole = figures_of([a_row(LEVELS, sure=0.999)], IMAGE_OPTIONS, 1.0)
    assert sharp.log_loss > whole.log_loss + 0.5
    assert soft.log_loss < sharp.log_loss
    # Spurious detections that are not reported are no vertebrae to be counted.
    spurious = figures_of([a_row(dropped, truth=dropped, sure=0.999)], IMAGE_OPTIONS, 1.0)
    assert spurious.levels_right == 1
