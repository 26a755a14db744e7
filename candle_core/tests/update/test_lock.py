"""One update of a database at a time."""

from pathlib import Path

import pytest

from candle_core.budget import cache_root
from candle_core.update.lock import UpdateRunningError, only_update

POSTGRES = "postgresql://db.example:5432/candles"


def test_the_second_is_refused_until_the_first_has_ended() -> None:
    with only_update(POSTGRES):
        for _ in range(2):
            with pytest.raises(UpdateRunningError, match=r"process \d+, since 20.*candles"), only_update(POSTGRES):
                pass
        with only_update(f"{POSTGRES}2"), pytest.raises(UpdateRunningError), only_update(POSTGRES):
            pass
    with only_update(POSTGRES):
        pass


def test_a_failure_frees_the_place() -> None:
    with pytest.raises(ZeroDivisionError), only_update(POSTGRES):
        raise ZeroDivisionError
    with only_update(POSTGRES):
        pass


def test_a_file_is_one_by_whatever_way_it_is_reached(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with (
        only_update(str(tmp_path / "there" / "a.sqlite3")),
        pytest.raises(UpdateRunningError),
        only_update(str(tmp_path / "link" / ".." / "there" / "a.sqlite3")),
    ):
        pass


def test_no_name_tells_of_the_place() -> None:
    with only_update(POSTGRES):
        files = list((cache_root() / "updates").iterdir())
        assert {file.suffix for file in files} == {".lock", ".json"}
        assert not [file for file in files if "example" in file.name + file.read_text()]
    assert [file.suffix for file in (cache_root() / "updates").iterdir()] == [".lock"]


def test_what_a_holder_says_may_be_unreadable() -> None:
    with only_update(POSTGRES):
        (said,) = (cache_root() / "updates").glob("*.json")
        for text in ("", "[]", '{"pid": "x"}', "\0"):
            said.write_text(text)
            with pytest.raises(UpdateRunningError, match="a process that has just begun"), only_update(POSTGRES):
                pass
