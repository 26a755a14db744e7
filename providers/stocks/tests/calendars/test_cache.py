"""What is kept on disk: asked once, made anew when it does not answer, never trusted blindly."""

import json
import logging
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from candle_hookspecs import Session, Span
from candle_stocks.calendars import Calendar, cache, library

YEAR = Span.of("2024-01-01", "2024-12-31")

PROBE = """
import json, sys
from pathlib import Path
from candle_hookspecs import Span
from candle_stocks.calendars import Calendar
calendar = Calendar("XTKS", Path(sys.argv[1]))
opens = [session.span.start for session in calendar.sessions(Span(*json.loads(sys.argv[2])))]
heavy = sorted({name.partition(".")[0] for name in sys.modules} & {"exchange_calendars", "pandas", "yfinance"})
print(json.dumps([opens, calendar.zone, heavy]))
"""


def sessions(folder: Path, span: Span = YEAR, name: str = "XTKS") -> list[Session]:
    return Calendar(name, folder).sessions(span)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the calendars that were computed, by the library itself."""
    names: list[str] = []
    build = library.build

    def counted(name: str, first: int, stop: int, logger: logging.Logger):  # type: ignore[no-untyped-def]
        names.append(name)
        return build(name, first, stop, logger)

    monkeypatch.setattr(library, "build", counted)
    return names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return cache.path_of(tmp_path / "made" / "when needed", "XTKS")


def test_from_the_cache_nothing_large_is_imported(path: Path) -> None:
    expected = [session.span.start for session in sessions(path.parent)]
    arguments = [str(path.parent), json.dumps([YEAR.start, YEAR.end])]
    command = [sys.executable, "-W", "error", "-c", PROBE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == [expected, "Asia/Tokyo", []]


def test_a_cached_answer_is_the_same(path: Path, made: list[str]) -> None:
    first = sessions(path.parent)
    assert sessions(path.parent) == first
    assert sessions(path.parent, Span.of("2024-03-01", "2024-04-01")) == [
        session for session in first if session.span.start in Span.of("2024-03-01", "2024-04-01")
    ]
    assert made == ["XTKS"]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_tomorrow_needs_no_new_one_and_farther_makes_it_wider(path: Path, made: list[str]) -> None:
    sessions(path.parent)
    sessions(path.parent, Span.of("2024-01-02", "2025-12-25"))
    assert len(made) == 1
    assert sessions(path.parent, Span.of("2027-06-01", "2027-07-01"))
    assert sessions(path.parent, Span.of("2019-06-01", "2019-07-01"))
    assert len(made) == 3
    assert sessions(path.parent, Span.of("2019-06-01", "2027-07-01"))
    assert len(made) == 3


def test_the_zone_is_kept_as_well(path: Path, made: list[str]) -> None:
    assert Calendar("XTKS", path.parent).zone == "Asia/Tokyo"
    sessions(path.parent)
    assert len(made) == 2
    assert Calendar("XTKS", path.parent).zone == "Asia/Tokyo"
    assert len(made) == 2


def test_a_calendar_is_asked_for_its_early_years_only_once(path: Path, made: list[str]) -> None:
    """Tokyo is known from 1997 on; that there is nothing before is kept as well."""
    for _ in range(2):
        assert sessions(path.parent, Span.of("1970-01-01", "1998-01-01"))
    assert made == ["XTKS"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 100, b'{"name": "XTKS"}', b"\x81\xa4name\x01"],
    ids=["empty", "zeros", "JSON", "another structure"],
)
def test_a_foreign_file_is_made_anew(
    path: Path, made: list[str], caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    expected = sessions(path.parent)
    path.write_bytes(content)
    assert sessions(path.parent) == expected
    assert sessions(path.parent) == expected
    assert len(made) == 2
    [line] = [record.getMessage() for record in caplog.records]
    assert str(path) in line


def test_a_damaged_file_is_made_anew_or_refused(path: Path, made: list[str]) -> None:
    expected = sessions(path.parent)
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 15)):
        path.write_bytes(whole[:length])
        assert cache.load(path, "XTKS", library.version(), logging.getLogger("test")) is None
    assert sessions(path.parent) == expected
    assert len(made) == 2


def test_one_of_another_calendar_or_version_is_not_taken(path: Path) -> None:
    sessions(path.parent)
    log = logging.getLogger("test")
    assert cache.load(path, "XTKS", library.version(), log) is not None
    assert cache.load(path, "XNYS", library.version(), log) is None
    assert cache.load(path, "XTKS", "0.0.0", log) is None


def test_names_that_are_no_file_names_have_a_file_in_the_folder(tmp_path: Path) -> None:
    sessions(tmp_path, YEAR, "24/7")
    [file] = tmp_path.iterdir()
    assert file == cache.path_of(tmp_path, "24/7")
    assert cache.path_of(tmp_path, "../../etc/passwd").parent == tmp_path


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions mean something to other users only")
def test_a_folder_that_cannot_be_written(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o500)
    assert sessions(path.parent)
    assert "cannot be kept" in caplog.text


def test_a_folder_that_is_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("by somebody")
    assert sessions(tmp_path / "taken")
    assert "cannot be kept" in caplog.text


def test_several_processes_at_once_agree(path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(sessions, [path.parent] * 2)
    assert first == second == sessions(path.parent)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
