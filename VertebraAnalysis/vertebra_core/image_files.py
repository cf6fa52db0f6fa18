"""Image files before they are read: whether they can be opened, their format, their name.

Here are also the refusals and hints that the checks of several formats share.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import SimpleITK as sitk  # noqa: N813

from vertebra_core.errors import InputError

NIFTI, NRRD, METAIMAGE = "NiftiImageIO", "NrrdImageIO", "MetaImageIO"
"""Formats, as the reading library calls them, that keep voxel size and orientation."""

NO_ORIENTATION = (
    "The file does not state its orientation; its axes were taken to run to the patient's left, "
    "back and head. Left and right, or the order of the levels, may be wrong."
)

GIVE_IMAGE = "Give a NIfTI, NRRD or MHA file, or a folder with a DICOM series."
"""What to do where a file is no image that can be used."""

CONVERT_AGAIN = "Convert the original DICOM series again."
"""What to do about a file that a conversion has spoilt."""

CUT_SHORT = "its compressed data are damaged or cut short"

_OF_TWO_FILES = {".mhd", ".nhdr", ".hdr", ".img"}


def exists(path: Path) -> bool:
    """Tell whether there is a file or folder.

    Raises
    ------
    InputError
        ``not_readable`` if that cannot be found out.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise _not_readable(path, error) from error
    return True


def check_openable(path: Path) -> None:
    """Check that a file can be opened and holds something.

    Raises
    ------
    InputError
        ``not_readable`` or ``empty_file``.
    """
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise _not_readable(path, error) from error
    if empty:
        raise InputError("empty_file", f"{path.name} is an empty file.", "Copy the file again.")


def check_beside(path: Path, name: str) -> Path:
    """Return the second of two files that make one image, checked to be there.

    Parameters
    ----------
    path : Path
        The first one.
    name : str
        Of the second, from the folder of the first.

    Raises
    ------
    InputError
        ``truncated``, ``not_readable`` or ``empty_file``.
    """
    second = path.parent / name
    if not exists(second):
        raise InputError(
            "truncated",
            f"{path.name} is half of an image: the file {second.name} is not beside it.",
            "Copy both files into one folder.",
        )
    check_openable(second)
    return second


def image_format(path: Path) -> str:
    """Return the format of an image file, empty if it is none that is known.

    Raises
    ------
    InputError
        ``other_format`` if it is none that keeps voxel size and orientation.
    """
    name = sitk.ImageFileReader.GetImageIOFromFileName(str(path))
    if name in (NIFTI, NRRD, METAIMAGE, ""):
        return name
    raise InputError(
        "other_format",
        f"{path.name} is no NIfTI, NRRD or MHA file; voxel size or orientation may be lost in it.",
        GIVE_IMAGE,
    )


def names_one_file(field: str) -> bool:
    """Tell whether a header's field with the name of the voxels' file names one, not several.

    Other values are lists of files and patterns of names.
    """
    return bool(field) and "%" not in field and not field.upper().startswith("LIST")


def no_voxel_size(path: Path) -> InputError:
    """Return the refusal of a file whose header does not tell the voxel size."""
    return InputError("bad_spacing", f"{path.name} does not tell the voxel size.", CONVERT_AGAIN)


def incomplete(path: Path, what: str) -> InputError:
    """Return the refusal of a file of which something is missing; `what` goes on after a colon."""
    return InputError(
        "truncated", f"{path.name} is incomplete: {what}.", "Copy or convert the file again."
    )


@contextmanager
def text_path(path: Path) -> Iterator[Path]:
    """Give a path that is text, while the context is open, for a file whose name may be none.

    The reading library takes text only; on Linux names are bytes of any encoding.

    Raises
    ------
    InputError
        ``bad_name`` if no such path can be had.
    """
    if _is_text(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "link"
        try:
            if _is_text(Path(path.name)):
                link.symlink_to(path.parent.absolute(), target_is_directory=True)
                link = link / path.name
            elif path.suffix.lower() in _OF_TWO_FILES:
                raise _bad_name(path)
            else:
                link = link.with_name("image" + _suffixes(path))
                link.symlink_to(path.absolute())
        except OSError as error:
            raise _bad_name(path) from error
        yield link


def _suffixes(path: Path) -> str:
    inner = Path(path.stem).suffix if path.suffix.lower() == ".gz" else ""
    both = inner + path.suffix
    return both if _is_text(Path(both)) else ""


def _is_text(path: Path) -> bool:
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _bad_name(path: Path) -> InputError:
    name = path.name.encode("utf-8", "replace").decode("utf-8")
    return InputError(
        "bad_name",
        f"The name {name}, or that of a folder it lies in, holds characters that are no text.",
        "Rename it with plain letters.",
    )


def _not_readable(path: Path, error: OSError) -> InputError:
    reason = (error.strerror or str(error)).rstrip(".")
    return InputError(
        "not_readable",
        f"{path} cannot be opened: {reason}.",
        "Check that you may read it, or copy it to a folder of yours.",
    )
