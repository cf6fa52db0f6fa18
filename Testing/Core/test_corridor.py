"""Looking along the spine only: as good as looking everywhere, with fewer windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from vertebra_core.errors import Cancelled
from vertebra_core.localisation.corridor import run_along_spine
from vertebra_core.localisation.outputs import FOREGROUND
from vertebra_core.localisation.sliding_window import Windows, run_everywhere

SHAPE = (150, 120, 160)
WINDOW = (64, 64, 64)
BACKGROUND = (-10.0, 0.0, 0.0, 0.0, -10.0)


class DenseIsVertebra(nn.Module):
    """Stands for LocNet; counts its windows."""

    def __init__(self) -> None:
        super().__init__()
        self.windows = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.windows += 1
        out = torch.zeros((1, 5, *x.shape[2:]))
        out[:, FOREGROUND] = torch.where(x[:, 0] > 2, 5.0, -10.0)
        out[:, 0] = out[:, FOREGROUND]
        return out


def body(spine_yx=(80, 90), lean=0.0, hips=False) -> np.ndarray:
    """A column of dense blocks that may lean to the side, and less dense thigh bones."""
    image = np.zeros(SHAPE, np.float32)
    for z in range(4, 146, 14):
        y, x = spine_yx[0], round(spine_yx[1] + lean * (z - 75))
        image[z : z + 11, y - 10 : y + 10, x - 10 : x + 10] = 3
    if hips:
        image[:70, 50:80, 16:46] = image[:70, 50:80, 130:158] = 1.5
    return image


def both(image: np.ndarray):
    """Outputs along the spine and everywhere, and how many windows each took."""
    results = []
    for run in (lambda w: run_along_spine(w, image > 1), run_everywhere):
        network = DenseIsVertebra()
        windows = Windows(image, network, BACKGROUND, 0.0, WINDOW, 16, lambda b: b.max() > 1)
        results.append((run(windows), network.windows))
    return results


@pytest.mark.parametrize(
    "image",
    [body(), body(lean=0.12), body(spine_yx=(95, 30))],
    ids=["straight", "scoliotic", "off centre"],
)
def test_one_window_at_every_height_suffices(image):
    (along, few), (everywhere, many) = both(image)
    # Blended windows are not the same numbers, but the same voxels are vertebra.
    assert np.array_equal(along[FOREGROUND] > 0, everywhere[FOREGROUND] > 0)
    assert (everywhere[FOREGROUND] > 0).sum() > 40_000
    assert few == 3 and many >= 6


def test_bone_beside_the_spine_misleads_for_a_while_only():
    (along, few), (everywhere, many) = both(body(hips=True))
    assert np.array_equal(along[FOREGROUND] > 0, everywhere[FOREGROUND] > 0)
    assert few < many / 2


def test_a_spine_too_wide_for_a_window_is_searched_everywhere():
    image = body()
    image[60:100, 70:90, 40:140] = 3
    (along, _), (everywhere, _) = both(image)
    assert np.array_equal(along[FOREGROUND] > 0, everywhere[FOREGROUND] > 0)


def test_what_is_too_small_for_a_spine_does_not_end_the_search():
    image = np.zeros(SHAPE, np.float32)
    image[:, 20:60, 10:50] = 1.5
    image[60:72, 30:42, 20:32] = 3
    image[50:110, 84:104, 120:140] = 3
    (along, _), (everywhere, _) = both(image)
    assert np.array_equal(along[FOREGROUND] > 0, everywhere[FOREGROUND] > 0)


def test_it_reports_progress_and_can_be_cancelled():
    image, fractions, asked = body(), [], []
    windows = Windows(image, DenseIsVertebra(), BACKGROUND, 0.0, WINDOW, 16)
    run_along_spine(windows, image > 1, fractions.append)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 1

    with pytest.raises(Cancelled):
        run_along_spine(windows, image > 1, cancelled=cancelled)
