"""What documents say of the repository is so: links lead somewhere, and what is named exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "VertebraAnalysis"
DEVELOPMENT = REPOSITORY / "docs" / "development.md"
PLACES = (REPOSITORY, MODULE / "vertebra_core", MODULE / "VertebraAnalysisLib", MODULE)
"""Where paths in the page for developers begin."""

DOCUMENTS = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((MODULE / "Resources").rglob("*.md")),
    REPOSITORY / "Testing" / "Slicer" / "README.md",
]


def prose(document: Path) -> str:
    """The text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """What headings are linked by."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_to_files_and_headings_that_are_there(document):
    text = prose(document)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_files_and_names_in_the_page_for_developers_exist():
    named = re.findall(
        r"`([\w/.]+\.(?:py|ui|txt|md))`(?:(?:: | \()((?:`\w+`(?:, )?)+))?", prose(DEVELOPMENT)
    )
    assert len(named) > 50
    for path, names in named:
        file = next((place / path for place in PLACES if (place / path).is_file()), None)
        assert file is not None, path
        for name in re.findall(r"\w+", names):
            assert re.search(rf"\b(def|class) {name}\b|^{name}\b", file.read_text("utf-8"), re.M), (
                path,
                name,
            )
