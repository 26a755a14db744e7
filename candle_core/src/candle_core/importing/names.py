"""What a file's name tells of its candles: freqtrade's names, and those of Binance's archives."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from candle_hookspecs import BadInputError

# freqtrade: data/binance/BTC_USDT-1m.feather, data/binance/futures/BTC_USDT_USDT-1m-futures.feather
_FREQTRADE: Final = re.compile(
    r"(?P<base>[^_-]+)_(?P<quote>[^_-]+)(_(?P<settle>[^_-]+)(-\d+)?)?-(?P<timeframe>\d+[smhdwMy])(-(?P<kind>\w+))?"
)
# https://data.binance.vision: BTCUSDT-1m-2024-01.csv, BTCUSDT-1m-2024-01-31.csv
_ARCHIVE: Final = re.compile(r"(?P<symbol>[A-Z0-9_]+)-(?P<timeframe>\d+(s|m|h|d|w|mo))-\d{4}-\d\d(-\d\d)?")


@dataclass(frozen=True, slots=True)
class NamedFor:
    """Whose candles a file holds, as far as it is known."""

    exchange: str | None = None
    tradetype: str | None = None
    symbol: str | None = None
    timeframe: str | None = None


def read_name(path: Path) -> NamedFor:
    """What the name says; nothing where it has another form.

    Raises:
        BadInputError: freqtrade's files of mark prices and funding rates, which are no candles of the market.
    """
    stem = path.name.partition(".")[0]
    if found := _ARCHIVE.fullmatch(stem):
        return NamedFor(symbol=found["symbol"], timeframe=found["timeframe"].replace("mo", "M"))
    found = _FREQTRADE.fullmatch(stem)
    if found is None:
        return NamedFor()
    if found["kind"] not in (None, "futures"):
        raise BadInputError(f"{str(path)!r} holds {found['kind']!r}, which are no candles of a market")
    symbol = f"{found['base']}/{found['quote']}" + (f":{found['settle']}" if found["settle"] else "")
    folder = path.absolute().parent
    exchange = (folder.parent if folder.name == "futures" else folder).name
    tradetype = "SWAP" if found["settle"] else "SPOT"
    return NamedFor(exchange.upper() or None, tradetype, symbol, found["timeframe"])
