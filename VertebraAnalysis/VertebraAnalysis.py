"""VertebraAnalysis: finds, segments, names and Genant-grades the vertebrae of a CT.

The four classes that 3D Slicer looks for; what they do is in ``VertebraAnalysisLib``. Its files are
imported when they are needed, because this one is imported at every start of the application.
"""

import sys
import unittest

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

HOMEPAGE = "https://github.com/VertebraAnalysis/SlicerVertebraAnalysis"


class VertebraAnalysis(ScriptedLoadableModule):
    """What the application knows of the module before it is opened."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Vertebra Analysis")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Spine")]
        parent.dependencies = ["Segmentations", "Markups", "Tables", "Terminologies"]
        parent.contributors = ["VertebraAnalysis contributors"]
        parent.helpText = _(
            "Finds every vertebra in a CT, segments it, names its level, measures its heights and "
            "grades its fracture after Genant; every result can be reviewed and corrected.<br>"
            "<b>For research only. This is no medical device.</b><br>"
            'Installation, tutorial and limits: <a href="{url}">documentation</a>.'
        ).format(url=HOMEPAGE)
        parent.acknowledgementText = _(
            "Grades after Genant et al., J Bone Miner Res 8 (1993) 1137-1148; heights of intact "
            "vertebrae after Panjabi et al., Spine 16 (1991) and 17 (1992). The sources of the "
            "training data are named in the model card beside the weights."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        """Register what needs other modules: the sample CT and the names of the levels."""
        from VertebraAnalysisLib.SampleDataRegistration import registerSampleData
        from VertebraAnalysisLib.Terminology import loadTerminology

        registerSampleData()
        loadTerminology(slicer.modules.terminologies.logic())


class VertebraAnalysisWidget(ScriptedLoadableModuleWidget):
    """The place of the panel in the application."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.logic = None
        self.panel = None

    def setup(self):
        """Make the panel; called when the module is opened for the first time."""
        super().setup()
        from VertebraAnalysisLib.Panel import Panel

        self.logic = VertebraAnalysisLogic()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/VertebraAnalysis.ui"))
        self.layout.addWidget(uiWidget)
        self.panel = Panel(uiWidget, self.logic)

    def enter(self):
        """Called each time the module is opened."""
        self.panel.enter()

    def exit(self):
        """Called each time another module is opened."""
        self.panel.exit()

    def cleanup(self):
        """Called before the module goes away."""
        if self.panel is not None:
            self.panel.cleanup()
            self.panel = None

    def onReload(self):
        """Reload ``VertebraAnalysisLib`` and ``vertebra_core`` as well."""
        for name in list(sys.modules):
            if name.partition(".")[0] in ("VertebraAnalysisLib", "vertebra_core"):
                del sys.modules[name]
        super().onReload()


class VertebraAnalysisLogic(ScriptedLoadableModuleLogic):
    """What scripts call; nothing here needs the panel."""

    def analyze(self, volumeNode, options=None):
        """Analyze a CT and wait for the result; the application stays responsive meanwhile.

        Parameters
        ----------
        volumeNode : vtkMRMLScalarVolumeNode
        options : RunOptions, optional

        Returns
        -------
        ResultSet
            The nodes that were added to the scene.

        Raises
        ------
        UserError
            If the volume cannot be analyzed, with what to do about it.
        """
        from VertebraAnalysisLib.BlockingAnalysis import BlockingAnalysis

        return BlockingAnalysis(volumeNode, options).run()


class VertebraAnalysisTest(ScriptedLoadableModuleTest):
    """The self-test, run by ctest and by the button Reload and Test."""

    def setUp(self):
        slicer.mrmlScene.Clear(False)

    def runTest(self, **_ignored):
        """Run every test of this class."""
        for name in unittest.TestLoader().getTestCaseNames(type(self)):
            self.setUp()
            self.delayDisplay(name)
            try:
                getattr(self, name)()
            except unittest.SkipTest as reason:
                self.delayDisplay(f"{name}: {reason}")

    def test_badInputIsRefusedInOneSentence(self):
        self._selfTest().refuseBadInput()

    def test_cancelledAnalysisLeavesTheSceneAsItWas(self):
        self._selfTest().cancelLeavesTheScene()

    def test_sampleIsAnalyzedCorrectedSavedAndReopened(self):
        self._selfTest().analyzeCorrectSaveReopen()

    def _selfTest(self):
        from VertebraAnalysisLib.SelfTest import SelfTest

        return SelfTest(self)
