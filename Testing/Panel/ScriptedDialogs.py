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
    questions : list of str
    """

    def __init__(self) -> None:
        self.yes = True
        self.replace = "cancel"
        self.path = ""
        self.questions: list[str] = []

    def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self.yes

    def askReplace(self, question: str) -> str:
        self.questions.append(question)
        return self.replace

    def saveFile(self, title: str, name: str, kinds: str) -> str:
        self.questions.append(f"{title}: {name} [{kinds}]")
        return self.path

    def chooseFolder(self, title: str) -> str:
        self.questions.append(title)
        return self.path
