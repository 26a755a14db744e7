"""ccxt's class of an exchange, made to ask at our gate and to tell what the wire really said."""

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from candle_ccxt.calls import CALL, Answer
from candle_ccxt.listing import READING, LeftOut, one_by_one, readable
from candle_hookspecs import Account, MalformedAnswerError, PluginContext, TransientError

_cost: Final[ContextVar[float]] = ContextVar("candle_ccxt_cost", default=1.0)
_page: Final[ContextVar[bool]] = ContextVar("candle_ccxt_page", default=False)
"""Whether it is a page for people that is asked for."""
_answer: Final[ContextVar[Answer | None]] = ContextVar("candle_ccxt_answer", default=None)
"""What came of the request. ccxt asks for the parts of a listing side by side, each in a task of its own."""


def metered(base: type[Any], context: PluginContext) -> type[Any]:
    """The class with its one way out watched.

    Args:
        base: a class of ``ccxt.async_support``.
        context: whose budget every request passes.
    """

    class Metered(base):  # type: ignore[misc]  # a class that only ccxt knows
        """`base`, paying for what it sends; its own throttle is off, and keys are hidden from all but what signs.

        Attributes:
            most_at_once: what may be spent in one part.
            left_out: of the last listing, as it cannot be read.
        """

        most_at_once = 1.0
        left_out: Sequence[LeftOut] = ()

        def sign(self, *arguments: Any, **named: Any) -> Any:
            """Make the request of a route, with the keys at hand: a private one cannot be had without.

            Nowhere else does ccxt find any. With keys it asks for more than is wanted (currencies, margin, the kind of
            account), signed, so that a key that is refused would break what anybody may ask for.
            """
            keys = _keys(context.account)
            self.__dict__.update(keys)
            try:
                return super().sign(*arguments, **named)
            finally:
                for name in keys:
                    self.__dict__.pop(name, None)

        async def fetch2(
            self, path: str, api: Any = ("public",), method: str = "GET", params: Any = None, config: Any = None
        ) -> Any:
            """Send a request of ccxt's description; here its cost is known."""
            ask = partial(self._ask, path, api, method, params or {}, config or {})
            reading = READING.get()
            if reading is not None and "margin" in api:
                return {}  # what may be bought on credit is nobody's question
            return await (reading.answer(f"{method} {api} {path} {params}", ask) if reading else ask())

        async def _ask(self, path: str, api: Any, method: str, params: Any, config: Any) -> Any:
            cost = _cost.set(float(self.calculate_rate_limiter_cost(api, method, path, params, config)))
            page = _page.set(api[0].startswith("web"))
            try:
                return await super().fetch2(path, api, method, params, config)
            finally:
                _page.reset(page)
                _cost.reset(cost)

        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            """Send any request at all, once it is paid for."""
            async with CALL.get().paid(_cost.get(), context.budget, self.most_at_once):
                if self.session is None:
                    raise TransientError(f"{_place(url)} was not asked: its turn came when all was closed")
                _answer.set(None)
                try:
                    answer = await super().fetch(url, method, headers, body)
                except Exception as error:
                    vars(error)["answer"] = _answer.get()  # for `candle_ccxt.errors`
                    raise
            if not isinstance(answer, (list, dict)) and not _page.get():
                raise MalformedAnswerError(f"{_place(url)} did not answer in JSON: {str(answer)[:100]!r}")
            return answer

        async def fetch_markets(self, params: Any = None) -> Any:
            """The markets that can be read and have the names by which ccxt goes on to sort them."""
            found, left_out = await readable(f"the markets of {self.id}", partial(super().fetch_markets, params or {}))
            nameless = [one for one in found if not (one.get("id") and one.get("symbol"))]
            if nameless and len(nameless) == len(found):
                raise MalformedAnswerError(
                    f"no market of {self.id} has an id and a symbol; the first: {str(nameless[0])[:300]}"
                )
            self.left_out = (*left_out, *(LeftOut(repr(one.get("info")), "no id or no symbol") for one in nameless))
            for one in self.left_out:
                context.logger.warning("left out of the markets of %s, as ccxt cannot read it: %s", self.id, one)
            return [one for one in found if one.get("id") and one.get("symbol")]

        def parse_markets(self, markets: Any) -> list[Any]:
            """Those of these markets that can be read."""
            return one_by_one(self.parse_market, self.to_array(markets))

        def on_rest_response(
            self, code: int, reason: str, url: str, method: str, response_headers: Mapping[str, str],
            response_body: str, request_headers: Any, request_body: Any,
        ) -> str:  # fmt: skip
            """Keep the head of the answer for the call that it belongs to."""
            _answer.set(CALL.get().hear(url, code, response_headers, response_body))
            context.logger.debug("%s %s: %s", method, url, code)
            body: str = super().on_rest_response(
                code, reason, url, method, response_headers, response_body, request_headers, request_body
            )
            return body

        def parse_ohlcvs(
            self, ohlcvs: Any, market: Any = None, timeframe: str = "1m", since: Any = None, limit: Any = None,
            tail: Any = False,
        ) -> list[Any]:  # fmt: skip
            """Read candles and keep them all: ccxt goes on to drop those that nobody asked for, and with them proof."""
            if not isinstance(ohlcvs, list):
                raise MalformedAnswerError(f"not candles: {str(ohlcvs)[:100]!r}")
            CALL.get().rows = [self.parse_ohlcv(row, market) for row in ohlcvs]
            return list(CALL.get().rows or ())

        def parse_trades(
            self, trades: Any, market: Any = None, since: Any = None, limit: Any = None, params: Any = None
        ) -> list[Any]:
            """Read trades and keep them all, in the wire's order: ccxt sorts those of one moment by their ids' text."""
            rows = [self.parse_trade(row, market) for row in self.to_array(trades)]
            CALL.get().rows = rows
            return list(rows)

        # What reads numbers. Where they matter to the last digit, no float comes in between.

        def on_json_response(self, response_body: str) -> Any:
            """Read a body; in an exact call numbers with a point stay text, as they do in ccxt for JavaScript."""
            if _exact():
                return json.loads(response_body, parse_float=str)
            return super().on_json_response(response_body)

        def parse_number(self, value: Any, default: Any = None) -> Any:
            """A number of ccxt's structures."""
            if value is None or not _exact():
                return super().parse_number(value, default)
            try:
                return Decimal(str(value))
            except InvalidOperation:
                return default

        def safe_float(self, dictionary: Any, key: Any, default_value: Any = None) -> Any:
            """What ccxt reads the levels of books with."""
            read = self.safe_number if _exact() else super().safe_float
            return read(dictionary, key, default_value)

        def safe_integer_product(self, dictionary: Any, key: Any, factor: float, default_value: Any = None) -> Any:
            """Milliseconds of what is told in other units, rounded down; floats put one in five nanoseconds elsewhere.

            Whoever asks from the next millisecond on would then never be told of a trade that seems to be in it.
            """
            if not _exact():
                return super().safe_integer_product(dictionary, key, factor, default_value)
            try:
                return int(Decimal(self.safe_string(dictionary, key, "")) * Decimal(str(factor)))
            except InvalidOperation:
                return default_value

        def safe_timestamp(self, dictionary: Any, key: Any, default_value: Any = None) -> Any:
            """The same of what is told in seconds."""
            return self.safe_integer_product(dictionary, key, 1000, default_value)

    return Metered


def _exact() -> bool:
    """Whether the digits matter. Outside of a call, when ccxt reads its own description, they do not."""
    call = CALL.get(None)
    return call is not None and call.exact


def _keys(account: Account | None) -> dict[str, str]:
    """Those of an account, by ccxt's names of them."""
    keys = (account.api_key, account.api_secret, account.passphrase) if account else ()
    named = zip(("apiKey", "secret", "password"), keys, strict=False)
    return {name: key.get_secret_value() for name, key in named if key is not None}


def configuration(timeout: float, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the class is built with.

    Nothing is sent twice, nothing waits but at our gate, and no answer's body is kept alive. Numbers stay floats but in
    exact calls: ccxt compares and adds those of markets here and there, and cannot read its own Decimals again.
    """
    return {
        "enableRateLimit": False,
        "timeout": int(timeout * 1000),
        "enableLastHttpResponse": False,
        "enableLastJsonResponse": False,
        "options": {**options, "maxRetriesOnFailure": 0},
    }


def redirected(urls: Any, rest_url: str) -> Any:
    """Every HTTP address in a tree of them with another host; the paths stay."""
    if isinstance(urls, dict):
        return {name: redirected(inner, rest_url) for name, inner in urls.items()}
    if not isinstance(urls, str) or not urls.startswith("http"):
        return urls
    _, _, rest = urls.partition("://")
    _, slash, path = rest.partition("/")
    return rest_url.rstrip("/") + slash + path


def session() -> aiohttp.ClientSession:
    """A session for ccxt. The kernel bounds what is under way; a second bound here would only hide it."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), middlewares=(_once,))


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET a second time, unasked and uncounted, when a kept connection breaks."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise TransientError(f"{request.url.with_query(None)}: {str(error) or type(error).__name__}") from error


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
