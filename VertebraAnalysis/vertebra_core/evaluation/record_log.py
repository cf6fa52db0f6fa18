"""Records of evaluated scans in a file of JSON lines, so that a long evaluation can go on later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..settings import BEST
from .records import CaseRecord, record_from_json, record_to_json


class RecordLog:
    """A growing file of records; the last one of a name counts.

    Parameters
    ----------
    path : Path or None
        Without a path records are kept in memory only.

    Raises
    ------
    ValueError
        If a whole line of an existing file is no record.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._records: dict[str, CaseRecord] = {}
        if path is not None and path.exists():
            text = path.read_text()
            # A line without its end was being written when the process was stopped.
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                path.write_text(whole)
            for line in whole.splitlines():
                record = record_from_json(line)
                self._records[record.name] = record

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def __getitem__(self, name: str) -> CaseRecord:
        return self._records[name]

    def all(self) -> list[CaseRecord]:
        """Return the records in the order in which their names came."""
        return list(self._records.values())

    def add(self, record: CaseRecord) -> None:
        """Keep `record`, on disk too if the log has a path."""
        self._records[record.name] = record
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(record_to_json(record) + "\n")


def check_settings(folder: Path, settings: Mapping[str, object]) -> None:
    """Refuse a folder of records that were made with other settings; note them in a new one.

    Raises
    ------
    InputError
        ``other_evaluation``.
    """
    path = folder / "settings.json"
    if not path.exists() and not (folder / "records.jsonl").exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
        return
    made = json.loads(path.read_text()) if path.exists() else {}
    # Folders from before there was a choice lack it.
    if {"setting": BEST.name, **made} != settings:
        raise InputError(
            "other_evaluation",
            f"{folder} holds records that were made otherwise ({json.dumps(made)}).",
            "Use another output folder.",
        )
