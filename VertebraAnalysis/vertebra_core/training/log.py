"""Logs of a training run: CSV always, TensorBoard where it is installed."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path

from ..output_errors import output_error
from ..whole_file import write_whole

_log = logging.getLogger(__name__)
_WHAT = "The figures"


class TrainingLog:
    """Appends rows of figures to ``<folder>/<name>.csv``.

    A log that another program has changed beyond reading is set aside, and a new one begins.

    Parameters
    ----------
    folder : Path
    name : str
    resume_step : int
        Rows of this step and later, left by a run that was cut off, are dropped.
    tensorboard : bool
        Also write TensorBoard events, if that package is installed.

    Raises
    ------
    OutputError
        ``disk_full`` or ``not_writable``.
    """

    def __init__(
        self, folder: Path, name: str, resume_step: int = 0, tensorboard: bool = True
    ) -> None:
        self._path = Path(folder) / f"{name}.csv"
        self._name = name
        self._fields: list[str] = []
        self._writer = None
        if self._path.exists():
            self._go_on(resume_step)
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(
                    str(Path(folder) / "tensorboard" / name), purge_step=resume_step
                )
            except ImportError:
                self._writer = None

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Append one row.

        Raises
        ------
        OutputError
            ``disk_full`` or ``not_writable``.
        """
        row = {"step": step} | {k: f"{v:.6g}" for k, v in figures.items()}
        if not self._fields:
            self._fields = list(row)
            self._rewrite([])
        try:
            with self._path.open("a", newline="") as file:
                csv.DictWriter(file, self._fields, extrasaction="ignore").writerow(row)
        except OSError as error:
            raise output_error(error, _WHAT, self._path) from error
        if self._writer:
            for key, value in figures.items():
                self._writer.add_scalar(f"{self._name}/{key}", value, step)

    def close(self) -> None:
        """Flush what is pending."""
        if self._writer:
            self._writer.close()

    def _go_on(self, resume_step: int) -> None:
        try:
            rows = [row for row in _read(self._path) if int(row["step"]) < resume_step]
        except ValueError:
            self._set_aside()
            return
        self._fields = list(rows[0]) if rows else []
        self._rewrite(rows)

    def _set_aside(self) -> None:
        number = 1
        while (aside := self._path.with_stem(f"{self._name}_unreadable_{number}")).exists():
            number += 1
        try:
            self._path.rename(aside)
        except OSError as error:
            raise output_error(error, _WHAT, self._path) from error
        _log.warning("%s cannot be read, is now %s, and begins anew", self._path, aside.name)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        if self._fields:
            writer = csv.DictWriter(text, self._fields)
            writer.writeheader()
            writer.writerows(rows)
        write_whole(self._path, text.getvalue().encode(), _WHAT)


def _read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a log, but a last one that was cut off.

    Raises
    ------
    ValueError
        If the file is no such log.
    """
    # Spreadsheets begin their files with a byte order mark.
    text = path.read_bytes().decode("utf-8-sig")
    lines = text.splitlines(keepends=True)
    if not lines:
        return []
    if len(lines) > 1 and not lines[-1].endswith("\n"):
        lines.pop()
    try:
        header, *rows = csv.reader(lines)
        if header[0] != "step":
            raise ValueError("the first column is not the step")
        return [dict(zip(header, row, strict=True)) for row in rows]
    except (csv.Error, IndexError) as error:
        raise ValueError(str(error)) from error
