"""CONTRIBUTING.md lists the rooms of the kernel as they are."""

import re

from tests.distributions import ROOT, find_distributions

KERNEL = ROOT / "candle_core" / "src" / "candle_core"
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_every_room_of_the_kernel_is_listed_once() -> None:
    (part,) = re.findall(r"^### Inside the kernel\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    listed = re.findall(r"^\| `(\w+(?:/|\.py))` \| .+ \|$", part, re.MULTILINE)
    folders = [f"{init.parent.name}/" for init in KERNEL.glob("*/__init__.py")]
    files = [file.name for file in KERNEL.glob("*.py") if file.name != "__init__.py"]
    assert sorted(listed) == sorted([*folders, *files])


def test_every_folder_with_distributions_is_listed() -> None:
    (part,) = re.findall(r"^## The rooms\n(.*?)^### ", PAGE, re.MULTILINE | re.DOTALL)
    listed = {folder.split("/")[0] for folder in re.findall(r"`([\w/*]+)/`", part)}
    assert {found.folder.relative_to(ROOT).parts[0] for found in find_distributions()} <= listed
    assert [folder for folder in listed if not (ROOT / folder).is_dir()] == []
