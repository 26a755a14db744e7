"""Every example in the documentation is run, and prints what the page says it prints.

``UPDATE_DOCS=1 make test ARGS=tests/docs`` writes what is really printed into the pages.
"""

import os
import re
import traceback
from pathlib import Path

import pytest

from tests.distributions import ROOT, find_distributions
from tests.docs.pages import blocks, differences, read
from tests.docs.surroundings import surroundings

READMES = [found.folder / "README.md" for found in find_distributions()]
"""What the package index shows of each distribution."""

SHAPE = ["Install", "Configure", "Use", "What it does", "What it does not", "More"]

PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *READMES)
    if blocks(page.read_text("utf-8"))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_says_what_happens(page: Path, tmp_path: Path) -> None:
    text = page.read_text("utf-8")
    with surroundings(text) as (places, environment):
        really = read(text, tmp_path, str(page.relative_to(ROOT)), places=places, environment=environment)
    found = differences(text, really)
    if found and os.environ.get("UPDATE_DOCS") == "1":
        page.write_text(really, "utf-8")
        return
    assert found == [], "\n".join(found)


def test_the_pages_for_users_are_among_them() -> None:
    assert {"README.md", "quickstart.md", "cli.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.parent.name)
def test_the_page_of_a_distribution_has_the_shape_of_all(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(text.splitlines()) <= 60, "it can be read at a glance"
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SHAPE
    assert page in PAGES, "it has an example that runs"


def test_a_page_that_is_wrong_is_found(tmp_path: Path) -> None:
    page = "```console\n$ echo right\nwrong\n$ false; echo $?\n1\n```\n"
    assert [line for line in differences(page, read(page, tmp_path)) if line[1:] in ("right", "wrong")] == [
        "-wrong",
        "+right",
    ]


def test_a_python_example_that_fails_is_found_with_its_line_and_values(tmp_path: Path) -> None:
    page = """# Sums

```python
import asyncio

total = 1 + 1
await asyncio.sleep(0)
```

So:

```python
assert [
    one for one in (3,)
] == [total.real] and len(str(total)) == 1
```
"""
    with pytest.raises(AssertionError) as failed:
        read(page, tmp_path, "sums.md")
    assert traceback.extract_tb(failed.tb)[-1].filename == "sums.md"
    (note,) = failed.value.__notes__
    assert note.splitlines() == [
        "sums.md:13: assert [one for one in (3,)] == [total.real] and len(str(total)) == 1",
        "  total.real = 2",
        "  total = 2",
    ]


def test_ctrl_c_is_pressed_when_what_comes_before_it_has_come(tmp_path: Path) -> None:
    page = """```console
$ trap 'echo bye; exit 3' INT; sleep 1; echo 1; while :; do sleep 0.1; done
1
^C
bye
$ echo $?
3
```
"""
    assert read(page, tmp_path) == page


def test_how_long_something_took_does_not_matter() -> None:
    assert differences("a   0.3 s  complete\n", "a  12.4 s  complete\n") == []
    assert differences('"duration_seconds": 0.3,\n', '"duration_seconds": 12.412,\n') == []
    assert differences("a price of 0.3\n", "a price of 0.4\n") != []
