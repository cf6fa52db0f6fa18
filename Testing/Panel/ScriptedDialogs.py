"""Answers to the panel's questions, given beforehand."""

from __future__ import annotations


class ScriptedDialogs:
    """Stands in for `Dialogs` and remembers what was asked.

    Attributes
    ----------
    yes : bool
        Answer to every yes-or-no question.
    replace : str
        Answer to what to do about existing results.
    path : str
        Answer to where to save.
    level : str
        Answer to what to call a vertebra.
    levels : tuple of str
        Levels that were offered last.
    questions : list of str
    """

    def __init__(self) -> None:
        self.yes = True
        self.replace = "cancel"
        self.path = ""
        self.level = ""
        self.levels: tuple[str, ...] = ()
        self.questions: list[str] = []

    def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self.yes

    def askReplace(self, question: str) -> str:
        self.questions.append(question)
        return self.replace

    def chooseLevel(self, question: str, levels: tuple[str, ...], likeliest: str) -> str:
        self.questions.append(question)
        self.levels = tuple(levels)
        assert likeliest in levels
        return self.level

    def saveFile(self, title: str, name: str, kinds: str) -> str:
        self.questions.append(f"{title}: {name} [{kinds}]")
        return self.path

    def chooseFolder(self, title: str) -> str:
        self.questions.append(title)
        return self.path
