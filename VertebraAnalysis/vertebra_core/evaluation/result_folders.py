"""Which of the earlier results is that of a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path


def result_folders(
    results: Path, names: Collection[str], all_names: Collection[str] = ()
) -> dict[str, Path]:
    """Return the folders of the results of cases.

    A result lies in a folder of the case's full name; or of its last part, where no other case
    ends alike; or, of a single case, in `results` itself.

    Parameters
    ----------
    results : Path
    names : collection of str
        Cases that are evaluated.
    all_names : collection of str, optional
        All cases there are, if there are others.

    Returns
    -------
    dict
        Name of a case -> folder; cases without a result are left out.
    """
    ends = Counter(Path(name).name for name in {*names, *all_names})
    found = {}
    for name in names:
        places = [results / name]
        if ends[Path(name).name] == 1:
            places.append(results / Path(name).name)
        if len(names) == 1:
            places.append(results)
        own = next((p for p in places if (p / "analysis.json").exists()), None)
        if own is not None:
            found[name] = own
    return found
