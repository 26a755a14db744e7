"""Exchanges under the names that people type, and what has to be known of one to ask Yahoo for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Where Yahoo keeps an exchange.

    Attributes:
        calendar: its name in `exchange_calendars`.
        region: Yahoo's code of the country, for the listing.
        codes: Yahoo's code of the exchange, or of each of its boards → what its tickers end with.
    """

    calendar: str
    region: str
    codes: Mapping[str, str] = field(default_factory=dict)


KNOWN: Final[Mapping[str, Exchange]] = MappingProxyType(
    {
        "nasdaq": Exchange(calendar="XNYS", region="us", codes={"NMS": "", "NGM": "", "NCM": ""}),
        "nyse": Exchange(calendar="XNYS", region="us", codes={"NYQ": ""}),
        # Funds of NYSE Arca (PCX) are looked for here by whoever trades them.
        "amex": Exchange(calendar="XNYS", region="us", codes={"ASE": "", "PCX": ""}),
        "krx": Exchange(calendar="XKRX", region="kr", codes={"KSC": ".KS", "KOE": ".KQ"}),
    }
)
"""Codes: Yahoo's, as its screener lists them by region. The two American calendars are one."""


def ticker(native_id: str, suffix: str) -> str:
    """The ticker as its exchange writes it: ``BRK.B`` for Yahoo's ``BRK-B``, ``005930`` for ``005930.KS``."""
    return native_id.removesuffix(suffix).replace("-", ".")


def native_ids(name: str, suffixes: Mapping[str, str]) -> list[str]:
    """How Yahoo may call what a person means by `name`, the likelier first.

    Args:
        name: a ticker, in any case, with Yahoo's ending or without it.
        suffixes: `Exchange.codes`.
    """
    name = name.strip().upper()
    endings = [ending.upper() for ending in dict.fromkeys(suffixes.values())]
    whole = [name for ending in endings if ending and name.endswith(ending)]
    return whole or [name.replace(".", "-").replace("/", "-") + ending for ending in endings]
