"""Markets whose names are hard to tell apart, what may be asked of them, and what a plain loop answers."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final

from hypothesis import strategies as st

from candle_hookspecs import Market, MarketStatus, Registration, Symbol, SymbolQuery

_BASES: Final = (
    "BTC", "btc", "BTCDOM", "1INCH", "A-B", "%", "_", "O'Neil", 'a"b', "a\\b", "비트코인", "币安人生", "ลิง",
    "É", "é", "ΣΑΣ", "σας", "İ", "ı", "I", "Ä1", "𐐀", "ナ", "비k", "S",
)  # fmt: skip
_PARTS: Final = ("archetype", "exchange", "tradetype", "base", "quote", "contract")


def _listed() -> Iterator[Market]:
    for number, (base, quote, exchange) in enumerate(product(_BASES, ("USDT", "krw", "원"), ("KRAKEN", "업비트"))):
        contract = ("", "261225")[number % 2]
        yield Market(
            archetype="CRYPTO",
            exchange=exchange,
            tradetype="FUTURE" if contract else "SPOT",
            base=base,
            quote=quote,
            contract=contract,
            native_id=(f"{base}{quote}", f"{quote}-{base}", base)[number % 3],
            ccxt_symbol=f"{base}/{quote}",
            status=list(MarketStatus)[number % 4],
        )


LISTED: Final = tuple(_listed())
REGISTRATIONS: Final = [Registration(market=one, timeframes=("1m", "1M")) for one in LISTED]


_NAMES: Final = (*_PARTS, "native_id", "ccxt_symbol")
_WAYS: Final[tuple[Callable[[str], str], ...]] = (str, str.upper, str.lower, str.casefold, str.swapcase, str.title)
_any: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)


@st.composite
def queries(draw: st.DrawFn) -> SymbolQuery:
    """What somebody may ask who knows some of a market's names, spells them in any case, and may err in one."""
    one = draw(st.sampled_from(LISTED))
    wanted: dict[str, Any] = {
        name: draw(st.sampled_from(_WAYS))(getattr(one, name)) for name in draw(st.sets(st.sampled_from(_NAMES)))
    }
    if wanted and draw(st.integers(0, 3)) == 0:
        wanted[draw(st.sampled_from(sorted(wanted)))] = draw(_any)
    name = wanted.pop("native_id", wanted.pop("ccxt_symbol", None))
    timeframe = draw(st.sampled_from([None, "1m", "1M", "1h"]))
    return SymbolQuery(**wanted, name=name, timeframe=timeframe, status=draw(st.sampled_from([None, None, one.status])))


def meant(query: SymbolQuery) -> list[tuple[Symbol, Market]]:
    """The symbols of `REGISTRATIONS` that a query means, found one by one."""
    found = [
        (one.symbol(timeframe), one)
        for one in LISTED
        for timeframe in ("1m", "1M")
        if query.timeframe in (None, timeframe)
        and query.status in (None, one.status)
        and all(_alike(getattr(query, part), getattr(one, part)) for part in _PARTS)
        and any(_alike(query.name, own) for own in (one.native_id, one.ccxt_symbol))
    ]
    return sorted(found, key=lambda pair: pair[0])


def _alike(wanted: str | None, own: str) -> bool:
    return wanted is None or wanted.casefold() == own.casefold()
