"""How the inference core is started: which Python, with which arguments and environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .RunOptions import RunOptions
from .UserError import UserError

MODULE_FOLDER = Path(__file__).resolve().parents[1]
"""The folder that holds ``vertebra_core``."""


class CoreCommand:
    """The command line of the core, the same that a person types in a shell.

    Parameters
    ----------
    python : str, optional
        Interpreter; by default the one that has Slicer's packages.
    environment : mapping of str, optional
        Environment to start from; by default that of the application, which is handed on whole, as
        Slicer does for pip: ``PythonSlicer`` sets what it needs on top of it.
    """

    def __init__(self, python: str = "", environment: Mapping[str, str] | None = None) -> None:
        self._python = python
        self._environment = environment

    def analyze(self, ctPath: Path, folder: Path, options: RunOptions) -> list[str]:
        """Return the command that analyses the CT and writes its results to `folder`."""
        chosen = ["--setting", options.setting, *(["--lesions"] if options.lesions else [])]
        return [*self._core(), "analyze", str(ctPath), *chosen, *_runArguments(folder, options)]

    def grade(
        self,
        ctPath: Path,
        segmentationPath: Path,
        folder: Path,
        options: RunOptions,
        add: tuple[Sequence[float], str] | None = None,
    ) -> list[str]:
        """Return the command that measures and grades the vertebrae of a segmentation.

        `add` is a vertebra that the segmentation lacks: a point in it, LPS mm, and its level.
        """
        segmentation = ["--segmentation", str(segmentationPath)]
        if add is not None:
            # Without exponents, which would be taken for options where they follow a minus.
            segmentation += ["--add", *(f"{value:.3f}" for value in add[0]), add[1]]
        arguments = [str(ctPath), *segmentation, *_runArguments(folder, options)]
        return [*self._core(), "grade", *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment of the process, with the place of the core."""
        given = os.environ if self._environment is None else self._environment
        environment = dict(given)
        folders = [str(MODULE_FOLDER), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)
        # Progress must arrive at once, and names in any script must survive Windows' code pages.
        environment["PYTHONUNBUFFERED"] = "1"
        environment["PYTHONUTF8"] = "1"
        environment["PYTHONIOENCODING"] = "utf-8"
        # The extension's folder may be read-only, and must stay removable.
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return environment

    def _core(self) -> list[str]:
        return [self._python or pythonExecutable(), "-m", "vertebra_core"]


def pythonExecutable() -> str:
    """Return the Python that has Slicer's packages.

    Inside the application this is ``PythonSlicer``, which Slicer puts on the path; any other Python
    is its own.

    Raises
    ------
    UserError
        If there is none.
    """
    found = shutil.which("PythonSlicer")
    if found:
        return found
    if sys.executable and "python" in Path(sys.executable).name.lower():
        return sys.executable
    raise UserError(
        "Slicer's Python (PythonSlicer) was not found.",
        "Install 3D Slicer 5.12 or newer again; a moved or copied application can lack it.",
    )


def _runArguments(folder: Path, options: RunOptions) -> list[str]:
    where = ["-o", str(folder), "--progress", "json", "--no-scene"]
    return [*where, "--device", options.device, "--threads", str(options.threads)]
