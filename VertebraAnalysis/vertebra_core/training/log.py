"""Logs of a training run: CSV always, TensorBoard where it is installed."""

from __future__ import annotations

import csv
from pathlib import Path


class TrainingLog:
    """Appends rows of figures to ``<folder>/<name>.csv``.

    Parameters
    ----------
    folder : Path
    name : str
    resume_step : int
        Rows of this step and later, left by a run that was cut off, are dropped.
    tensorboard : bool
        Also write TensorBoard events, if that package is installed.
    """

    def __init__(
        self, folder: Path, name: str, resume_step: int = 0, tensorboard: bool = True
    ) -> None:
        self._path = Path(folder) / f"{name}.csv"
        self._name = name
        self._fields: list[str] = []
        self._writer = None
        if self._path.exists():
            with self._path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) < resume_step]
            self._fields = list(rows[0]) if rows else []
            self._rewrite(rows)
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(
                    str(Path(folder) / "tensorboard" / name), purge_step=resume_step
                )
            except ImportError:
                self._writer = None

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Append one row."""
        row = {"step": step} | {k: f"{v:.6g}" for k, v in figures.items()}
        if not self._fields:
            self._fields = list(row)
            self._rewrite([])
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, self._fields, extrasaction="ignore").writerow(row)
        if self._writer:
            for key, value in figures.items():
                self._writer.add_scalar(f"{self._name}/{key}", value, step)

    def close(self) -> None:
        """Flush what is pending."""
        if self._writer:
            self._writer.close()

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        with self._path.open("w", newline="") as file:
            if self._fields:
                writer = csv.DictWriter(file, self._fields)
                writer.writeheader()
                writer.writerows(rows)
