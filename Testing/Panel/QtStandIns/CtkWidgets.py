"""Stand-ins for the CTK widgets that the panel uses."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from .StandInClass import standIn, storedProperty

_HEADER_PX = 24


def provideCtk(ctk: Any) -> None:
    """Put the stand-ins into the module `ctk`."""

    @standIn(ctk)
    class ctkCollapsibleButton(QtWidgets.QWidget):
        """A titled section whose contents fold away."""

        contentsCollapsed = QtCore.Signal(bool)
        text = storedProperty(str, "text", "", lambda owner: owner.update())
        flat = storedProperty(bool, "flat", False)

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*[a for a in arguments if not isinstance(a, str)])
            self.__dict__["_text"] = next((a for a in arguments if isinstance(a, str)), "")
            self.__dict__["_folded"] = False
            self.setContentsMargins(0, _HEADER_PX + 2, 0, 0)
            self.setFocusPolicy(QtCore.Qt.StrongFocus)

        def _isFolded(self) -> bool:
            return self.__dict__["_folded"]

        def setCollapsed(self, folded: bool) -> None:
            changed = self.__dict__["_folded"] != bool(folded)
            self.__dict__["_folded"] = bool(folded)
            only = QtCore.Qt.FindDirectChildrenOnly
            for child in self.findChildren(QtWidgets.QWidget, options=only):
                child.setVisible(not folded)
            self.setMaximumHeight(_HEADER_PX if folded else 16777215)
            self.update()
            if changed:
                self.contentsCollapsed.emit(bool(folded))

        collapsed = QtCore.Property(bool, _isFolded, setCollapsed)

        def event(self, event: Any) -> bool:
            # Loading a .ui file adds the contents after the property was set.
            if event.type() == QtCore.QEvent.ChildPolished and self._isFolded():
                event.child().setVisible(False)
            return super().event(event)

        def mousePressEvent(self, event: Any) -> None:
            if event.position().y() <= _HEADER_PX:
                self.setCollapsed(not self._isFolded())

        def keyPressEvent(self, event: Any) -> None:
            if event.key() == QtCore.Qt.Key_Space:
                self.setCollapsed(not self._isFolded())
            else:
                super().keyPressEvent(event)

        def minimumSizeHint(self) -> Any:
            if self._isFolded():
                return QtCore.QSize(60, _HEADER_PX)
            return QtWidgets.QWidget.minimumSizeHint(self)

        def sizeHint(self) -> Any:
            if self._isFolded():
                return QtCore.QSize(60, _HEADER_PX)
            return QtWidgets.QWidget.sizeHint(self)

        def paintEvent(self, event: Any) -> None:
            painter = QtGui.QPainter(self)
            option = QtWidgets.QStyleOptionButton()
            option.initFrom(self)
            option.rect = QtCore.QRect(0, 0, self.width, _HEADER_PX)
            option.state |= QtWidgets.QStyle.State_Raised
            style = QtWidgets.QApplication.style()
            style.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option, painter, self)
            arrow = QtWidgets.QStyleOption()
            arrow.initFrom(self)
            arrow.rect = QtCore.QRect(7, 7, 10, 10)
            element = "PE_IndicatorArrowRight" if self._isFolded() else "PE_IndicatorArrowDown"
            shape = getattr(QtWidgets.QStyle, element)
            style.drawPrimitive(shape, arrow, painter, self)
            middle = QtCore.Qt.AlignVCenter | QtCore.Qt.AlignLeft
            painter.drawText(QtCore.QRect(24, 0, self.width - 28, _HEADER_PX), middle, self.text)
