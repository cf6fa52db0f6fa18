"""The panel as a whole: quick to open, narrow, usable by keyboard, translatable."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PanelDriver import UI_FILE
from QtStandIns import qtStandInsMissing

HERE = Path(__file__).resolve().parent
LIB = UI_FILE.parents[2] / "VertebraAnalysisLib"
FOCUSABLE = ("Button", "CheckBox", "ComboBox", "Selector", "Edit", "SpinBox", "Table", "Section")

_OPEN = """
import json, sys, time
sys.path[:0] = [{here!r}, {testing!r}]
from QtStandIns import startSlicerWithQt
startSlicerWithQt()
from PanelDriver import PanelDriver
before, began = set(sys.modules), time.process_time()
PanelDriver()
print(json.dumps([time.process_time() - began, sorted(set(sys.modules) - before)]))
"""


def testPanelOpensWithinASecondAndImportsNothingHeavy():
    if qtStandInsMissing():
        pytest.skip(qtStandInsMissing())
    script = _OPEN.format(here=str(HERE), testing=str(HERE.parent))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    seconds, imported = json.loads(done.stdout.splitlines()[-1])
    assert seconds < 1
    heavy = {name.partition(".")[0] for name in imported} & {"torch", "SimpleITK", "scipy"}
    assert not heavy


def testPanelFitsIntoTheApplicationsNarrowestColumn(openPanel):
    driver = openPanel(widthPx=400)
    driver.ui.advancedSection.collapsed = driver.ui.logSection.collapsed = False
    driver.settle()
    assert driver.widget.minimumSizeHint.width() <= 400


def uiTree():
    return ElementTree.parse(UI_FILE).getroot()


def namesOf(root, *endings):
    return [w.get("name") for w in root.iter("widget") if w.get("name").endswith(endings)]


def testEveryControlIsReachedByTabFromTopToBottom():
    root = uiTree()
    stops = [stop.text for stop in root.find("tabstops")]
    controls = {*namesOf(root, *FOCUSABLE), "logView"}
    assert controls == set(stops)
    assert len(stops) == len(set(stops))
    top = [w.get("name") for w in root.iter("widget") if w.get("name") in controls]
    assert stops == top, "the order of the file is the order on the screen"


def testTabReallyWalksThroughThePanel(openPanel):
    driver = openPanel()
    widget, seen = driver.ui.inputSelector, []
    while widget.name not in seen:
        seen.append(widget.name)
        widget = widget.nextInFocusChain()
    for earlier, later in (
        ("inputSelector", "analyzeButton"),
        ("analyzeButton", "resultsTable"),
        ("resultsTable", "reviewedButton"),
        ("reviewedButton", "overrideButton"),
        ("overrideButton", "exportCsvButton"),
        ("exportCsvButton", "readerEdit"),
    ):
        assert seen.index(earlier) < seen.index(later)


def testLabelsPointToTheirControlsAndMnemonicsAreUnique():
    root = uiTree()
    texts = [p.findtext("string") or "" for p in root.iter("property") if p.get("name") == "text"]
    mnemonics = [m.lower() for text in texts for m in re.findall(r"&(\w)", text)]
    assert len(mnemonics) == len(set(mnemonics))
    # Those of the application's own menus.
    assert not set(mnemonics) & set("fevh")
    names = {w.get("name") for w in root.iter("widget")}
    for label in (w for w in root.iter("widget") if w.get("class") == "QLabel"):
        buddies = [p.findtext("cstring") for p in label if p.get("name") == "buddy"]
        text = next((p.findtext("string") for p in label if p.get("name") == "text"), "")
        assert all(buddy in names for buddy in buddies)
        assert buddies or "&" not in (text or "")


def testSelectorsAndTablesHaveNamesForScreenReaders():
    named = ("qMRMLNodeComboBox", "QComboBox", "QTableWidget", "QSpinBox", "QProgressBar")
    for widget in uiTree().iter("widget"):
        if widget.get("class") in named:
            properties = {p.get("name") for p in widget}
            assert "accessibleName" in properties, widget.get("name")


def testEverythingToPressOrReadSaysWhatItIsFor():
    for widget in uiTree().iter("widget"):
        if widget.get("class") in (
            "QPushButton", "QToolButton", "QCheckBox", "ctkCollapsibleButton", "QTableWidget",
            "QPlainTextEdit", "QProgressBar",
        ):  # fmt: skip
            tips = [p.findtext("string") for p in widget if p.get("name") == "toolTip"]
            # Set in the code where it depends on what is selected.
            assert tips or widget.get("name") == "runnerUpButton", widget.get("name")


SHOWN = {"error", "warn", "inform", "say", "confirm", "chooseFolder", "addButton"}


USER_INTERFACE = [p for p in sorted(LIB.glob("*.py")) if "slicer.i18n" in p.read_text("utf-8")]


@pytest.mark.parametrize("path", USER_INTERFACE, ids=lambda path: path.stem)
def testWhatTheUserReadsIsTranslated(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        said = []
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in SHOWN:
            said = node.args
        elif isinstance(node, ast.Assign) and any(
            getattr(target, "attr", "") in ("text", "toolTip", "title") for target in node.targets
        ):
            said = [node.value]
        for value in said:
            plain = isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value
            assert not plain, f"{path.name}:{value.lineno} shows {value.value!r} untranslated"


def testGradesDifferByMoreThanColour():
    from VertebraAnalysisLib.GradeStyle import GRADE_STYLES

    assert len({style.symbol for style in GRADE_STYLES.values()}) == len(GRADE_STYLES)
    assert len({style.text for style in GRADE_STYLES.values()}) == len(GRADE_STYLES)
