"""Records of evaluated scans in a file of JSON lines, so that a long evaluation can go on later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..settings import BEST
from .records import CaseRecord, record_from_json, record_to_json
from .writing import writing_to

RECORDS_NAME = "records.jsonl"
SETTINGS_NAME = "settings.json"

_ANOTHER = "Use another output folder."
_REMOVE = "Remove the file, or use another folder."
_ABSENT = object()


class RecordLog:
    """A growing file of records; the last one of a name counts.

    Where an earlier process may have been stopped while it wrote, `open_log` is what goes on.

    Parameters
    ----------
    path : Path or None
        Without a path records are kept in memory only.

    Raises
    ------
    InputError
        ``no_records``, if a whole line of an existing file is no record.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._records: dict[str, CaseRecord] = {}
        if path is not None:
            for record in _read(path):
                self._records[record.name] = record

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def holds(
        self, name: str, sources: Mapping[str, str] | None = None, with_localisers: bool = False
    ) -> bool:
        """Tell whether there is a record of `name` that need not be made again.

        Parameters
        ----------
        name : str
        sources : mapping, optional
            What it must have been made from (`case_sources.sources_of`).
        with_localisers : bool
            Whether it must state the localisers alone, too.
        """
        record = self._records.get(name)
        return (
            record is not None
            and record.sources == dict(sources or {})
            and (bool(record.centres_by_localiser) or not with_localisers)
        )

    def __getitem__(self, name: str) -> CaseRecord:
        return self._records[name]

    def all(self) -> list[CaseRecord]:
        """Return the records in the order in which their names came."""
        return list(self._records.values())

    def add(self, record: CaseRecord) -> None:
        """Keep `record`, on disk too if the log has a path.

        Raises
        ------
        OutputError
            ``not_writable``.
        """
        self._records[record.name] = record
        if self._path is not None:
            with writing_to(self._path.parent):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a") as file:
                    file.write(record_to_json(record) + "\n")


def open_log(folder: Path | None, settings: Mapping[str, object] | None = None) -> RecordLog:
    """Return the log of an output folder that will be written to; in memory without a folder.

    What would keep it from being written is told now, not when the first scan has been analysed.

    Parameters
    ----------
    folder : Path or None
    settings : mapping, optional
        See `check_settings`.

    Raises
    ------
    InputError
        ``other_evaluation`` or ``no_records``.
    OutputError
        ``not_writable``.
    """
    if folder is None:
        return RecordLog(None)
    if settings is not None:
        check_settings(folder, settings)
    path = folder / RECORDS_NAME
    log = RecordLog(path)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _drop_half_line(path)
    return log


def check_settings(folder: Path, settings: Mapping[str, object]) -> None:
    """Refuse a folder of records that were made with other settings; note them in a new one.

    Raises
    ------
    InputError
        ``other_evaluation``.
    OutputError
        ``not_writable``.
    """
    path = folder / SETTINGS_NAME
    with writing_to(folder):
        noted = path.exists()
        if not noted and not (folder / RECORDS_NAME).exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(settings))
            return
    # Folders from before there was a choice lack it.
    made = {"setting": BEST.name, **noted_settings(folder)}
    if made != settings:
        keys = [k for k in {**settings, **made} if made.get(k, _ABSENT) != settings.get(k, _ABSENT)]
        told = ", ".join(_told(key, made) for key in keys)
        raise InputError(
            "other_evaluation",
            f"{folder} holds records that were made otherwise ({told}).",
            _ANOTHER,
        )


def _told(key: str, made: Mapping[str, object]) -> str:
    """Say how records were made as far as `key` goes; mappings hold sums, which say nothing."""
    words, value = key.replace("_", " "), made.get(key, _ABSENT)
    if value is _ABSENT:
        return f"{words} not noted"
    if value is None:
        return f"no {words}"
    return f"other {words}" if isinstance(value, Mapping) else f"{words} {value}"


def noted_settings(folder: Path) -> dict[str, object]:
    """Return what is noted beside the records of a folder; nothing in folders of early versions.

    Raises
    ------
    InputError
        ``other_evaluation``, if the note is damaged.
    """
    path = folder / SETTINGS_NAME
    return _noted_settings(path) if path.exists() else {}


def _noted_settings(path: Path) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            "other_evaluation",
            f"{path} does not say how the records beside it were made.",
            _ANOTHER,
        ) from error


def _read(path: Path) -> list[CaseRecord]:
    try:
        text = path.read_text() if path.exists() else ""
        # A line without its end was being written when the process was stopped.
        return [record_from_json(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("no_records", f"{path} cannot be read: {reason}.", _REMOVE) from error
    except ValueError as error:
        raise InputError("no_records", f"{path} holds no records: {error}.", _REMOVE) from error


def _drop_half_line(path: Path) -> None:
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
