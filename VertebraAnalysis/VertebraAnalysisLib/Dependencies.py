"""What the core needs beside Slicer itself: is it there, and can it be installed?

PyTorch is looked for without importing it: loaded into the running application it can crash
Slicer, while in the child process that does the work it cannot.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .UserError import UserError

_LIGHT_THE_TORCH = "light-the-torch>=0.5"


@dataclass(frozen=True)
class Package:
    """A Python package.

    Attributes
    ----------
    name : str
        As imported and as installed.
    leastVersion : tuple of int
    title : str
        As users know it.
    size : str
        What a download may cost.
    """

    name: str
    leastVersion: tuple[int, ...]
    title: str
    size: str

    @property
    def requirement(self) -> str:
        """As pip takes it, e.g. ``"torch>=2.2"``."""
        return f"{self.name}>={'.'.join(str(n) for n in self.leastVersion)}"


# Resources/requirements.txt names more: those come with Slicer and must never be replaced.
PACKAGES = (
    Package("torch", (2, 2), "PyTorch", "200 MB, up to 3 GB for NVIDIA graphics"),
    Package("safetensors", (0, 4, 3), "safetensors", "1 MB"),
)


class Dependencies:
    """Looks for packages and installs them, never without a question.

    Parameters
    ----------
    versionOf : callable, optional
        (name) -> version as text, None if the package is not there.
    install : callable, optional
        (Package): installs it; raises any error when it cannot.
    hasPyTorchExtension : callable, optional
    """

    def __init__(
        self,
        versionOf: Callable[[str], str | None] | None = None,
        install: Callable[[Package], Any] | None = None,
        hasPyTorchExtension: Callable[[], bool] | None = None,
    ) -> None:
        self._versionOf = versionOf or installedVersion
        self._install = install or _install
        self._hasPyTorchExtension = hasPyTorchExtension or _hasPyTorchExtension

    def missing(self) -> tuple[Package, ...]:
        """Return the packages that are not there or too old."""
        return tuple(p for p in PACKAGES if not _isEnough(self._versionOf(p.name), p.leastVersion))

    def ensure(self, askUser: Callable[[str], bool]) -> bool:
        """See to it that everything is there.

        Parameters
        ----------
        askUser : callable
            (question) -> True to install.

        Returns
        -------
        bool
            False if the user does not want to install.

        Raises
        ------
        UserError
            If something cannot be installed, with what to do.
        """
        missing = self.missing()
        if not missing:
            return True
        if any(p.name == "torch" for p in missing) and not self._hasPyTorchExtension():
            raise UserError(
                "PyTorch, which the analysis needs, is not installed.",
                "Install the 'PyTorch' extension in View > Extensions Manager, restart Slicer and "
                "try again.",
            )
        if not askUser(_question(missing)):
            return False
        for package in missing:
            try:
                self._install(package)
            except Exception as error:
                raise UserError(
                    f"{package.title} could not be installed.",
                    "Check the internet connection; the Python console shows the details. "
                    f"In a network without internet ask for the package {package.requirement}.",
                ) from error
        importlib.invalidate_caches()
        left = self.missing()
        if left:
            raise UserError(
                f"{_titles(left)} was installed but is not found.", "Restart Slicer and try again."
            )
        return True


def missingPackages() -> tuple[str, ...]:
    """Return what must be installed before an analysis, e.g. ``("torch>=2.2",)``."""
    return tuple(package.requirement for package in Dependencies().missing())


def ensure(askUser: Callable[[str], bool]) -> bool:
    """See `Dependencies.ensure`."""
    return Dependencies().ensure(askUser)


def installedVersion(name: str) -> str | None:
    """Return the version of an installed package; "" if it does not say, None if it is missing."""
    try:
        if importlib.util.find_spec(name) is None:
            return None
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    except (ImportError, ValueError):
        return None


def _isEnough(version: str | None, least: Sequence[int]) -> bool:
    if version is None:
        return False
    # "2.2.0+cpu", "2.10.0a0": the leading numbers decide; a package that says none is trusted.
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return not numbers or tuple(numbers) >= tuple(least)


def _question(missing: Sequence[Package]) -> str:
    sizes = "; ".join(f"{p.title}: {p.size}" for p in missing)
    return (
        f"The analysis needs {_titles(missing)}, which Slicer does not bring. "
        f"Download and install now ({sizes})? Nothing is sent anywhere, and everything works "
        "offline afterwards."
    )


def _titles(packages: Sequence[Package]) -> str:
    return " and ".join(p.title for p in packages)


def _hasPyTorchExtension() -> bool:
    import slicer

    return hasattr(slicer.modules, "pytorchutils")


def _install(package: Package) -> None:
    import slicer

    if package.name != "torch":
        slicer.util.pip_install(package.requirement)
        return
    # The steps of PyTorchUtilsLogic.installTorch, which would import torch into the application
    # at the end. light-the-torch picks the build for the graphics card that is there.
    if installedVersion("light_the_torch") is None:
        slicer.util.pip_install(_LIGHT_THE_TORCH)
    slicer.util.executePythonModule("light_the_torch", ["install", package.requirement])
