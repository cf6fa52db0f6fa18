"""The processes that draw samples are gone, with all they held, when the feeder is closed."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from toy_bank import toy_bank
from vertebra_core.training.feeder import SampleFeeder
from vertebra_core.training.mask_samples import PhantomMaskSource
from vertebra_core.training.plan import SamplePlan


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    return toy_bank(tmp_path_factory.mktemp("bank"))


def draw_and_close(bank: Path) -> None:
    feeder = SampleFeeder(SamplePlan(PhantomMaskSource(bank), 0), workers=2, prefetch=4)
    feeder.next()
    feeder.close()
    feeder.close()


def test_no_process_outlives_the_feeder(bank):
    draw_and_close(bank)
    assert multiprocessing.active_children() == []


_ENDS_AT_ONCE = """
import sys
sys.path[:0] = {path}
from pathlib import Path
from test_feeder import draw_and_close
from vertebra_core.program import leave
if __name__ == "__main__":
    draw_and_close(Path({bank!r}))
    print("the last sentence", file=sys.stderr)
    leave(0)
"""


def test_nothing_is_said_after_the_last_sentence(bank, tmp_path):
    script = tmp_path / "ends.py"
    script.write_text(_ENDS_AT_ONCE.format(path=sys.path, bank=str(bank)))
    ended = subprocess.run([sys.executable, script], stderr=subprocess.PIPE, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "the last sentence\n")
