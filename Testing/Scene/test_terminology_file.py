"""The terminology file of the extension."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from vertebra_core.levels import LEVELS
from vertebra_core.terminology import CONTEXT_NAME

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def maker():
    path = REPOSITORY / "Utilities" / "make_terminology.py"
    spec = importlib.util.spec_from_file_location("make_terminology", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_what_the_command_writes(maker):
    assert maker.TERMINOLOGY_FILE.read_text("utf-8") == maker.terminology_text(), (
        "run: python Utilities/make_terminology.py"
    )


def test_help_leaves_the_file_as_it_is(maker, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(maker, "TERMINOLOGY_FILE", tmp_path / "x.term.json")
    with pytest.raises(SystemExit):
        maker.main(["--help"])
    assert not maker.TERMINOLOGY_FILE.exists()
    assert maker.main([]) == 0 and maker.TERMINOLOGY_FILE.read_text("utf-8")


def test_slicer_reads_every_level_with_its_code_and_color(maker, slicer):
    logic = slicer.modules.terminologies.logic()
    name = logic.LoadTerminologyFromFile(str(maker.TERMINOLOGY_FILE))
    assert name == CONTEXT_NAME
    category = slicer.vtkSlicerTerminologyCategory()
    assert logic.GetNthCategoryInTerminology(name, 0, category)
    found = {}
    for index in range(logic.GetNumberOfTypesInTerminologyCategory(name, category)):
        kind = slicer.vtkSlicerTerminologyType()
        assert logic.GetNthTypeInTerminologyCategory(name, category, index, kind)
        color = tuple(kind.GetRecommendedDisplayRGBValue())
        found[kind.GetCodeMeaning()] = (kind.GetCodeValue(), color)
    coded = [level for level in LEVELS if level.snomed_code]
    assert len(coded) == 25
    for level in coded:
        assert found.pop(f"{level.name} vertebra") == (level.snomed_code, level.color_rgb)
    assert {meaning: code for meaning, (code, _) in found.items()} == {"Vertebra": "51282000"}
