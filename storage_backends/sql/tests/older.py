"""Files as earlier versions wrote them."""

import sqlite3
from contextlib import closing
from pathlib import Path


def write_older(version: int, folder: Path) -> None:
    """Make a folder's file one of that schema version, with a row or two in every table."""
    with closing(sqlite3.connect(folder / "candles.sqlite3")) as connection:
        connection.executescript(Path(__file__).with_name(f"version_{version}.sql").read_text())
