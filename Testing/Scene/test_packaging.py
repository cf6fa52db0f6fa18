"""The extension as it is packaged: complete, described, and working from where it is installed."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "VertebraAnalysis"
STUB = Path(__file__).with_name("packaging_stub.cmake")
INSTALLED = "lib/Slicer-5.12/qt-scripted-modules"


def _utility(name: str):
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "Utilities" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The extension configured and installed by its own CMake files, without 3D Slicer."""
    if shutil.which("cmake") is None or not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("CMake and a C compiler are needed to run the extension's CMake files")
    folder = tmp_path_factory.mktemp("paquet avec espaces é")
    (folder / "SlicerConfig.cmake").write_text(STUB.read_text("utf-8"), "utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for command in (
        ["cmake", "-S", REPOSITORY, "-B", folder / "build", f"-DSlicer_DIR={folder}"],
        ["cmake", "--install", folder / "build", "--prefix", folder / "installed"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    return folder


def test_every_file_of_the_module_is_listed_for_packaging():
    listing = _utility("list_packaged_files")
    listed = listing.listed_files((MODULE / "CMakeLists.txt").read_text("utf-8"))
    found = listing.files_on_disk()
    for name in found:
        assert sorted(set(found[name]) - set(listed[name])) == [], (
            "not listed; run: python Utilities/list_packaged_files.py --write"
        )
        assert sorted(set(listed[name]) - set(found[name])) == [], "listed but not there"
        assert len(listed[name]) == len(set(listed[name]))


def test_a_file_missing_from_the_lists_is_noticed(tmp_path):
    listing = _utility("list_packaged_files")
    (tmp_path / "Lib" / "__pycache__").mkdir(parents=True)
    for name in ("Module.py", "Lib/A.py", "Lib/table.json", "Lib/__pycache__/A.pyc", ".hidden"):
        (tmp_path / name).write_text("")
    text = "set(MODULE_PYTHON_SCRIPTS\n  Module.py\n  )\nset(MODULE_PYTHON_RESOURCES\n  )\n"
    found = listing.files_on_disk(tmp_path)
    assert found == {
        listing.SCRIPTS: ["Lib/A.py", "Module.py"],
        listing.RESOURCES: ["Lib/table.json"],
    }
    assert listing.listed_files(text) != found
    assert listing.listed_files(listing.with_lists(text, found)) == found


def test_the_installed_extension_is_complete(installed):
    target = installed / "installed" / INSTALLED
    listing = _utility("list_packaged_files")
    for paths in listing.files_on_disk().values():
        for path in paths:
            assert (target / path).read_bytes() == (MODULE / path).read_bytes()
    sample = "Resources/SampleData/spine_phantom_ct.nii.gz"
    assert (target / sample).read_bytes() == (REPOSITORY / sample).read_bytes()
    assert "VertebraAnalysis.py" in (installed / "build" / "tests.txt").read_text().split()


def test_the_installed_core_runs_from_where_it_is_installed(installed):
    target = installed / "installed" / INSTALLED
    code = "import vertebra_core as v; from vertebra_core.command_line import main; "
    code += "print(v.__file__); main(['analyze', '--help'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=target,
        env=os.environ | {"PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "--progress" in done.stdout
    # Not the checkout, which the environment of the tests makes importable as well.
    assert Path(done.stdout.splitlines()[0]).is_relative_to(target)


def test_the_installed_panel_opens_finds_its_sample_and_leaves_torch_alone(installed):
    for name in ("slicer", "PySide6"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    target = installed / "installed" / INSTALLED
    code = (
        "from pathlib import Path; from QtStandIns import loadScriptedModule, startSlicerWithQt; "
        "startSlicerWithQt(); widget = loadScriptedModule(Path('VertebraAnalysis.py')); "
        "import VertebraAnalysisLib.SampleDataRegistration as s; "
        "print('SAMPLE', s.samplePath()); "
        "print('TEXT', widget.panel.ui.analyzeButton.text); widget.cleanup(); "
        "import sys; print('TORCH', 'torch' in sys.modules)"
    )
    paths = os.pathsep.join(map(str, (REPOSITORY / "Testing" / "Panel", REPOSITORY / "Testing")))
    environment = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=target,
        env=os.environ | environment | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert Path(told["SAMPLE"]).is_relative_to(target)
    assert "Analyze spine" in told["TEXT"].replace("&", "")
    assert told["TORCH"] == "False", "PyTorch can crash the application that imports it"


def test_the_extension_describes_itself(installed):
    lines = (installed / "build" / "extension.txt").read_text("utf-8").splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    for name in (
        "HOMEPAGE",
        "CATEGORY",
        "CONTRIBUTORS",
        "DESCRIPTION",
        "ICONURL",
        "SCREENSHOTURLS",
    ):
        assert fields[f"EXTENSION_{name}"], name
    assert fields["EXTENSION_DEPENDS"].split() == ["PyTorch"]
    assert "research only" in fields["EXTENSION_DESCRIPTION"].lower()
    assert fields["EXTENSION_DESCRIPTION"].count(".") <= 2, "one or two sentences"
    for name in ("ICONURL", "SCREENSHOTURLS"):
        for url in fields[f"EXTENSION_{name}"].split():
            path = url.partition("/main/")[2]
            assert path.endswith(".png") and (REPOSITORY / path).is_file(), url
    entry = json.loads((REPOSITORY / "VertebraAnalysis.json").read_text("utf-8"))
    assert entry["scm_url"] == fields["EXTENSION_HOMEPAGE"]
    module = (MODULE / "VertebraAnalysis.py").read_text("utf-8")
    assert f'HOMEPAGE = "{entry["scm_url"]}"' in module
    assert entry["build_dependencies"] == fields["EXTENSION_DEPENDS"].split()
    assert entry["category"] == fields["EXTENSION_CATEGORY"]


def test_the_index_entry_keeps_to_the_schema():
    entry = json.loads((REPOSITORY / "VertebraAnalysis.json").read_text("utf-8"))
    # Schema v1.0.1: three keys are required, others than these are refused.
    assert {"$schema", "category", "scm_url"} <= set(entry)
    assert set(entry) <= {
        *("$schema", "category", "scm_url", "scm_revision", "scm_type"),
        *("build_dependencies", "build_subdirectory", "enabled", "tier"),
    }
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.1.json#")
    # The index knows its categories by name; "Spine" is none of them.
    assert entry["category"] == "Segmentation"
    assert entry["tier"] in (1, 3, 5) and entry["scm_type"] == "git"
    text = (REPOSITORY / "CMakeLists.txt").read_text("utf-8")
    assert "project(VertebraAnalysis)" in text, "the entry's file is named after the project"


def test_the_icon_is_a_png_of_128_pixels():
    data = (MODULE / "Resources" / "Icons" / "VertebraAnalysis.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (128, 128)


def test_paths_stay_short_enough_for_windows():
    # Windows allows 259 characters; the application's own folder for extensions takes up to 130.
    listing = _utility("list_packaged_files")
    assert max(len(p) for paths in listing.files_on_disk().values() for p in paths) < 100


def test_requirements_are_lower_bounds_and_never_replace_a_library_of_the_application():
    lines = (MODULE / "Resources" / "requirements.txt").read_text("utf-8").split()
    assert all(re.fullmatch(r"[A-Za-z-]+>=[0-9.]+", line) for line in lines)


def test_importing_the_side_of_the_application_is_light():
    """At file scope only what the application has loaded anyway; SciPy and SimpleITK wait."""
    allowed = {"__future__", "numpy", "slicer", "qt", "ctk", "vtk", "vtkmodules", "vertebra_core"}
    allowed |= {"VertebraAnalysisLib", *sys.stdlib_module_names}
    for path in [MODULE / "VertebraAnalysis.py", *(MODULE / "VertebraAnalysisLib").glob("*.py")]:
        for node in ast.parse(path.read_text("utf-8")).body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            assert {n.partition(".")[0] for n in names} <= allowed, path.name


def test_no_file_of_the_side_of_the_application_grows_too_long():
    def count(path: Path) -> int:
        return len(path.read_text("utf-8").splitlines())

    assert count(MODULE / "VertebraAnalysis.py") < 150
    for path in (MODULE / "VertebraAnalysisLib").rglob("*.py"):
        assert count(path) < 300, path.name


def test_the_library_never_imports_torch():
    for path in (MODULE / "VertebraAnalysisLib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not any(n.partition(".")[0] == "torch" for n in names), path.name
