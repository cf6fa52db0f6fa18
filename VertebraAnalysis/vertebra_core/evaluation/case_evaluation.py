"""One case of an evaluation: taken from its record, or read, predicted and scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..volume import CtVolume
from .case_files import CaseFiles
from .case_sources import sources_of
from .output import progress
from .prediction import Predict
from .record_log import RecordLog
from .records import CaseRecord
from .scoring import score_case
from .truth import CaseTruth

Load = Callable[[CaseFiles], tuple[CtVolume, CaseTruth]]


@dataclass(frozen=True)
class CaseEvaluation:
    """How cases are evaluated.

    Attributes
    ----------
    predict : callable
        See `predictor.predictor`.
    log : RecordLog
        A case in it is not evaluated again while its files are as they were.
    results : mapping or None
        Name of a case -> folder of the earlier result that is scored.
    with_localisers : bool
        Whether records must state the localisers alone.
    """

    predict: Predict
    log: RecordLog
    results: Mapping[str, Path] | None = None
    with_localisers: bool = False

    def record(self, files: CaseFiles, load: Load) -> CaseRecord | None:
        """Return the record of a case; None, told, where it cannot be read or has no result.

        Parameters
        ----------
        files : CaseFiles
        load : callable
            Reads CT and truth.

        Raises
        ------
        OutputError
            If the record cannot be kept.
        """
        name = files.name
        sources = sources_of(files, (self.results or {}).get(name))
        if not self.log.holds(name, sources, self.with_localisers):
            if name in self.log:
                progress(f"{name}: evaluated again, its record is of other files or lacks figures")
            started = time.monotonic()
            try:
                ct, truth = load(files)
                record = score_case(name, ct, truth, self.predict(name, ct))
            except InputError as error:
                progress(str(error))
                return None
            self.log.add(replace(record, sources=sources))
            progress(f"{name}: {time.monotonic() - started:.1f} s")
        return self.log[name]
