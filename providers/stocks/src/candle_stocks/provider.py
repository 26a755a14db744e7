"""Stocks: markets, candles as they were traded, splits and dividends, sessions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote as quoted

from pydantic import AnyHttpUrl, Field, PositiveFloat

from candle_hookspecs import (
    CONTRACT_VERSION,
    Anchor,
    BadRequestError,
    CandleBatch,
    ConfigError,
    CoverageState,
    Evidence,
    FetchRequest,
    Kind,
    Limit,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    MarketInfo,
    MarketQuery,
    MarketStatus,
    Page,
    PluginContext,
    Proof,
    ProviderCapabilities,
    Session,
    Span,
    UnknownMarketError,
    WarmupScope,
    Window,
    hookimpl,
)
from candle_hookspecs import Settings as PluginSettings
from candle_stocks import history, markets
from candle_stocks.calendars import Calendar, Correction
from candle_stocks.exchanges import KNOWN, Exchange, native_ids
from candle_stocks.intervals import DAY, INTERVALS, LONGEST, REACH, ROWS
from candle_stocks.yahoo.chart import Chart, Meta, meta_of, parse
from candle_stocks.yahoo.errors import NothingThereError
from candle_stocks.yahoo.listing import listing
from candle_stocks.yahoo.session import COSTS, Answer, Yahoo

SOURCE: Final = "yahoo"
_LEAD: Final = 12 * DAY
"""So much earlier days are asked for, so that the one before the first is among them: no exchange closes for longer."""

_TICKER: Final = re.compile(r"[A-Z0-9][A-Z0-9.^=-]{0,19}", re.IGNORECASE)


class StocksProvider:
    """The stocks of one exchange, from Yahoo, without a key.

    It stands under the name of the exchange. Prices, volumes and dividends are those of their day: Yahoo's are in
    today's shares, and would change with every split.
    """

    class Settings(PluginSettings):
        """What may stand under ``[providers.nasdaq]``.

        Attributes:
            chart_url: where to ask instead of Yahoo's hosts.
            timeout: seconds until an unanswered request is given up.
            calendar: the exchange's name in `exchange_calendars`, e.g. ``XTKS``.
            region: Yahoo's code of its country, e.g. ``jp``, for the listing.
            codes: Yahoo's code of each of its boards → what tickers end with there, e.g. ``{ JPX = ".T" }``.
            corrections: days on which the calendar is wrong.
        """

        chart_url: AnyHttpUrl | None = None
        timeout: PositiveFloat = 30.0
        calendar: str | None = None
        region: str | None = None
        codes: Mapping[str, str] | None = Field(default=None, min_length=1)
        corrections: tuple[Correction, ...] = ()

    capabilities = ProviderCapabilities(
        contract=CONTRACT_VERSION,
        archetype="STOCK",
        tradetypes=(markets.TRADETYPE,),
        timeframes=tuple(INTERVALS),
        page_limit=ROWS,
        anchors=(Anchor.START,),
        # Yahoo tells nothing of its limits, and refuses everything for a while when they are passed. Two thousand an
        # hour from one address have long been served; the second limit keeps bursts out.
        limits=(
            Limit("requests", 2_000, 3_600, Window.SLIDING, pool="yahoo"),
            Limit("burst", 20, 5, Window.SLIDING, pool="yahoo"),
        ),
        costs={Kind.CANDLES: COSTS},
        # Quotes of some exchanges are 20 minutes late. Days are corrected in the evening, and told as final from
        # midnight on; an emptiness is believed a day later.
        settle=20 * 60_000,
        doubt=DAY,
        concurrency=4,
        sources={SOURCE: 0},
    )

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        self.settings, self.context = settings, context
        self._exchange = _exchange(settings, context.name)
        self._calendar = Calendar(
            self._exchange.calendar, context.cache_dir, settings.corrections, logger=context.logger
        )
        self._yahoo = Yahoo(str(settings.chart_url) if settings.chart_url else None, settings.timeout, context)

    # ── candles ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_split(self, request: FetchRequest) -> list[FetchRequest]:
        """One request for all of it, which is answered up to now; minutes week by week."""
        span, longest = request.span, LONGEST.get(request.timeframe or "")
        request = replace(request, limit=ROWS, costs=self.capabilities.cost(Kind.CANDLES))
        if span is None or longest is None:
            return [request]
        starts = range(span.start, span.end, longest)
        return [replace(request, span=Span(start, min(start + longest, span.end))) for start in starts]

    @hookimpl
    def candle_fetch(self, request: FetchRequest) -> Page:
        """Candles from the span's start on, in prices of their day, and what is told of splits and dividends.

        Days and most timeframes are asked for up to now, so that every later split is in the same answer. Where that
        cannot be, or a dividend's last close is not in it, the days since are asked for as well: one request more.

        Raises:
            BadRequestError: not candles of a span counted from its start.
            ProviderError: any other of its children; `MarketGoneError` for a ticker that is no more, or was renamed.
        """
        span, interval = request.span, INTERVALS.get(request.timeframe or "")
        if request.kind is not Kind.CANDLES or request.anchor is not Anchor.START or span is None or interval is None:
            raise BadRequestError(
                f"Yahoo is asked for candles ({', '.join(INTERVALS)}) of a span counted from its start, not for "
                f"{request!r}"
            )
        request = replace(request, source=SOURCE, limit=request.limit or ROWS)
        now = self._yahoo.now()
        edge = now - REACH.get(interval, now - min(0, span.start))
        if span.end <= edge:
            return Page(request=request, answered_at=now, proofs=_gone(span, edge))
        reached = Span(max(span.start, edge), span.end)
        page = self._page(replace(request, span=reached), interval, now)
        return replace(page, request=request, proofs=page.proofs + _gone(span, edge))

    def _page(self, request: FetchRequest, interval: str, now: int) -> Page:
        """One answer, from a start within reach."""
        span, market = request.span, request.market
        assert span is not None
        end = now + DAY
        if (longest := LONGEST.get(interval)) is not None:
            end = min(span.start + longest, end)
            span = Span(span.start, min(end, span.end))
        lead = _LEAD if interval == "1d" else 0
        try:
            with self._yahoo.prepaid():
                chart, answer = self._ask(market, interval, span.start - lead, end)
        except NothingThereError:
            return Page.of(replace(request, span=span), CandleBatch.empty(), answered_at=now)
        days = self._days(market, chart, span, interval, end < now)
        batch = history.candles(chart, days.splits if days else chart.splits)
        batch = batch[int(batch.open_time.searchsorted(span.start)) :][: request.limit]
        page = Page.of(replace(request, span=span), batch, answered_at=answer.moment, size=answer.size)
        return replace(page, actions=history.actions(days) if days else ())

    def _days(self, market: Market, chart: Chart, span: Span, interval: str, partial: bool) -> Chart | None:
        """Days up to now, where the chart itself does not tell all of splits and dividends; None: nothing happened."""
        if interval == "1d":
            return chart
        if not partial and not chart.splits and not chart.dividends:
            return None
        days, _ = self._ask(market, "1d", span.start - _LEAD, self._yahoo.now() + DAY)
        return days

    def _ask(self, market: Market, interval: str, start: int, end: int) -> tuple[Chart, Answer]:
        answer = self._chart(market.native_id, {
            "period1": start // 1000, "period2": -(-end // 1000), "interval": interval, "includePrePost": "false",
            "events": "div,splits,capitalGains",
        })  # fmt: skip
        chart = parse(answer.body, interval)
        told = chart.meta.symbol.upper(), chart.meta.currency
        if told != (market.native_id.upper(), market.quote):
            raise MalformedAnswerError(
                f"asked for {market.native_id!r} in {market.quote!r}, Yahoo answered with {told[0]!r} in {told[1]!r}"
            )
        return chart, answer

    def _chart(self, native_id: str, parameters: Mapping[str, str | int]) -> Answer:
        return self._yahoo.get(f"/v8/finance/chart/{quoted(native_id)}", parameters)

    @hookimpl
    def candle_decode(self, raw: Any) -> CandleBatch:
        """Candles from the body of a chart of any interval, by the splits that it tells itself.

        Raises:
            MalformedAnswerError: it is no chart.
        """
        body = raw if isinstance(raw, bytes) else str(raw).encode()
        chart = parse(body, meta_of(body).data_granularity)
        return history.candles(chart, chart.splits)

    # ── markets, sessions, the clock ────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_markets(self, query: MarketQuery) -> list[Market]:
        """The stocks and funds that trade now; one by its name takes a single request, or one for each board.

        Raises:
            UnknownMarketError: the ticker trades elsewhere. ProviderError: any of its children.
        """
        if query.tradetype not in (None, markets.TRADETYPE) or query.status not in (None, MarketStatus.TRADING):
            return []
        if query.name is None:
            return listing(self._yahoo, self._exchange, self.context.name)
        if not _TICKER.fullmatch(query.name):
            return []
        elsewhere: list[Meta] = []
        for native_id in native_ids(query.name, self._exchange.codes):
            try:
                answer = self._chart(native_id, {"range": "1d", "interval": "1d"})
            except MarketGoneError:
                continue
            meta = meta_of(answer.body)
            if meta.exchange_name in self._exchange.codes:
                return [self._market(meta)]
            elsewhere.append(meta)
        if elsewhere:
            raise UnknownMarketError(
                f"{query.name!r} is not traded at {self.context.name.upper()}: Yahoo has it at "
                f"{elsewhere[0].exchange_name!r}; ask that exchange, or name the code under "
                f"[providers.{self.context.name}] codes"
            )
        return []

    def _market(self, meta: Meta) -> Market:
        if not meta.currency:
            raise MalformedAnswerError(f"Yahoo tells no currency of {meta.symbol!r}")
        return markets.market(
            self.context.name.upper(),
            meta.symbol,
            self._exchange.codes[meta.exchange_name],
            quote=meta.currency,
            code=meta.exchange_name,
            kind=meta.instrument_type,
            listed=None if meta.first_trade_date is None else meta.first_trade_date * 1000,
            title=meta.long_name or meta.short_name or "",
        )

    @hookimpl
    def candle_calendar(self, span: Span) -> Sequence[Session]:
        """The exchange's sessions, half days and late openings included.

        Raises:
            ConfigError: there is no calendar of that name.
        """
        return self._calendar.sessions(span)

    @hookimpl
    def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        """Open the session and read Yahoo's clock; the markets if asked.

        Raises:
            ProviderError: any of its children.
        """
        server_time = self._yahoo.greet()
        local_time = self.context.clock.now()
        wanted = scope.markets and markets.TRADETYPE in (scope.tradetypes or self.capabilities.tradetypes)
        found = self.candle_markets(MarketQuery()) if wanted else []
        return MarketInfo(server_time=server_time, local_time=local_time, markets=tuple(found))

    @hookimpl
    def candle_close(self) -> None:
        """Close the session; a later request opens another."""
        self._yahoo.close()


def _exchange(settings: StocksProvider.Settings, name: str) -> Exchange:
    """What is known under the name, with what the settings say instead.

    Raises:
        ConfigError: nothing is known under it, and the settings leave something out.
    """
    given = {key: value for key in ("calendar", "region", "codes") if (value := getattr(settings, key)) is not None}
    known = KNOWN.get(name)
    if known is not None:
        return replace(known, **given)
    if lacking := sorted({"calendar", "region", "codes"} - set(given)):
        raise ConfigError(
            f"nothing is known of an exchange {name!r}: set {', '.join(lacking)} under [providers.{name}], as in "
            f'calendar = "XTKS", region = "jp", codes = {{ JPX = ".T" }}; known are {", ".join(KNOWN)}'
        )
    return Exchange(**given)


def _gone(span: Span, edge: int) -> tuple[Proof, ...]:
    """What has left the reach never comes back, so one answer settles everything before it."""
    if span.start >= edge:
        return ()
    return (Proof(Span(min(0, span.start), edge), Evidence.DECLARED, CoverageState.OUT_OF_REACH),)
