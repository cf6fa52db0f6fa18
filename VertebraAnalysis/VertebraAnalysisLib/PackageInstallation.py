"""Sees to it that the packages of the analysis are there, and that nothing disturbs installing."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from .PanelServices import PanelServices
from .ProgressView import ProgressView
from .UserError import UserError


class PackageInstallation:
    """Installs what is missing after a question.

    Installing takes minutes, in which the application handles clicks at every line that pip says.

    Parameters
    ----------
    services : PanelServices
    progress : ProgressView
    onStateChanged : callable
        () when an installation has begun or ended.
    """

    def __init__(
        self, services: PanelServices, progress: ProgressView, onStateChanged: Callable[[], None]
    ) -> None:
        self._services, self._progress = services, progress
        self._onStateChanged = onStateChanged
        self._atWork = False

    @property
    def atWork(self) -> bool:
        """Packages are looked for or installed."""
        return self._atWork

    def ensure(self) -> bool:
        """Install what is missing; returns False where that is going on already.

        Raises
        ------
        UserError
            If the user does not want to install, or something cannot be installed.
        """
        if self._atWork:
            return False
        self._atWork = True
        try:
            complete = self._services.ensureDependencies(self._mayInstall)
        finally:
            self._atWork = False
            self._progress.hide()
            self._onStateChanged()
        if not complete:
            raise UserError(
                _("The analysis needs packages that are not installed."),
                _("Press the button again to install them."),
            )
        return True

    def _mayInstall(self, question: str) -> bool:
        if not self._services.dialogs.confirm(question):
            return False
        self._progress.say(_("Installing; Slicer may stand still for minutes"))
        self._onStateChanged()
        # Seen before the installation leaves no time for it.
        slicer.app.processEvents()
        return True
