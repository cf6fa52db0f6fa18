"""The panel's own windows, answered by clicks."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("button", "answer"), [("Replace", "replace"), ("Keep them and add", "add")]
)
def testQuestionAboutOldResultsIsAnsweredByItsButtons(slicer, button, answer):
    import qt
    from VertebraAnalysisLib.Dialogs import Dialogs

    def press():
        box = qt.QApplication.activeModalWidget()
        next(b for b in box.buttons() if b.text.replace("&", "") == button).click()

    qt.QTimer.singleShot(50, press)
    assert Dialogs().askReplace("Replace?") == answer


def testClosingTheQuestionCancels(slicer):
    import qt
    from VertebraAnalysisLib.Dialogs import Dialogs

    qt.QTimer.singleShot(50, lambda: qt.QApplication.activeModalWidget().reject())
    assert Dialogs().askReplace("Replace?") == "cancel"


@pytest.mark.parametrize("press", ["T13", "L1", "Cancel", "Enter"])
def testEveryLevelThatIsPossibleHasAButton(slicer, press):
    import qt
    from VertebraAnalysisLib.Dialogs import Dialogs

    def answer():
        box = qt.QApplication.activeModalWidget()
        if press == "Enter":
            box.defaultButton().click()
        else:
            next(b for b in box.buttons() if b.text.replace("&", "") == press).click()

    qt.QTimer.singleShot(50, answer)
    wanted = {"Cancel": "", "Enter": "L1"}.get(press, press)
    assert Dialogs().chooseLevel("Which vertebra is it?", ("T13", "L1"), "L1") == wanted
