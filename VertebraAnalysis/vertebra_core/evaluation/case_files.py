"""Find evaluation cases in a folder: CT beside labels, a folder per case, or VerSe's layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..folder_walk import walk

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")

# Endings that name a role, in order of preference; the case's name is what comes before.
_ROLES: dict[str, tuple[str, ...]] = {
    "ct": ("ct",),
    "labels": ("labels", "labels_totalseg", "seg-vert_msk", "msk", "seg", "mask"),
    "bodies": ("bodies", "vertebral_bodies_by_level"),
}
_SIDE_FILES: dict[str, tuple[str, ...]] = {
    "truth": ("truth", "centers"),
    "centroids": ("seg-subreg_ctd", "seg-vb_ctd", "ctd"),
}

_LEVELS = {"labels", "truth", "centroids"}
"""Roles that tell which vertebrae there are; bodies are scored with the labels they belong to."""

_Files = dict[str, tuple[int, Path]]
"""Role -> rank of the ending, and file."""


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case.

    Attributes
    ----------
    name : str
    ct : Path
    labels, bodies : Path or None
        Label maps of vertebrae and of bodies.
    truth : Path or None
        Truth file (see `truth_files.read_truth_file`).
    centroids : Path or None
        VerSe centroid file.
    """

    name: str
    ct: Path
    labels: Path | None = None
    bodies: Path | None = None
    truth: Path | None = None
    centroids: Path | None = None


def find_cases(folder: Path) -> tuple[CaseFiles, ...]:
    """Find the cases below `folder`, sorted by name.

    Three layouts are understood, also mixed: ``NAME_ct.*`` beside ``NAME_labels.*`` (or
    ``NAME_seg-vert_msk.*``), ``NAME/ct.*`` beside ``NAME/labels.*``, and VerSe's ``rawdata`` and
    ``derivatives``. Bodies, truth files and centroid files are taken where they are named alike.
    A CT with neither labels nor truth is left out, as is what lies in hidden folders; links to
    other folders are followed. The folders of VerSe's parts (``dataset-...``) are no part of a
    case's name, unless two of them hold a case of that name.

    Raises
    ------
    InputError
        If there is no such folder or it holds no case.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            "no_such_folder", f"There is no folder {folder}.", "Give a folder of CTs and labels."
        )
    found = _named(folder)
    # Cases of one name in several parts of a download are told apart by its folders.
    places = Counter(case for case, _ in found)
    named = {
        case if places[case] == 1 else f"{part}/{case}".lstrip("/"): files
        for (case, part), files in found.items()
    }
    cases = tuple(
        CaseFiles(name, **{role: path for role, (_, path) in files.items()})
        for name, files in sorted(named.items())
    )
    if not cases:
        raise InputError(
            "no_cases",
            f"No pair of CT and labels was found in {folder}.",
            "Name them NAME_ct.nii.gz and NAME_labels.nii.gz, or use VerSe's layout.",
        )
    return cases


def _named(root: Path) -> dict[tuple[str, str], _Files]:
    """Files of the cases below `root`, by name and the folders of VerSe's parts above them."""
    found: dict[tuple[str, str], _Files] = {}
    for path in sorted(place / name for place, names in walk(root) for name in names):
        named = _role_of(path, root)
        if named is None:
            continue
        case, role, rank = named
        files = found.setdefault((case, _part(path.parent, root)), {})
        if role not in files or rank < files[role][0]:
            files[role] = (rank, path)
    return {key: files for key, files in found.items() if "ct" in files and _LEVELS & files.keys()}


def _role_of(path: Path, root: Path) -> tuple[str, str, int] | None:
    """Return (case, role, rank) of a file, or None for one that plays no role."""
    for suffix in IMAGE_SUFFIXES:
        if path.name.endswith(suffix):
            return _split(path, path.name.removesuffix(suffix), root, _ROLES.items())
    if path.suffix == ".json":
        return _split(path, path.stem, root, _SIDE_FILES.items())
    return None


def _split(
    path: Path, stem: str, root: Path, roles: Iterable[tuple[str, tuple[str, ...]]]
) -> tuple[str, str, int] | None:
    ranked = [(len(e), role, n, e) for role, ends in roles for n, e in enumerate(ends)]
    for _, role, rank, ending in sorted(ranked, reverse=True):
        if stem == ending:
            return _case_name(path.parent, root) or root.name, role, rank
        if stem.endswith(f"_{ending}"):
            inner = stem.removesuffix(f"_{ending}")
            place = _case_name(path.parent, root)
            # VerSe repeats the subject in folder and file name.
            parts = [p for p in place.split("/") if p and not inner.startswith(p)]
            return "/".join([*parts, inner]), role, rank
    return None


def _case_name(folder: Path, root: Path) -> str:
    """Folder below `root` without VerSe's upper folders, which differ between CT and masks."""
    parts = folder.relative_to(root).parts
    return "/".join(
        p for p in parts if p not in ("rawdata", "derivatives") and not _is_dataset_part(p)
    )


def _part(folder: Path, root: Path) -> str:
    """Folders of VerSe's parts below `root` that `folder` lies in."""
    return "/".join(p for p in folder.relative_to(root).parts if _is_dataset_part(p))


def _is_dataset_part(name: str) -> bool:
    """Tell whether `name` is a folder like ``dataset-01training`` of a VerSe download."""
    return name.startswith("dataset-")
