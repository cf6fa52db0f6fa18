"""Child processes that do what a test wants in place of the inference core."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from VertebraAnalysisLib.CoreCommand import CoreCommand

_BEGIN = """
import json, os, shutil, sys, time
def tell(**line):
    print(json.dumps(line), flush=True)
def progress(stage, fraction, remaining=None):
    tell(type="progress", stage=stage, fraction=fraction, remaining_s=remaining)
folder = sys.argv[1]
"""

WAITS = "progress('segmentation', 0.4, 31)\nwhile True: time.sleep(0.05)"
"""A run that does not end by itself."""

CRASHES = """
progress('segmentation', 0.4)
print('the graphics driver went away', file=sys.stderr, flush=True)
os._exit(7)
"""

REFUSES = """
tell(type='error', code='no_spine', message='No vertebra was found.', hint='Check the CT.')
sys.exit(2)
"""


def leaves(resultFolder: Path) -> str:
    """A run that ends well, with the results in `resultFolder`."""
    return (
        "progress('localisation', 0.2)\nprogress('writing', 0.95, 1)\n"
        f"shutil.copytree({str(resultFolder)!r}, folder)\n"
        "progress('writing', 1.0, 0)\ntell(type='result', folder=folder)"
    )


class ScriptedCore(CoreCommand):
    """Runs a script in place of the core; the real process handling is around it.

    Parameters
    ----------
    script : str
        Python; `progress`, `tell`, and `folder` are at hand.

    Attributes
    ----------
    asked : list of tuple
        ``"analyze"`` or ``"grade"``, and the options, of every run.
    added : list of tuple or None
        What every ``"grade"`` was to add: a point, LPS mm, and a level.
    """

    def __init__(self, script: str) -> None:
        super().__init__()
        self._script = script
        self.asked: list[tuple[str, Any]] = []
        self.added: list[Any] = []

    @property
    def runs(self) -> int:
        """How often it was started."""
        return len(self.asked)

    def analyze(self, ctPath: Path, folder: Path, options: Any) -> list[str]:
        self.asked.append(("analyze", options))
        return self._command(folder)

    def grade(
        self, ctPath: Path, segmentationPath: Path, folder: Path, options: Any, add: Any = None
    ) -> list[str]:
        self.asked.append(("grade", options))
        self.added.append(add)
        return self._command(folder)

    def _command(self, folder: Path) -> list[str]:
        return [sys.executable, "-u", "-c", _BEGIN + self._script, str(folder)]
