"""Libraries that only some need."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from candle_hookspecs.errors import MissingLibraryError

EXTRAS: Final[Mapping[str, str]] = {"pandas": "pandas", "polars": "polars", "pyarrow": "arrow"}
"""Library → the extra of candle-core that installs it."""


@contextmanager
def needed(library: str, purpose: str) -> Iterator[None]:
    """Around the import of a library of `EXTRAS`.

    Args:
        library: its name.
        purpose: what needs it, as the error begins.

    Raises:
        MissingLibraryError: it is absent; the message says what to install.
    """
    try:
        yield
    except ImportError as error:
        raise MissingLibraryError(
            f"{purpose} needs the library {library!r}, which cannot be imported ({error}):"
            f" `pip install 'candle-core[{EXTRAS[library]}]'`"
        ) from None
