"""Packages are looked for without loading them, and never installed without a question."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from VertebraAnalysisLib.Dependencies import (
    PACKAGES,
    Dependencies,
    installedVersion,
    missingPackages,
)
from VertebraAnalysisLib.UserError import UserError

LIB = Path(__file__).resolve().parents[2] / "VertebraAnalysis" / "VertebraAnalysisLib"


class Computer:
    """A computer with some packages."""

    def __init__(self, installed, extension=True, works=True):
        self.installed, self.extension, self.works = dict(installed), extension, works
        self.questions, self.installs = [], []

    def dependencies(self):
        return Dependencies(self.installed.get, self._install, lambda: self.extension)

    def ask(self, answer):
        def asked(question):
            self.questions.append(question)
            return answer

        return asked

    def _install(self, package):
        self.installs.append(package.requirement)
        if not self.works:
            raise subprocess.CalledProcessError(1, "pip")
        self.installed[package.name] = "99.0"


COMPLETE = {"torch": "2.6.0+cu124", "safetensors": "0.5.2"}


def testNothingIsAskedWhereAllIsThere():
    computer = Computer(COMPLETE, extension=False)
    assert computer.dependencies().ensure(computer.ask(False))
    assert computer.questions == []


def testInstallsAfterAYes():
    computer = Computer({})
    assert computer.dependencies().ensure(computer.ask(True))
    assert computer.installs == ["torch>=2.2", "safetensors>=0.4.3"]
    (question,) = computer.questions
    assert "PyTorch and safetensors" in question
    assert "MB" in question


def testNothingIsInstalledAfterANo():
    computer = Computer({"torch": "2.6.0"})
    assert not computer.dependencies().ensure(computer.ask(False))
    assert len(computer.questions) == 1
    assert computer.installs == []


def testWithoutTheExtensionItSaysWhereToGetIt():
    computer = Computer({"safetensors": "0.5"}, extension=False)
    with pytest.raises(UserError, match="PyTorch") as told:
        computer.dependencies().ensure(computer.ask(True))
    assert "Extensions Manager" in told.value.hint
    assert computer.questions == computer.installs == []


def testSafetensorsNeedsNoExtension():
    computer = Computer({"torch": "2.6.0"}, extension=False)
    assert computer.dependencies().ensure(computer.ask(True))
    assert computer.installs == ["safetensors>=0.4.3"]


def testFailedInstallationIsToldInPlainWords():
    computer = Computer({}, works=False)
    with pytest.raises(UserError, match="could not be installed") as told:
        computer.dependencies().ensure(computer.ask(True))
    assert "internet" in told.value.hint


def testInstalledButNotFoundAsksForARestart():
    computer = Computer({})
    dependencies = Dependencies(lambda name: None, lambda package: None, lambda: True)
    with pytest.raises(UserError, match="not found") as told:
        dependencies.ensure(computer.ask(True))
    assert "Restart" in told.value.hint


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("2.2", True),
        ("2.2.0+cpu", True),
        ("2.10.0a0+git", True),
        ("3.0", True),
        ("", True),
        ("2.1.2", False),
        ("1.13.1", False),
        (None, False),
    ],
)
def testOldVersionsOfTorchCountAsMissing(version, enough):
    computer = Computer({**COMPLETE, "torch": version})
    assert (computer.dependencies().missing() == ()) is enough


def testLookingForTorchDoesNotLoadIt():
    code = (
        "import sys; from VertebraAnalysisLib.Dependencies import missingPackages;"
        "missingPackages(); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=LIB.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == "False"


def testNoFileOfTheLibraryImportsTorch():
    for path in LIB.glob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            assert not line.strip().startswith(("import torch", "from torch")), path


def testFindsWhatIsInstalledAndOnlyThat():
    assert installedVersion("pytest")
    assert installedVersion("no_such_package_anywhere") is None
    assert isinstance(missingPackages(), tuple)


def testRequirementsNameThePackages():
    text = (LIB.parent / "Resources" / "requirements.txt").read_text("utf-8").split()
    for package in PACKAGES:
        assert package.requirement in text


def testTorchIsInstalledInAnotherProcessAndNotLoaded(slicer, monkeypatch):
    """What PyTorchUtils does, without its last step: importing torch into the application."""
    from VertebraAnalysisLib import Dependencies as module

    done = []
    monkeypatch.setattr(slicer.util, "pip_install", lambda what: done.append(("pip", what)))
    monkeypatch.setattr(
        slicer.util, "executePythonModule", lambda *words: done.append(words), raising=False
    )
    monkeypatch.setattr(module, "installedVersion", lambda name: None)
    module._install(PACKAGES[0])
    assert done == [
        ("pip", "light-the-torch>=0.5"),
        ("light_the_torch", ["install", "torch>=2.2"]),
    ]
    done.clear()
    module._install(PACKAGES[1])
    assert done == [("pip", "safetensors>=0.4.3")]
