"""The one table of flags holds every code that is raised or asked for, and is documented."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from vertebra_core.flag_names import FLAG_NAMES, flag_name

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "VertebraAnalysis"


def codes_in(text: str) -> tuple[set[str], set[str]]:
    """Codes that a source file raises, and those that it asks for."""
    raised, asked = set(), set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Name("Flag"), args=[code, *_]):
                raised |= set(_texts(code))
            case ast.Call(func=ast.Name("_flagged"), args=[_, code, *_]):
                raised |= set(_texts(code))
            case ast.Call(func=ast.Name("_has"), args=[_, code]):
                asked |= set(_texts(code))
            case ast.Compare(ast.Attribute(ast.Name("f" | "flag"), "code"), _, [code]):
                asked |= set(_texts(code))
            case ast.Compare(code, _, [ast.Attribute(attr="flags")]):
                asked |= set(_texts(code))
            case ast.Assign([ast.Name(name)], codes) if name.endswith("_FLAGS"):
                asked |= set(_texts(codes))
    return raised, asked


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.Tuple(parts):
            for part in parts:
                yield from _texts(part)


@pytest.fixture(scope="module")
def found() -> tuple[set[str], set[str]]:
    files = [*(SOURCE / "vertebra_core").rglob("*.py"), *SOURCE.glob("VertebraAnalysisLib/*.py")]
    both = [codes_in(path.read_text("utf-8")) for path in files]
    return set().union(*(b[0] for b in both)), set().union(*(b[1] for b in both))


def test_codes_are_found_in_all_forms_in_which_they_are_written():
    text = """
_SHAPE_FLAGS = ("a", "b")
Flag("c", "Reason.")
_flagged(vertebra, "d", "Reason.")
if _has(vertebra, "e") or flag.code == "g" or "h" in v.flags: pass
"""
    assert codes_in(text) == ({"c", "d"}, {"a", "b", "e", "g", "h"})


def test_every_code_that_is_raised_is_in_the_table_and_the_other_way_round(found):
    raised, _ = found
    assert raised == set(FLAG_NAMES)


def test_every_code_that_is_asked_for_is_in_the_table(found):
    _, asked = found
    assert "not_graded" in asked and asked <= set(FLAG_NAMES)


def test_the_documentation_tells_every_code_by_the_name_it_has_in_the_panel():
    text = (REPOSITORY / "docs" / "analysis.md").read_text("utf-8")
    section = text.split("## Codes of flags")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section, re.M)) == dict(FLAG_NAMES)


def test_a_code_of_a_later_version_is_told_in_words():
    assert flag_name("low_level_margin") == "level unsure"
    assert flag_name("moved_patient") == "moved patient"
