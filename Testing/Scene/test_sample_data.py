"""The sample CT comes with the extension and needs no network."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path
from urllib.request import url2pathname, urlopen

import pytest
from VertebraAnalysisLib import SampleDataRegistration
from VertebraAnalysisLib.InputChecks import inputProblem
from VertebraAnalysisLib.SampleDataRegistration import loadSample, registerSampleData, samplePath
from VertebraAnalysisLib.UserError import UserError


@pytest.fixture
def registered(monkeypatch):
    """Keeps what is registered with a stand-in for Slicer's Sample Data module."""
    kept = []
    module = types.ModuleType("SampleData")
    module.SampleDataLogic = types.SimpleNamespace(
        registerCustomSampleDataSource=lambda **words: kept.append(words)
    )
    monkeypatch.setitem(sys.modules, "SampleData", module)
    return kept


def testSampleIsLoadedAndSuitable(slicer):
    node = loadSample()
    assert node.GetName() == "SpinePhantomCT"
    assert inputProblem(node) == ""
    assert min(node.GetImageData().GetDimensions()) > 20
    assert slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID() == node.GetID()


def testSampleIsRegisteredAsALocalFile(registered):
    registerSampleData()
    (words,) = registered
    assert words["category"] == "Spine"
    assert words["uris"].startswith("file:///")
    with urlopen(words["uris"]) as stream:
        content = stream.read()
    assert words["checksums"] == "SHA256:" + hashlib.sha256(content).hexdigest()
    assert words["fileNames"].endswith(".nii.gz")
    assert words["nodeNames"]


def testInstalledPlaceComesFirstAndMayHaveAnyName(registered, tmp_path, monkeypatch):
    folder = tmp_path / "Erweiterungen \u00fc 1"
    folder.mkdir()
    (folder / SampleDataRegistration.FILE_NAME).write_bytes(b"x")
    monkeypatch.setattr(
        SampleDataRegistration, "_PLACES", (folder, *SampleDataRegistration._PLACES)
    )
    assert samplePath().parent == folder
    registerSampleData()
    assert Path(url2pathname(registered[0]["uris"].removeprefix("file://"))) == samplePath()


def testMissingSampleIsToldAndRegistersNothing(registered, tmp_path, monkeypatch):
    monkeypatch.setattr(SampleDataRegistration, "_PLACES", (tmp_path,))
    with pytest.raises(UserError, match="missing"):
        loadSample()
    registerSampleData()
    assert registered == []


def testRegisteringWithoutTheSampleDataModuleDoesNothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "SampleData", None)
    registerSampleData()
