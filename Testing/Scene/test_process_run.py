"""Runs on a real scene, with the real child process on a small phantom."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from process_life import isAlive
from small_phantom import smallPhantom  # noqa: F401 - a fixture
from VertebraAnalysisLib.AnalysisRun import AnalysisRun, RunOptions
from VertebraAnalysisLib.CoreCommand import CoreCommand, pythonExecutable
from VertebraAnalysisLib.CoreRun import CoreRun
from VertebraAnalysisLib.UserError import UserError

OPTIONS = RunOptions(device="cpu", threads=1)


class Told:
    """Keeps what a run tells."""

    def __init__(self):
        self.progress, self.log, self.ends = [], [], []
        self.files, self.analysis, self.folder = set(), {}, None

    def run(self, node, options=OPTIONS, core=None):
        return AnalysisRun(
            node,
            options,
            self.progress.append,
            self._finished,
            lambda message, hint: self.ends.append(("failed", message, hint)),
            lambda: self.ends.append(("cancelled",)),
            self.log.append,
            core,
        )

    @property
    def stages(self):
        return list(dict.fromkeys(progress.stage for progress in self.progress))

    def _finished(self, folder):
        self.ends.append(("finished",))
        self.folder = folder
        self.files = {path.name for path in Path(folder).iterdir()}
        self.analysis = json.loads((Path(folder) / "analysis.json").read_text("utf-8"))


class ScriptCore(CoreCommand):
    """Runs a script in place of the core."""

    def __init__(self, script):
        super().__init__()
        self._script = script
        self.ctPath = None

    def analyze(self, ctPath, folder, options):
        self.ctPath = ctPath
        return [sys.executable, "-u", "-c", self._script]


SLEEPER = "import time\nwhile True: time.sleep(0.1)"


def pollUntil(run, condition, limitS=600.0):
    deadline = time.monotonic() + limitS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        run.poll()
        time.sleep(0.05)


def leftOvers(slicer):
    return list(Path(slicer.app.temporaryPath).glob("VertebraAnalysis-*"))


def sceneState(slicer):
    scene = slicer.mrmlScene
    return [scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())]


def syntheticCt(slicer, name="CT"):
    """A block of tissue, fat, bone and air: suitable, but without a spine."""
    values = np.random.default_rng(0).normal(40, 30, (24, 48, 48))
    values[:, :8] = -1000
    values[:, 8:16] = -100
    values[:, 30:34] = 400
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, values.astype(np.int16))
    return node


@pytest.fixture(autouse=True)
def _nothingRunsOn():
    yield
    if CoreRun._active is not None:
        CoreRun._active.cancel(wait=True)


@pytest.mark.slow
def testAnalysisOfAPhantomReportsProgressAndHandsOverAllResults(slicer, smallPhantom):  # noqa: F811
    node = smallPhantom.addCtTo(slicer)
    node.SetName("Phantom 3")
    before = sceneState(slicer)
    told = Told()
    run = told.run(node)
    run.start()
    pollUntil(run, lambda: told.ends)
    assert told.ends == [("finished",)]
    assert told.analysis["manifest"]["input_name"] == "Phantom 3"
    assert {"analysis.json", "labels.nii.gz", "bodies.nii.gz"} <= told.files
    assert len(told.analysis["vertebrae"]) >= 3
    assert told.stages[0] == "export"
    assert {"localisation", "segmentation", "grading", "writing"} <= set(told.stages)
    fractions = [progress.fraction for progress in told.progress]
    assert fractions == sorted(fractions)
    assert any(progress.remaining_s is not None for progress in told.progress)
    assert not run.running
    assert not Path(told.folder).exists()
    assert leftOvers(slicer) == []
    assert sceneState(slicer) == before


@pytest.mark.slow
def testCancelDuringTheAnalysisLeavesNothing(slicer, smallPhantom):  # noqa: F811
    node = smallPhantom.addCtTo(slicer)
    before = sceneState(slicer)
    told = Told()
    run = told.run(node)
    run.start()
    pollUntil(run, lambda: "localisation" in told.stages)
    began = time.monotonic()
    run.cancel()
    pollUntil(run, lambda: told.ends, 5.0)
    assert time.monotonic() - began < 2.0
    assert told.ends == [("cancelled",)]
    assert leftOvers(slicer) == []
    assert sceneState(slicer) == before


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def testKilledAnalysisIsToldAndTidiedUp(slicer, smallPhantom):  # noqa: F811
    told = Told()
    run = told.run(smallPhantom.addCtTo(slicer))
    run.start()
    pollUntil(run, lambda: "localisation" in told.stages)
    os.kill(run._process.pid, signal.SIGKILL)
    pollUntil(run, lambda: told.ends, 10.0)
    assert told.ends[0][0] == "failed"
    assert "SIGKILL" in told.ends[0][1]
    assert leftOvers(slicer) == []


@pytest.mark.slow
def testScanWithoutSpineIsToldInTheCoresWords(slicer):
    told = Told()
    run = told.run(syntheticCt(slicer))
    run.start()
    pollUntil(run, lambda: told.ends)
    assert told.ends[0][0] in ("failed", "finished")
    if told.ends[0][0] == "failed":
        assert "Traceback" not in told.ends[0][1] + told.ends[0][2]
    else:
        assert told.analysis["vertebrae"] == []
        assert told.analysis["warnings"]


@pytest.mark.slow
def testExistingSegmentationIsGraded(slicer, smallPhantom):  # noqa: F811
    node = smallPhantom.addCtTo(slicer)
    segmentation = smallPhantom.addSegmentationTo(slicer)
    told = Told()
    run = told.run(node, RunOptions("cpu", 1, segmentationNode=segmentation))
    run.start()
    pollUntil(run, lambda: told.ends)
    assert told.ends == [("finished",)]
    names = segmentation.GetSegmentation()
    wanted = {names.GetSegment(i).GetName().split()[-1] for i in names.GetSegmentIDs()} - {"S1"}
    assert {v["level"] for v in told.analysis["vertebrae"]} <= wanted
    assert len(told.analysis["vertebrae"]) >= len(wanted) - 2
    assert "localisation" not in told.stages


@pytest.mark.slow
def testRegionLimitsWhatIsGraded(slicer, smallPhantom):  # noqa: F811
    node = smallPhantom.addCtTo(slicer)
    segmentation = smallPhantom.addSegmentationTo(slicer)
    bounds = [0.0] * 6
    segmentation.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    # The lower half of the vertebrae, in a box turned a little.
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetCenter(*((low + high) / 2 - [0, 0, (high - low)[2] / 4]))
    roi.SetSize(*((high - low) * [1.2, 1.2, 0.5]))
    told = Told()
    run = told.run(node, RunOptions("cpu", 1, roi, segmentation))
    run.start()
    pollUntil(run, lambda: told.ends)
    assert told.ends == [("finished",)]
    size = told.analysis["manifest"]["input_size_xyz"]
    assert size[2] < node.GetImageData().GetDimensions()[2] * 0.8
    middle = (low + high)[2] / 2
    whole = [
        v["center_lps_mm"][2]
        for v in told.analysis["vertebrae"]
        if not any(flag["code"] == "cut_by_field_of_view" for flag in v["flags"])
    ]
    assert whole
    assert max(whole) < middle


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def testAnalysisEndsWhenTheApplicationIsGone(smallPhantom, tmp_path):  # noqa: F811
    """The pipe breaks when the application crashes; nobody may compute on for minutes."""
    core = CoreCommand()
    command = core.analyze(smallPhantom.folder / "ct.nii.gz", tmp_path / "out", OPTIONS)
    application = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import json, sys, time\n"
            "from VertebraAnalysisLib.ProcessTree import ProcessTree\n"
            "tree = ProcessTree(json.loads(sys.argv[1]))\n"
            "tree.stdout.readline()\n"
            "print(tree.pid, flush=True)\n"
            "time.sleep(600)",
            json.dumps(command),
        ],
        env=core.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(application.stdout.readline())
    application.kill()
    application.wait()
    application.stdout.close()
    deadline = time.monotonic() + 30
    while isAlive(child):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def testScanLeftByACrashedApplicationIsRemovedAfterADay(slicer):
    parent = Path(slicer.app.temporaryPath)
    old, fresh = parent / "VertebraAnalysis-old", parent / "VertebraAnalysis-fresh"
    for folder in (old, fresh):
        folder.mkdir()
        (folder / "ct.nrrd").write_bytes(b"x")
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    run = Told().run(syntheticCt(slicer), core=ScriptCore(SLEEPER))
    run.start()
    assert not old.exists()
    assert fresh.exists()
    run.cancel(wait=True)
    shutil.rmtree(fresh)


def testClosingTheSceneCancels(slicer):
    told = Told()
    run = told.run(syntheticCt(slicer), core=ScriptCore(SLEEPER))
    run.start()
    slicer.mrmlScene.Clear(False)
    pollUntil(run, lambda: told.ends, 5.0)
    assert told.ends == [("cancelled",)]
    assert run.cancelReason == "The scene was closed."
    assert leftOvers(slicer) == []


def testDeletingTheInputCancels(slicer):
    told = Told()
    node = syntheticCt(slicer)
    run = told.run(node, core=ScriptCore(SLEEPER))
    run.start()
    slicer.mrmlScene.RemoveNode(node)
    pollUntil(run, lambda: told.ends, 5.0)
    assert told.ends == [("cancelled",)]
    assert "removed" in run.cancelReason


def testDeletingAnotherNodeDoesNotCancel(slicer):
    told = Told()
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    run = told.run(syntheticCt(slicer), core=ScriptCore(SLEEPER))
    run.start()
    slicer.mrmlScene.RemoveNode(other)
    for _ in range(10):
        run.poll()
        time.sleep(0.02)
    assert run.running
    assert run.cancelReason == ""


def testInputDeletedJustBeforeTheResultIsNotReported(slicer):
    told = Told()
    node = syntheticCt(slicer)
    run = told.run(node, core=ScriptCore("""print('{"type":"result","folder":"x"}')"""))
    run.start()
    time.sleep(0.5)  # the result waits, unread
    slicer.mrmlScene.RemoveNode(node)
    pollUntil(run, lambda: told.ends, 5.0)
    assert told.ends == [("cancelled",)]


def testSecondRunIsRefusedWhileOneIsAtWork(slicer):
    node = syntheticCt(slicer)
    first, second = Told(), Told()
    run = first.run(node, core=ScriptCore(SLEEPER))
    run.start()
    with pytest.raises(RuntimeError):
        run.start()
    with pytest.raises(UserError, match="already running"):
        second.run(node, core=ScriptCore(SLEEPER)).start()
    assert len(leftOvers(slicer)) == 1
    run.cancel(wait=True)
    assert first.ends == [("cancelled",)]
    third = Told().run(node, core=ScriptCore(SLEEPER))
    third.start()
    assert third.running


def testUnsuitableInputStartsNothing(slicer):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(node, np.ones((20, 20, 20), np.uint8))
    told = Told()
    with pytest.raises(UserError, match="label map"):
        told.run(node).start()
    assert leftOvers(slicer) == []
    assert told.ends == []


def testRegionBesideTheVolumeStartsNothing(slicer):
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetSize(20, 20, 20)
    roi.SetCenter(1000, 0, 0)
    run = Told().run(syntheticCt(slicer), RunOptions("cpu", 1, roiNode=roi))
    with pytest.raises(UserError, match="region of interest"):
        run.start()
    assert leftOvers(slicer) == []
    assert not run.running


def testFailureToReadTheResultIsToldNotRaised(slicer):
    class Unreadable(AnalysisRun):
        def _read(self, resultFolder):
            raise UserError("It cannot be read.", "Try again.")

    ends = []
    run = Unreadable(
        syntheticCt(slicer),
        OPTIONS,
        lambda p: None,
        lambda f: ends.append("finished"),
        lambda m, h: ends.append((m, h)),
        lambda: ends.append("cancelled"),
        lambda line: None,
        ScriptCore("""print('{"type":"result","folder":"x"}')"""),
    )
    run.start()
    pollUntil(run, lambda: ends, 5.0)
    assert ends == [("It cannot be read.", "Try again.")]


def testErrorWhileResultsAreTakenOverStillTidiesUp(slicer):
    def broken(folder):
        raise ValueError("the scene does not want it")

    run = AnalysisRun(
        syntheticCt(slicer),
        OPTIONS,
        lambda p: None,
        broken,
        lambda m, h: None,
        lambda: None,
        lambda line: None,
        ScriptCore("""print('{"type":"result","folder":"x"}')"""),
    )
    run.start()
    with pytest.raises(ValueError, match="does not want"):
        pollUntil(run, lambda: not run.running, 5.0)
    assert not run.running
    assert leftOvers(slicer) == []


def testChildIsStartedAwayFromAnyFileThatCouldShadowModules(slicer, tmp_path, monkeypatch):
    # "-m" puts the working folder first on the path: the user's own numpy.py must not be loaded.
    (tmp_path / "numpy.py").write_text("raise SystemExit(55)")
    monkeypatch.chdir(tmp_path)
    told = Told()
    code = "import os, numpy; print('in', sorted(os.listdir('.')))"
    run = told.run(
        syntheticCt(slicer), core=ScriptCore(f"import sys; sys.path.insert(0, ''); {code}")
    )
    run.start()
    pollUntil(run, lambda: told.ends, 20.0)
    assert "in []" in told.log


def testTemporaryFolderMayHaveSpacesAndAnyScript(slicer, tmp_path, monkeypatch):
    folder = tmp_path / "Pr\u00fcf Ordner \u810a\u690e"
    folder.mkdir()
    monkeypatch.setattr(type(slicer.app), "temporaryPath", str(folder))
    core = ScriptCore("import time; time.sleep(60)")
    run = Told().run(syntheticCt(slicer), core=core)
    run.start()
    assert core.ctPath.is_relative_to(folder)
    from vertebra_core.reading import read_ct

    assert read_ct(core.ctPath).hu.shape == (24, 48, 48)
    run.cancel(wait=True)
    assert list(folder.iterdir()) == []


def testCoreIsFoundWhateverTheApplicationsPathIs(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    environment = CoreCommand().environment()
    folders = environment["PYTHONPATH"].split(os.pathsep)
    assert (Path(folders[0]) / "vertebra_core" / "__main__.py").is_file()
    assert "/somewhere/else" in folders
    assert environment["PYTHONUTF8"] == "1"


def testSlicersOwnPythonIsPreferred(tmp_path, monkeypatch):
    name = "PythonSlicer.exe" if os.name == "nt" else "PythonSlicer"
    launcher = tmp_path / name
    launcher.write_text("")
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Path(pythonExecutable()) == launcher
    monkeypatch.setenv("PATH", "")
    assert pythonExecutable() == sys.executable
    monkeypatch.setattr(sys, "executable", "/opt/Slicer/bin/SlicerApp-real")
    with pytest.raises(UserError, match="PythonSlicer"):
        pythonExecutable()


def testSettingIsNamedWhereThereIsAChoice(tmp_path):
    options = RunOptions(setting="fast")
    analyze = CoreCommand(python="py").analyze(tmp_path / "ct.nrrd", tmp_path / "out", options)
    assert analyze[analyze.index("--setting") + 1] == "fast"
    assert "--lesions" not in analyze
    # Grading a segmentation computes the same either way.
    places = tmp_path / "ct.nrrd", tmp_path / "s.nrrd", tmp_path / "out"
    assert "--setting" not in CoreCommand(python="py").grade(*places, options)
    places = tmp_path / "ct.nrrd", tmp_path / "out"
    assert "--lesions" in CoreCommand(python="py").analyze(*places, RunOptions(lesions=True))


def testCommandSaysWhatAPersonWouldType(tmp_path):
    command = CoreCommand(python="py").grade(
        tmp_path / "ct.nrrd", tmp_path / "s.nrrd", tmp_path / "out", RunOptions("cuda:1", 4)
    )
    assert command[:5] == ["py", "-m", "vertebra_core", "grade", str(tmp_path / "ct.nrrd")]
    assert command[command.index("--device") + 1] == "cuda:1"
    assert command[command.index("--threads") + 1] == "4"
    assert command[command.index("--progress") + 1] == "json"
