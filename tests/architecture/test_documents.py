"""Links between the documents lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.distributions import ROOT, find_distributions

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DOCUMENTS = sorted(
    {
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(found.folder / "README.md" for found in find_distributions()),
    }
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_links_are_seen() -> None:
    assert LINK.findall("[a](b.md) and [c](../d/#e)") == ["b.md", "../d/"]
    assert ROOT / "README.md" in DOCUMENTS
