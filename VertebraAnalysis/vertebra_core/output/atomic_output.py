"""Results appear whole or not at all.

Files are written into a hidden folder inside the output folder (so on the same disk), and renamed
to their final names in one go when all of them are there. Earlier results are replaced as a whole:
a stale scene never stays beside a new analysis.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..output_errors import output_error

RESULT_FILES: tuple[str, ...] = (
    "labels.nii.gz",
    "bodies.nii.gz",
    "vertebrae.csv",
    "vertebrae.mrk.json",
    "report.html",
    "scene.mrb",
    "analysis.json",
)
"""All that an analysis may leave behind; ``analysis.json``, renamed last, tells it is complete."""

_PREFIX = ".vertebra-partial-"
_STALE_AFTER_S = 24 * 3600.0


class AtomicOutput:
    """A folder that gets all results at once.

    Use as a context manager: write to `path(name)` inside `writing`, then call `commit`. Leaving
    without `commit` removes what was written, and the folder itself if it was made for it.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Raises
    ------
    OutputError
        ``not_writable`` or ``disk_full``: on entering, so that a long analysis does not run in
        vain.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._made: list[Path] = []
        self._partial: Path | None = None

    def __enter__(self) -> AtomicOutput:
        try:
            self._make_folder()
            self._remove_stale()
            self._partial = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder))
            # Some network disks allow folders but no files.
            probe = self._partial / "probe"
            probe.write_bytes(b"\0" * 4096)
            probe.unlink()
        except OSError as error:
            self.discard()
            raise output_error(error, "The results", self._folder) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Tell in a sentence that a file cannot be written; for nothing but writing.

        Raises
        ------
        OutputError
            ``not_writable`` or ``disk_full``. An error that names a file elsewhere is left as it
            is: it says nothing about the results.
        """
        try:
            yield
        except OSError as error:
            if not self._holds(error.filename):
                raise
            raise output_error(error, "The results", self._folder) from error

    def path(self, name: str) -> Path:
        """Where to write the result file `name` for now."""
        if name not in RESULT_FILES:
            raise ValueError(f"{name} is no result file")
        if self._partial is None:
            raise RuntimeError("the output is not open")
        return self._partial / name

    def commit(self) -> tuple[Path, ...]:
        """Give all files their final names; earlier results go.

        Returns
        -------
        tuple of Path
            The results.

        Raises
        ------
        OutputError
            Earlier results are back in their places then.
        """
        if self._partial is None:
            raise RuntimeError("the output is not open")
        earlier = self._partial / "earlier"
        moved: list[tuple[Path, Path]] = []
        results = []
        try:
            earlier.mkdir()
            for name in RESULT_FILES:
                if (self._folder / name).exists():
                    self._move(self._folder / name, earlier / name, moved)
            for name in RESULT_FILES:
                if (self._partial / name).exists():
                    self._move(self._partial / name, self._folder / name, moved)
                    results.append(self._folder / name)
        except OSError as error:
            for source, target in reversed(moved):
                with contextlib.suppress(OSError):
                    target.replace(source)
            raise output_error(error, "The results", self._folder) from error
        self._made.clear()
        self.discard()
        return tuple(results)

    def discard(self) -> None:
        """Remove everything that is not committed; harmless when called again."""
        if self._partial is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial = None
        while self._made:
            with contextlib.suppress(OSError):
                self._made.pop().rmdir()

    @staticmethod
    def _move(source: Path, target: Path, moved: list[tuple[Path, Path]]) -> None:
        source.replace(target)
        moved.append((source, target))

    def _holds(self, name: object) -> bool:
        # A full disk is told without a name.
        if name is None:
            return True
        return isinstance(name, str) and Path(name).resolve().is_relative_to(self._folder.resolve())

    def _make_folder(self) -> None:
        missing = []
        folder = self._folder
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir()
            self._made.append(folder)
        if not self._folder.is_dir():
            raise NotADirectoryError

    def _remove_stale(self) -> None:
        # A process that was killed could not tidy up; one that is still at work is younger.
        for left in self._folder.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE_AFTER_S:
                    shutil.rmtree(left, ignore_errors=True)
