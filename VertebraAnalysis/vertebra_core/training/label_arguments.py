"""What trainings from labelled scans are told about them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from .arguments import share

CACHE_NAME = "label_cache"


@dataclass(frozen=True)
class LabelledData:
    """Labelled scans to train from.

    Attributes
    ----------
    folders : tuple of Path
        Folders of CTs with label maps, VerSe downloads among them; see
        `evaluation.case_files.find_cases`.
    share : float
        Share of samples from them where there are phantoms, too.
    cache : Path or None
        Where scans are kept once they are on a working grid; by default in the training's folder.
    """

    folders: tuple[Path, ...] = ()
    share: float = 0.5
    cache: Path | None = None

    def cache_in(self, out: Path) -> Path:
        """Return the cache of a training that writes to `out`."""
        return self.cache or Path(out) / CACHE_NAME


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is trained from: phantoms, labelled scans, or both."""
    parser.add_argument("--bank", type=Path, help="folder of phantom scenes")
    parser.add_argument(
        "--labels",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FOLDER",
        help="folders of CT and label maps; a VerSe download is one",
    )
    parser.add_argument(
        "--real-share",
        type=share,
        default=0.5,
        help="share of samples from labelled scans where there is a bank, too (default 0.5)",
    )
    parser.add_argument(
        "--label-cache", type=Path, metavar="FOLDER", help="where resampled scans are kept"
    )


def labelled_data(args: argparse.Namespace) -> LabelledData:
    """Make `LabelledData` from parsed arguments."""
    return LabelledData(tuple(args.labels), args.real_share, args.label_cache)
