"""Links between the documents lead somewhere, down to the heading, and every page can be reached."""

import re
from pathlib import Path

import pytest

from tests.distributions import ROOT, find_distributions

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = sorted(
    {
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(found.folder / "README.md" for found in find_distributions()),
    }
)


def links(text: str) -> list[tuple[str, str]]:
    """File (empty: the page itself) and heading (empty: none) of every link that stays in this repository."""
    return [(file, heading) for file, heading in LINK.findall(CODE.sub("", text)) if "://" not in file]


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    wrong = []
    for file, heading in links(document.read_text("utf-8")):
        target = document.parent / file if file else document
        if not target.exists() or (heading and heading not in anchors(target.read_text("utf-8"))):
            wrong.append((file, heading))
    assert wrong == []


def test_every_page_is_in_the_index() -> None:
    index = {file for file, _ in links((ROOT / "docs" / "README.md").read_text("utf-8"))}
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= index


def test_every_distribution_is_on_the_front_page() -> None:
    front = {file for file, _ in links((ROOT / "README.md").read_text("utf-8"))}
    pages = {(found.folder / "README.md").relative_to(ROOT).as_posix() for found in find_distributions()}
    assert {page for page in pages if not page.startswith("examples/")} <= front


def test_links_and_headings_are_seen() -> None:
    assert links("[a](b.md), [c](../d/#e), [f](#g), [h](https://i#j)\n```\n[k](l)\n```\n") == [
        ("b.md", ""),
        ("../d/", "e"),
        ("", "g"),
    ]
    assert anchors("# A b\n### `[[accounts]]`, it's x_y\n```\n# no\n```\n") == {"a-b", "accounts-its-x_y"}
    assert ROOT / "README.md" in DOCUMENTS
