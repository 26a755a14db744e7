"""A dozen exchanges' answers, as far as a listing and a page of candles need them.

The names of their fields are those that ccxt's source of each exchange reads (4.5.90).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Row = dict[str, Any]
Candle = tuple[int, str, str, str, str, str]
"""Milliseconds, open, high, low, close, volume."""


@dataclass(frozen=True)
class Wire:
    """One of them.

    Attributes:
        answers: path, with its parameters or its body where those tell apart → what a listing is answered with.
        markets: ccxt's name → trade type and the exchange's own name of what is in them.
        broken: path → the answer with one row more, that ccxt cannot read.
        named: what that row is known by.
        requests: of a listing of all that it has.
        cost: of those together, in ccxt's units.
        candles: path → the answer with such candles, of `collected`.
        collected: a market.
    """

    answers: Mapping[str, Any]
    markets: Mapping[str, tuple[str, str]]
    broken: Mapping[str, Any]
    named: str
    requests: int
    cost: float
    candles: tuple[str, Callable[[list[Candle]], Any]]
    collected: str


def _bybit(*rows: Row, category: str) -> Row:
    return {"retCode": 0, "result": {"category": category, "list": list(rows), "nextPageCursor": ""}}


def _bybit_row(name: str, base: str, quote: str, kind: str = "", **more: Any) -> Row:
    lot = {"basePrecision": "0.001", "qtyStep": "0.001", "minOrderQty": "0.001"}
    row = {"symbol": name, "baseCoin": base, "quoteCoin": quote, "status": "Trading", "contractType": kind,
           "settleCoin": quote, "priceFilter": {"tickSize": "0.01"}, "lotSizeFilter": lot}  # fmt: skip
    return row | more


_BYBIT: Final = "/v5/market/instruments-info?category="
_BYBIT_LINEAR: Final = [
    _bybit_row("BTCUSDT", "BTC", "USDT", "LinearPerpetual", deliveryTime="0"),
    _bybit_row("BTC-26DEC25", "BTC", "USDT", "LinearFutures", deliveryTime="1766736000000"),
]
_BYBIT_BROKEN: Final = _bybit_row("ODDUSDT", "ODD", "USDT", "LinearFutures", deliveryTime="soon")


def _bitget(*rows: Any) -> Row:
    return {"code": "00000", "data": list(rows)}


def _bitget_row(name: str, base: str, quote: str, **more: Any) -> Row:
    row = {"symbol": name, "baseCoin": base, "quoteCoin": quote, "status": "online", "symbolStatus": "normal",
           "pricePrecision": "2", "quantityPrecision": "4", "minTradeNum": "0.001", "pricePlace": "1",
           "volumePlace": "3", "priceEndStep": "1", "sizeMultiplier": "0.001", "limitOpenTime": "-1"}  # fmt: skip
    return row | more


_BITGET_MIX: Final = "/api/v2/mix/market/contracts?productType="
_BITGET_SWAP: Final = _bitget_row("BTCUSDT", "BTC", "USDT", supportMarginCoins=["USDT"], symbolType="perpetual")


def gate_contract(name: str, **more: Any) -> Row:
    return {"name": name, "quanto_multiplier": "0.0001", "order_price_round": "0.1", "order_size_min": 1,
            "order_size_max": 1000000, "mark_price": "40000", "order_price_deviate": "0.5", "in_delisting": False,
            "leverage_min": "1", "leverage_max": "100", **more}  # fmt: skip


def gate_pair(name: str) -> Row:
    return {"id": name, "trade_status": "tradable", "precision": 2, "amount_precision": 4, "fee": "0.2"}


def _kucoin(data: Any) -> Row:
    return {"code": "200000", "data": data}


def _kucoin_contract(name: str, base: str, **more: Any) -> Row:
    return {"symbol": name, "baseCurrency": base, "quoteCurrency": "USDT", "settleCurrency": "USDT",
            "multiplier": 0.001, "nextFundingRateTime": 1, "lotSize": 1, "tickSize": 0.1, "status": "Open",
            "isInverse": False, "expireDate": None, **more}  # fmt: skip


_KUCOIN_SPOT: Final = {"symbol": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT", "enableTrading": True,
                       "priceIncrement": "0.1", "baseIncrement": "0.00001"}  # fmt: skip


def _mexc_contract(name: str, **more: Any) -> Row:
    base, _, quote = name.partition("_")
    return {"symbol": name, "baseCoin": base, "quoteCoin": quote, "settleCoin": quote, "contractSize": 0.0001,
            "priceUnit": 0.1, "volUnit": 1, "minVol": 1, "maxVol": 1000, "state": 0, **more}  # fmt: skip


_MEXC_SPOT: Final = {"symbol": "BTCUSDT", "status": "1", "baseAsset": "BTC", "quoteAsset": "USDT",
                     "baseSizePrecision": "0.0001", "quotePrecision": 2, "isSpotTradingAllowed": True}  # fmt: skip


def _htx(*rows: Row) -> Row:
    return {"status": "ok", "data": list(rows)}


def _htx_contract(code: str, **more: Any) -> Row:
    return {"symbol": "BTC", "contract_code": code, "contract_size": 0.001, "price_tick": 0.1, "contract_status": 1,
            "create_date": "20201021", **more}  # fmt: skip


_HTX_SPOT: Final = {"base-currency": "btc", "quote-currency": "usdt", "symbol": "btcusdt", "state": "online",
                    "price-precision": 2, "amount-precision": 6}  # fmt: skip
_HTX_DATE: Final[Row] = {"delivery_date": "20251226", "delivery_time": "1766736000000"}
_HTX_LINEAR: Final = [
    _htx_contract("BTC-USDT", pair="BTC-USDT", business_type="swap"),
    _htx_contract("BTC-USDT-251226", pair="BTC-USDT", business_type="futures", **_HTX_DATE),
]


def _coinbase(*rows: Row) -> Row:
    return {"products": list(rows), "num_products": str(len(rows))}


def _coinbase_row(name: str | None, **more: Any) -> Row:
    return {"product_id": name, "product_type": "SPOT", "base_currency_id": "BTC", "quote_currency_id": "USD",
            "base_increment": "0.0001", "price_increment": "0.01", "status": "online", "trading_disabled": False,
            **more}  # fmt: skip


def _bitstamp_row(name: str | None, kind: str, **more: Any) -> Row:
    return {"name": name, "market_symbol": name, "base_currency": "BTC", "counter_currency": "USD",
            "base_decimals": 8, "counter_decimals": 0, "trading": "Enabled", "market_type": kind,
            "payoff_type": "Linear", **more}  # fmt: skip


def _crypto_row(name: str | None, kind: str, **more: Any) -> Row:
    return {"symbol": name, "inst_type": kind, "base_ccy": "BTC", "quote_ccy": "USD", "price_tick_size": "0.01",
            "qty_tick_size": "0.0001", "tradable": True, "contract_size": "1", **more}  # fmt: skip


def _deribit_row(name: str | None, **more: Any) -> Row:
    return {"instrument_name": name, "kind": "future", "base_currency": "BTC", "quote_currency": "USD",
            "counter_currency": "USD", "settlement_currency": "BTC", "settlement_period": "perpetual",
            "is_active": True, "tick_size": 0.5, "min_trade_amount": 10.0, "contract_size": 10.0,
            "expiration_timestamp": 32503708800000, **more}  # fmt: skip


def _hyperliquid(names: list[str | None]) -> list[Any]:
    universe = [{"name": name, "szDecimals": 2, "maxLeverage": 50} for name in names]
    return [{"universe": universe, "collateralToken": 0}, [{"markPx": "108.04", "midPx": "108.05"} for _ in names]]


def _columns(candles: list[Candle]) -> Row:
    at, *numbers = zip(*candles, strict=True)
    told = zip(("open", "high", "low", "close", "volume"), numbers, strict=True)
    return {"ticks": at, "status": "ok", **{name: [float(one) for one in column] for name, column in told}}


def _seconds(candle: Candle) -> int:
    return candle[0] // 1000


_SPOT_BTC: Final = {"BTC/USDT": ("SPOT", "BTCUSDT")}

WIRES: Final[Mapping[str, Wire]] = {
    "bybit": Wire(
        answers={
            f"{_BYBIT}spot": _bybit(_bybit_row("BTCUSDT", "BTC", "USDT"), category="spot"),
            f"{_BYBIT}linear&limit=1000": _bybit(*_BYBIT_LINEAR, category="linear"),
            f"{_BYBIT}linear&limit=1000&status=PreLaunch": _bybit(category="linear"),
            f"{_BYBIT}inverse&limit=1000": _bybit(category="inverse"),
            f"{_BYBIT}inverse&limit=1000&status=PreLaunch": _bybit(category="inverse"),
        },
        markets={**_SPOT_BTC, "BTC/USDT:USDT": ("SWAP", "BTCUSDT"), "BTC/USDT:USDT-251226": ("FUTURE", "BTC-26DEC25")},
        broken={f"{_BYBIT}linear&limit=1000": _bybit(*_BYBIT_LINEAR, _BYBIT_BROKEN, category="linear")},
        named="ODDUSDT",
        requests=5,
        cost=25,
        candles=("/v5/market/kline", lambda rows: {
            "retCode": 0, "result": {"category": "spot", "list": [[str(row[0]), *row[1:], "1"] for row in rows[::-1]]},
        }),
        collected="BTC/USDT",
    ),
    "bitget": Wire(
        answers={
            "/api/v2/spot/public/symbols": _bitget(_bitget_row("BTCUSDT", "BTC", "USDT")),
            f"{_BITGET_MIX}USDT-FUTURES": _bitget(_BITGET_SWAP),
            **{f"{_BITGET_MIX}{kind}-FUTURES": _bitget() for kind in ("COIN", "USDC", "SUSDT", "SCOIN", "SUSDC")},
        },
        markets={**_SPOT_BTC, "BTC/USDT:USDT": ("SWAP", "BTCUSDT")},
        broken={f"{_BITGET_MIX}USDT-FUTURES": _bitget(
            _BITGET_SWAP, _bitget_row("ODDUSDT", "ODD", "USDT", supportMarginCoins=[], symbolType="perpetual"),
        )},
        named="ODDUSDT",
        requests=7,
        cost=7,
        candles=("/api/v2/spot/market/", lambda rows: _bitget(*[[str(row[0]), *row[1:], "1", "1"] for row in rows])),
        collected="BTC/USDT",
    ),
    "gate": Wire(
        answers={
            "/api/v4/spot/currency_pairs": [gate_pair("BTC_USDT")],
            "/api/v4/futures/usdt/contracts": [gate_contract("BTC_USDT")],
            "/api/v4/futures/btc/contracts": [gate_contract("BTC_USD")],
            "/api/v4/delivery/usdt/contracts": [gate_contract("BTC_USDT_20251226", expire_time=1766736000)],
        },
        markets={
            "BTC/USDT": ("SPOT", "BTC_USDT"), "BTC/USDT:USDT": ("SWAP", "BTC_USDT"), "BTC/USD:BTC": ("SWAP", "BTC_USD"),
            "BTC/USDT:USDT-251226": ("FUTURE", "BTC_USDT_20251226"),
        },
        broken={"/api/v4/spot/currency_pairs": [gate_pair("BTC_USDT"), gate_pair("ODDUSDT")]},
        named="ODDUSDT",
        requests=4,
        cost=4,
        candles=("/api/v4/spot/candlesticks", lambda rows: [
            [str(_seconds(row)), "1", row[4], row[2], row[3], row[1], row[5], "true"] for row in rows
        ]),
        collected="BTC/USDT",
    ),
    "kucoin": Wire(
        answers={
            "/api/v2/symbols": _kucoin([_KUCOIN_SPOT]),
            "/api/v1/contracts/active": _kucoin([_kucoin_contract("XBTUSDTM", "XBT")]),
        },
        markets={"BTC/USDT": ("SPOT", "BTC-USDT"), "BTC/USDT:USDT": ("SWAP", "XBTUSDTM")},
        broken={"/api/v1/contracts/active": _kucoin([
            _kucoin_contract("XBTUSDTM", "XBT"), _kucoin_contract("ODDUSDTM", "ODD", settleCurrency=None),
        ])},
        named="ODDUSDTM",
        requests=2,
        cost=10,
        candles=("/api/v1/market/candles", lambda rows: _kucoin(
            [[str(_seconds(row)), row[1], row[4], row[2], row[3], row[5], "1"] for row in rows[::-1]]
        )),
        collected="BTC/USDT",
    ),
    "mexc": Wire(
        answers={
            "/api/v3/exchangeInfo": {"symbols": [_MEXC_SPOT]},
            "/api/v1/contract/detail": {"success": True, "code": 0, "data": [_mexc_contract("BTC_USDT")]},
        },
        markets={**_SPOT_BTC, "BTC/USDT:USDT": ("SWAP", "BTC_USDT")},
        broken={"/api/v1/contract/detail": {"success": True, "code": 0, "data": [
            _mexc_contract("BTC_USDT"), _mexc_contract("ODD_USDT", settleCoin=None),
        ]}},
        named="ODD_USDT",
        requests=2,
        cost=125,
        candles=("/api/v3/klines", lambda rows: [[*row, row[0] + 59_999, "1"] for row in rows]),
        collected="BTC/USDT",
    ),
    "htx": Wire(
        answers={
            "/v1/common/symbols": _htx(_HTX_SPOT),
            "/linear-swap-api/v1/swap_contract_info?business_type=all": _htx(*_HTX_LINEAR),
            "/swap-api/v1/swap_contract_info": _htx(_htx_contract("BTC-USD")),
            "/api/v1/contract_contract_info": _htx(_htx_contract("BTC251226", **_HTX_DATE)),
        },
        markets={
            "BTC/USDT": ("SPOT", "btcusdt"), "BTC/USDT:USDT": ("SWAP", "BTC-USDT"), "BTC/USD:BTC": ("SWAP", "BTC-USD"),
            "BTC/USDT:USDT-251226": ("FUTURE", "BTC-USDT-251226"), "BTC/USD:BTC-251226": ("FUTURE", "BTC251226"),
        },
        broken={"/v1/common/symbols": _htx(_HTX_SPOT, {"symbol": "oddusdt", "contract_code": None})},
        named="oddusdt",
        requests=4,
        cost=4,
        candles=("/market/history/", lambda rows: _htx(*[
            {"id": _seconds(row), "open": row[1], "high": row[2], "low": row[3], "close": row[4], "amount": row[5]}
            for row in rows[::-1]
        ])),
        collected="BTC/USDT",
    ),
    "bitfinex": Wire(
        answers={"/v2/conf/": [
            [["BTCUSD", [None, None, None, "0.00004", "2000"]]], [["BTCF0:USTF0", [None, None, None, "0.0001", "100"]]],
            [], ["BTCUSD"],
        ]},
        markets={"BTC/USD": ("SPOT", "tBTCUSD"), "BTC/USDT:USDT": ("SWAP", "tBTCF0:USTF0")},
        broken={"/v2/conf/": [
            [["BTCUSD", [None, None, None, "0.00004", "2000"]], [None, "ODD"]],
            [["BTCF0:USTF0", [None, None, None, "0.0001", "100"]]], [], ["BTCUSD"],
        ]},
        named="ODD",
        requests=1,
        cost=2.7,
        candles=("/v2/candles/", lambda rows: [
            [row[0], *(float(row[at]) for at in (1, 4, 2, 3, 5))] for row in rows
        ]),
        collected="BTC/USD",
    ),
    "coinbase": Wire(
        answers={
            "/api/v3/brokerage/market/products": _coinbase(_coinbase_row("BTC-USD")),
            "/api/v3/brokerage/market/products?product_type=FUTURE": _coinbase(),
        },
        markets={"BTC/USD": ("SPOT", "BTC-USD")},
        broken={"/api/v3/brokerage/market/products": _coinbase(
            _coinbase_row("BTC-USD"), _coinbase_row(None, base_currency_id="ODD"),
        )},
        named="ODD",
        requests=2,
        cost=6,
        candles=("/api/v3/brokerage/market/products/BTC-USD/candles", lambda rows: {"candles": [
            {"start": str(_seconds(row)), "open": row[1], "high": row[2], "low": row[3], "close": row[4],
             "volume": row[5]} for row in rows[::-1]
        ]}),
        collected="BTC/USD",
    ),
    "bitstamp": Wire(
        answers={"/api/v2/markets/": [_bitstamp_row("btcusd", "SPOT"), _bitstamp_row("btcusd-perp", "PERPETUAL")]},
        markets={"BTC/USD": ("SPOT", "btcusd"), "BTC/USD:USD": ("SWAP", "btcusd-perp")},
        broken={"/api/v2/markets/": [
            _bitstamp_row("btcusd", "SPOT"), _bitstamp_row("btcusd-perp", "PERPETUAL"),
            _bitstamp_row("oddusd", "SPOT", base_decimals="many"),
        ]},
        named="oddusd",
        requests=1,
        cost=1,
        candles=("/api/v2/ohlc/btcusd/", lambda rows: {"data": {"pair": "BTC/USD", "ohlc": [
            {"timestamp": str(_seconds(row)), "open": row[1], "high": row[2], "low": row[3], "close": row[4],
             "volume": row[5]} for row in rows
        ]}}),
        collected="BTC/USD",
    ),
    "cryptocom": Wire(
        answers={"/exchange/v1/public/get-instruments": {"code": 0, "result": {"data": [
            _crypto_row("BTC_USD", "CCY_PAIR"), _crypto_row("BTCUSD-PERP", "PERPETUAL_SWAP"),
            _crypto_row("BTCUSD-251226", "FUTURE", expiry_timestamp_ms=1766736000000),
        ]}}},
        markets={
            "BTC/USD": ("SPOT", "BTC_USD"), "BTC/USD:USD": ("SWAP", "BTCUSD-PERP"),
            "BTC/USD:USD-251226": ("FUTURE", "BTCUSD-251226"),
        },
        broken={"/exchange/v1/public/get-instruments": {"code": 0, "result": {"data": [
            _crypto_row("BTC_USD", "CCY_PAIR"), _crypto_row("BTCUSD-PERP", "PERPETUAL_SWAP"),
            _crypto_row("BTCUSD-251226", "FUTURE", expiry_timestamp_ms=1766736000000),
            _crypto_row("ODDUSD", "FUTURE"),
        ]}}},
        named="ODDUSD",
        requests=1,
        cost=10 / 3,
        candles=("/exchange/v1/public/get-candlestick", lambda rows: {"code": 0, "result": {"data": [
            {"t": row[0], "o": row[1], "h": row[2], "l": row[3], "c": row[4], "v": row[5]} for row in rows
        ]}}),
        collected="BTC/USD",
    ),
    "deribit": Wire(
        answers={"/api/v2/public/get_instruments": {"result": [
            _deribit_row("BTC-PERPETUAL"),
            _deribit_row("BTC-26DEC25", settlement_period="month", expiration_timestamp=1766736000000),
        ]}},
        markets={"BTC/USD:BTC": ("SWAP", "BTC-PERPETUAL"), "BTC/USD:BTC-251226": ("FUTURE", "BTC-26DEC25")},
        broken={"/api/v2/public/get_instruments": {"result": [
            _deribit_row("BTC-PERPETUAL"),
            _deribit_row("BTC-26DEC25", settlement_period="month", expiration_timestamp=1766736000000),
            _deribit_row("ODD-26DEC25", settlement_period="month", expiration_timestamp=None),
        ]}},
        named="ODD-26DEC25",
        requests=1,
        cost=1,
        candles=("/api/v2/public/get_tradingview_chart_data", lambda rows: {"result": _columns(rows)}),
        collected="BTC/USD:BTC",
    ),
    "hyperliquid": Wire(
        answers={
            '{"type":"spotMeta"}': {"tokens": [], "universe": []},
            '{"type":"spotMetaAndAssetCtxs"}': [{"tokens": [], "universe": []}, []],
            '{"type":"metaAndAssetCtxs"}': _hyperliquid(["BTC"]),
        },
        markets={"BTC/USDC:USDC": ("SWAP", "0")},
        broken={'{"type":"metaAndAssetCtxs"}': _hyperliquid(["BTC", None])},
        named="szDecimals",
        requests=3,
        cost=30,
        candles=('{"type":"candleSnapshot"', lambda rows: [
            {"t": row[0], "o": row[1], "h": row[2], "l": row[3], "c": row[4], "v": row[5]} for row in rows
        ]),
        collected="BTC/USDC:USDC",
    ),
}  # fmt: skip
