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
