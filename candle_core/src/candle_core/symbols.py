"""The catalogue: from what a person types to a registered symbol."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from candle_core.kernel import Kernel
from candle_core.timeframes import parse_timeframe
from candle_hookspecs import (
    BadInputError,
    ConfigError,
    Market,
    MissingPluginError,
    Registration,
    Symbol,
    SymbolLike,
    SymbolQuery,
    SymbolRecord,
    UnknownMarketError,
    UnknownSymbolError,
)

FEW: Final = 20
"""Symbols that are looked up one by one; for more, all that is registered of their kind is read at once."""

_Found = TypeVar("_Found", SymbolRecord, Market)


class Catalogue:
    """Finds symbols in the database, or at the exchange, which registers them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def query(
        self, symbol: SymbolLike, timeframe: str | None, exchange: str | None, tradetype: str | None
    ) -> SymbolQuery:
        """What was meant, with defaults filled in.

        Raises:
            ConfigError: exchange or trade type are neither given nor in ``[defaults]``, the exchange trades several
                kinds of things, and the name is not ccxt's of a contract, which says it.
            BadInputError: no timeframe, or arguments that contradict the symbol. UnknownTimeframeError: not a
            timeframe.
        """
        query = self._query(symbol, timeframe, exchange, tradetype)
        if query.timeframe is None:
            raise BadInputError(f"no timeframe for {symbol!r}; pass one like '1m'")
        parse_timeframe(query.timeframe)
        return query

    def tradetype(self, symbol: SymbolLike, exchange: str, tradetype: str | None) -> str:
        """The trade type that is meant, whatever the timeframe.

        Raises:
            ConfigError, BadInputError: see `query`.
        """
        found = self._query(symbol, None, exchange, tradetype).tradetype
        assert found is not None
        return found

    async def market(self, symbol: SymbolLike, exchange: str | None, tradetype: str | None) -> Market:
        """The one market that is meant, in whatever timeframe, as the newest that is known says it.

        That is a listing that is kept and believed; else what is registered, which is of the day on which the market
        was last listed; else the exchange is asked. Nothing is registered.

        Raises:
            UnknownMarketError: the exchange does not list it. BadInputError: several match. ConfigError: see `query`.
            ProviderError: the exchange did not answer.
        """
        query = replace(self._query(symbol, None, exchange, tradetype), timeframe=None)
        assert query.exchange is not None
        listed = await self._kernel.directory.believed(query.exchange, query.tradetype, _listed_as(query))
        if (market := _the_one(listed, query)) is not None:
            return market
        records = await self._kernel.storage().symbols(query)
        markets = dict.fromkeys(record.market for record in records if record.market.native_id)
        return _one(list(markets), str(symbol)) or await self._listed(query)

    def _query(
        self, symbol: SymbolLike, timeframe: str | None, exchange: str | None, tradetype: str | None
    ) -> SymbolQuery:
        if isinstance(symbol, str) and symbol.count("-") >= 5:
            symbol = Symbol.parse(symbol)
        if isinstance(symbol, Symbol):
            return _query_of(symbol, timeframe, exchange, tradetype)
        given: object = symbol
        if not (isinstance(given, str) and given.strip()):
            raise BadInputError(f"{symbol!r} names no market; give one symbol, such as 'BTC/USDT'")
        defaults = self._kernel.config.defaults
        tradetype = tradetype or _contract_kind(symbol)
        if tradetype is None and exchange and exchange.upper() != (defaults.exchange or exchange).upper():
            tradetype = self._only_tradetype(exchange)  # the default was meant for another exchange
        exchange, tradetype = exchange or defaults.exchange, tradetype or defaults.tradetype
        if tradetype is None and exchange:
            tradetype = self._only_tradetype(exchange)
        for name, value in (("exchange", exchange), ("tradetype", tradetype)):
            if not value:
                remedy = f"pass {name}=…, or set it under [defaults] in the TOML{self._unknown(exchange)}"
                raise ConfigError(f"no {name} for {symbol!r}; {remedy}")
        assert exchange is not None
        assert tradetype is not None
        return SymbolQuery(exchange=exchange.upper(), tradetype=tradetype.upper(), timeframe=timeframe, name=symbol)

    def _only_tradetype(self, exchange: str) -> str | None:
        """What is traded at an exchange that trades one kind of thing; None where there are several."""
        try:
            kinds = self._kernel.provider(exchange).capabilities.tradetypes
        except MissingPluginError:
            return None  # what is stored can be read without it
        return kinds[0] if len(kinds) == 1 else None

    def _unknown(self, exchange: str | None) -> str:
        """Why nobody knows what an exchange trades, in brackets; empty where somebody does."""
        try:
            if exchange:
                self._kernel.provider(exchange)
        except MissingPluginError as error:
            return f" ({error})"
        return ""

    async def known(self, query: SymbolQuery) -> SymbolRecord:
        """The one registered symbol that matches.

        Raises:
            UnknownSymbolError: none. BadInputError: several.
        """
        record = await self._find(query)
        if record is None:
            assert query.timeframe is not None
            raise UnknownSymbolError(
                f"the database holds no {called(query)!r} {query.timeframe} of {query.exchange} {query.tradetype}; "
                f"{how_to_collect(query, query.timeframe)} gets it"
            )
        return record

    async def known_together(self, queries: Iterable[SymbolQuery]) -> dict[SymbolQuery, SymbolRecord]:
        """The registered symbols that many queries mean, by a question for each exchange, trade type and timeframe.

        Left out are queries that mean none or several, for `known` to say so, and those that are `FEW` of a kind.
        """
        alike: defaultdict[SymbolQuery, list[SymbolQuery]] = defaultdict(list)
        for query in queries:
            kind = SymbolQuery(exchange=query.exchange, tradetype=query.tradetype, timeframe=query.timeframe)
            alike[kind].append(query)
        found: dict[SymbolQuery, SymbolRecord] = {}
        for kind, some in alike.items():
            if len(some) > FEW:
                records = _by_meaning(await self._kernel.storage().symbols(kind))
                meant = {query: records.get(_meaning(query), ()) for query in some}
                found |= {query: those[0] for query, those in meant.items() if len(those) == 1}
        return found

    async def resolve(self, query: SymbolQuery) -> SymbolRecord:
        """The one symbol that matches; one that is not registered yet is looked up at the exchange and registered.

        Raises:
            UnknownMarketError, UnknownTimeframeError, BadInputError, ProviderError: see `look_up`.
        """
        found = await self.look_up(query)
        if isinstance(found, SymbolRecord):
            return found
        assert query.timeframe is not None
        (record,) = await self._kernel.storage().register([Registration(market=found, timeframes=(query.timeframe,))])
        return record

    async def look_up(self, query: SymbolQuery) -> SymbolRecord | Market:
        """The one symbol that matches, or, where it is not registered yet, its market as the exchange lists it.

        Raises:
            UnknownMarketError: the exchange does not list it. UnknownTimeframeError: the exchange has no such
            timeframe.
            BadInputError: several match. ProviderError: the exchange did not answer.
        """
        assert query.exchange is not None
        assert query.timeframe is not None
        provider = self._kernel.provider(query.exchange)
        provider.grid(query.timeframe)
        record = await self._find(query)
        if record is not None and record.market.native_id:  # else it was imported, and is known by its name alone
            return record
        return await self._listed(query)

    async def _listed(self, query: SymbolQuery) -> Market:
        assert query.exchange is not None
        directory, name = self._kernel.directory, _listed_as(query)
        market = _the_one(await directory.find(query.exchange, query.tradetype, name), query)
        if market is None and name is None:
            market = _the_one(await directory.find_again(query.exchange, query.tradetype), query)
        if market is None:
            kinds = self._kernel.provider(query.exchange).capabilities.tradetypes
            advice = f"`candle markets {query.exchange} {query.tradetype}` lists what there is"
            if query.tradetype not in kinds:
                advice = f"what there is, is {' and '.join(kinds)}"
            raise UnknownMarketError(f"{query.exchange} lists no {query.tradetype} market {called(query)!r}; {advice}")
        return market

    async def _find(self, query: SymbolQuery) -> SymbolRecord | None:
        records = await self._kernel.storage().symbols(query)
        return _one(list(records), called(query))


def chosen(names: Sequence[SymbolLike], records: Sequence[SymbolRecord]) -> list[SymbolRecord]:
    """The records that are meant by symbols or names of markets, in the order of their symbols; without names all.

    Raises:
        UnknownSymbolError: a name means none.
    """
    for name in names:
        if not any(_means(name, record) for record in records):
            raise UnknownSymbolError(
                f"the database holds no symbol {str(name)!r} of this kind; `candle symbols` shows all"
            )
    meant = [record for record in records if not names or any(_means(name, record) for name in names)]
    return sorted(meant, key=lambda record: record.symbol)


def _means(name: SymbolLike, record: SymbolRecord) -> bool:
    return _in_any_case(str(name)) == _in_any_case(str(record.symbol)) or record.market.answers_to(str(name))


def _in_any_case(symbol: str) -> tuple[str, str]:
    market, _, timeframe = symbol.rpartition("-")
    return market.casefold(), timeframe  # ``1m`` is not ``1M``


def _contract_kind(name: SymbolLike) -> str | None:
    """The trade type that ccxt's name of a contract says by itself; None for any other name."""
    pair, _, contract = name.partition(":") if isinstance(name, str) else ("", "", "")
    if "/" not in pair or not contract:
        return None
    return "FUTURE" if "-" in contract else "SWAP"


def _query_of(symbol: Symbol, timeframe: str | None, exchange: str | None, tradetype: str | None) -> SymbolQuery:
    for given, own in ((timeframe, symbol.timeframe), (exchange, symbol.exchange), (tradetype, symbol.tradetype)):
        if given is not None and given.casefold() != own.casefold():
            raise BadInputError(f"{given!r} contradicts the symbol {str(symbol)!r}; leave it out")
    return SymbolQuery(
        archetype=symbol.archetype.upper(),
        exchange=symbol.exchange.upper(),
        tradetype=symbol.tradetype.upper(),
        base=symbol.base,
        quote=symbol.quote,
        contract=symbol.contract,
        timeframe=symbol.timeframe,
    )


def called(query: SymbolQuery) -> str:
    """What messages call it."""
    return query.name or f"{query.base}/{query.quote}" + (f" {query.contract}" if query.contract else "")


def how_to_collect(query: SymbolQuery, timeframe: str) -> str:
    """The command that does."""
    name = _listed_as(query) or "SYMBOL"
    return f"`candle collect {query.exchange} {query.tradetype} {name} {timeframe} --count 1000`"


def _listed_as(query: SymbolQuery) -> str | None:
    """The name by which an exchange lists it; None: a `Symbol` of a contract does not say in what that is settled."""
    if query.name is not None:
        return query.name
    if query.tradetype != "SPOT":
        return None
    return query.base if query.archetype == "STOCK" else f"{query.base}/{query.quote}"


def _fits(market: Market, query: SymbolQuery) -> bool:
    if query.name is not None:
        return market.answers_to(query.name)
    names = ("base", "quote", "contract")
    return all(getattr(market, name).casefold() == getattr(query, name).casefold() for name in names)


def _meaning(query: SymbolQuery) -> tuple[str, ...]:
    """What `_by_meaning` finds it by."""
    if query.name is not None:
        return (query.name.casefold(),)
    return _identity(query)


def _identity(one: SymbolQuery | Market) -> tuple[str, ...]:
    names = (one.archetype, one.base, one.quote, one.contract)
    return tuple((name or "").casefold() for name in names)


def _by_meaning(records: Iterable[SymbolRecord]) -> Mapping[tuple[str, ...], Sequence[SymbolRecord]]:
    """The records of an exchange, a trade type and a timeframe by everything that means them."""
    found: defaultdict[tuple[str, ...], list[SymbolRecord]] = defaultdict(list)
    for record in records:
        market = record.market
        for key in {(market.ccxt_symbol.casefold(),), (market.native_id.casefold(),), _identity(market)}:
            found[key].append(record)
    return found


def _the_one(markets: Sequence[Market], query: SymbolQuery) -> Market | None:
    return _one([market for market in markets if _fits(market, query)], called(query))


def _one(found: Sequence[_Found], name: str) -> _Found | None:
    if len(found) > 1:
        raise BadInputError(f"{name!r} is ambiguous: {', '.join(sorted(map(_spell, found)))}; name one of them")
    return found[0] if found else None


def _spell(found: SymbolRecord | Market) -> str:
    return str(found.symbol) if isinstance(found, SymbolRecord) else f"{found.native_id} ({found.ccxt_symbol})"
