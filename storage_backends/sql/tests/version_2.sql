-- A database as version 2 wrote it: its own CREATE statements, and a row or two in every table.
CREATE TABLE actions (
	market_id INTEGER NOT NULL /* markets.id */,
	at BIGINT NOT NULL /* first opening on the new terms, UTC ms */,
	kind VARCHAR NOT NULL /* split or dividend */,
	value DOUBLE NOT NULL /* shares after for one before; or what is paid for a share, in quote units */,
	close DOUBLE /* of a dividend: the last close before it, as traded */,
	answered_at BIGINT NOT NULL /* the exchange's clock when it said so, UTC ms */,
	source_id INTEGER NOT NULL /* sources.id */,
	PRIMARY KEY (market_id, at, kind),
	FOREIGN KEY(market_id) REFERENCES markets (id),
	FOREIGN KEY(source_id) REFERENCES sources (id)
)
 WITHOUT ROWID
;
INSERT INTO "actions" VALUES(1,1704067200000,'split',2.0,NULL,9,1);
CREATE TABLE candle_extras (
	symbol_id INTEGER NOT NULL /* symbols.id */,
	open_time BIGINT NOT NULL /* candles.open_time */,
	name VARCHAR NOT NULL /* the column, as the provider declares it */,
	value DOUBLE NOT NULL /* its value */,
	PRIMARY KEY (symbol_id, open_time, name),
	FOREIGN KEY(symbol_id) REFERENCES symbols (id)
)
 WITHOUT ROWID
;
CREATE TABLE candle_meta (
	"key" VARCHAR NOT NULL /* schema_version */,
	value VARCHAR NOT NULL /* its value */,
	PRIMARY KEY ("key")
);
INSERT INTO "candle_meta" VALUES('schema_version','2');
CREATE TABLE candles (
	symbol_id INTEGER NOT NULL /* symbols.id */,
	open_time BIGINT NOT NULL /* UTC ms, as the exchange said */,
	open DOUBLE NOT NULL /* first price, in quote units */,
	high DOUBLE NOT NULL /* highest price, in quote units */,
	low DOUBLE NOT NULL /* lowest price, in quote units */,
	close DOUBLE NOT NULL /* last price, in quote units */,
	volume DOUBLE NOT NULL /* traded amount, in base units */,
	quote_volume DOUBLE /* traded worth, in quote units; NULL where not given */,
	trades BIGINT /* number of trades; NULL where not given */,
	taker_buy_volume DOUBLE /* amount bought by takers, in base units; NULL where not given */,
	answered_at BIGINT NOT NULL /* the exchange's clock when it said so, UTC ms */,
	source_id INTEGER NOT NULL /* sources.id */,
	PRIMARY KEY (symbol_id, open_time),
	FOREIGN KEY(symbol_id) REFERENCES symbols (id),
	FOREIGN KEY(source_id) REFERENCES sources (id)
)
 WITHOUT ROWID
;
INSERT INTO "candles" VALUES(1,1704067200000,7.0,9.0,6.0,8.0,2.33333333333333348136e+00,35.0,7,7.77777777777777790113e-01,9,1);
INSERT INTO "candles" VALUES(1,1704067260000,7.14285714285714323779e+00,9.14285714285714234961e+00,6.14285714285714323779e+00,8.14285714285714234961e+00,2.38095238095238093123e+00,3.57142857142857152999e+01,8,7.93650793650793717759e-01,9,1);
CREATE TABLE coverage (
	symbol_id INTEGER NOT NULL /* symbols.id */,
	span_start BIGINT NOT NULL /* first open time proven, UTC ms */,
	span_end BIGINT NOT NULL /* end of the proven stretch, exclusive */,
	source_id INTEGER NOT NULL /* who proved it: sources.id */,
	state VARCHAR NOT NULL /* answered, not-listed or out-of-reach */,
	evidence VARCHAR NOT NULL /* how it was proven */,
	answered_at BIGINT NOT NULL /* the exchange's clock, UTC ms */,
	PRIMARY KEY (symbol_id, span_start, span_end, source_id, state, evidence, answered_at),
	FOREIGN KEY(symbol_id) REFERENCES symbols (id),
	FOREIGN KEY(source_id) REFERENCES sources (id)
)
 WITHOUT ROWID
;
INSERT INTO "coverage" VALUES(1,1704067200000,1704067320000,1,'answered','anchored',5);
CREATE TABLE markets (
	id INTEGER NOT NULL /* number by which other tables refer to it */,
	archetype VARCHAR NOT NULL /* CRYPTO or STOCK */,
	exchange VARCHAR NOT NULL /* upper case, e.g. BINANCE */,
	tradetype VARCHAR NOT NULL /* SPOT, SWAP or FUTURE */,
	base VARCHAR NOT NULL /* what is traded, e.g. BTC */,
	quote VARCHAR NOT NULL /* what it is paid in, e.g. USDT */,
	contract VARCHAR NOT NULL /* expiry code of a dated future, else empty */,
	settle VARCHAR NOT NULL /* what a derivative settles in, else empty */,
	native_id VARCHAR NOT NULL /* the exchange's own name on the wire */,
	ccxt_symbol VARCHAR NOT NULL /* ccxt's unified name; for stocks the bare ticker */,
	status VARCHAR NOT NULL /* TRADING, HALTED, CLOSED or UNKNOWN */,
	price_tick VARCHAR /* smallest step of the price, exact decimal text */,
	amount_step VARCHAR /* smallest step of the amount, exact decimal text */,
	min_amount VARCHAR /* least amount of an order, in base units, exact decimal text */,
	max_amount VARCHAR /* greatest amount of an order, in base units, exact decimal text */,
	min_price VARCHAR /* least price of an order, in quote units, exact decimal text */,
	max_price VARCHAR /* greatest price of an order, in quote units, exact decimal text */,
	min_notional VARCHAR /* least worth of an order, in quote units, exact decimal text */,
	listed BIGINT /* first moment of trading, UTC ms */,
	delisted BIGINT /* last moment of trading, UTC ms */,
	title VARCHAR NOT NULL /* what a person calls it; may be empty */,
	extra JSON NOT NULL /* anything else the exchange says, text by name */,
	PRIMARY KEY (id),
	UNIQUE (archetype, exchange, tradetype, base, quote, contract)
);
INSERT INTO "markets" VALUES(1,'CRYPTO','EXAMPLE','SPOT','BTC','USDT','','','BTCUSDT','BTC/USDT','UNKNOWN',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'','{}');
CREATE TABLE revision_extras (
	revision_id INTEGER NOT NULL /* revisions.id */,
	name VARCHAR NOT NULL /* the column, as the provider declares it */,
	value DOUBLE NOT NULL /* its value */,
	PRIMARY KEY (revision_id, name),
	FOREIGN KEY(revision_id) REFERENCES revisions (id)
)
 WITHOUT ROWID
;
INSERT INTO "revision_extras" VALUES(2,'funding',0.25);
CREATE TABLE revisions (
	id INTEGER NOT NULL /* number by which revision_extras refers to it; of one open time, moment and rank the greatest counts */,
	symbol_id INTEGER NOT NULL /* symbols.id */,
	open_time BIGINT NOT NULL /* candles.open_time */,
	open DOUBLE NOT NULL /* first price, in quote units */,
	high DOUBLE NOT NULL /* highest price, in quote units */,
	low DOUBLE NOT NULL /* lowest price, in quote units */,
	close DOUBLE NOT NULL /* last price, in quote units */,
	volume DOUBLE NOT NULL /* traded amount, in base units */,
	quote_volume DOUBLE /* traded worth, in quote units; NULL where not given */,
	trades BIGINT /* number of trades; NULL where not given */,
	taker_buy_volume DOUBLE /* amount bought by takers, in base units; NULL where not given */,
	answered_at BIGINT NOT NULL /* the exchange's clock when it said so, UTC ms */,
	source_id INTEGER NOT NULL /* sources.id */,
	PRIMARY KEY (id),
	FOREIGN KEY(symbol_id) REFERENCES symbols (id),
	FOREIGN KEY(source_id) REFERENCES sources (id)
);
INSERT INTO "revisions" VALUES(1,1,1704067200000,100.0,102.0,99.0,101.0,3.33333333333333357026e+01,500.0,100,1.11111111111111107165e+01,5,1);
INSERT INTO "revisions" VALUES(2,1,1704067260000,1.00142857142857138802e+02,1.021428571428571388e+02,9.91428571428571387986e+01,1.01142857142857138801e+02,3.33809523809523795985e+01,5.00714285714285665561e+02,101,1.11269841269841265332e+01,5,1);
CREATE TABLE sources (
	id INTEGER NOT NULL /* number by which other tables refer to it */,
	name VARCHAR NOT NULL /* who answered, e.g. binance:rest */,
	rank INTEGER NOT NULL /* of two answers of one moment the higher rank wins */,
	PRIMARY KEY (id),
	UNIQUE (name, rank)
);
INSERT INTO "sources" VALUES(1,'example:rest',0);
CREATE TABLE symbols (
	id INTEGER NOT NULL /* number by which other tables refer to it */,
	market_id INTEGER NOT NULL /* markets.id */,
	timeframe VARCHAR NOT NULL /* ccxt's notation, e.g. 1m, 4h, 1M */,
	registered BIGINT NOT NULL /* when it was registered, UTC ms */,
	candle_count BIGINT NOT NULL /* rows in candles, kept by every save and forget */,
	revision_count BIGINT NOT NULL /* times that a later answer changed a candle */,
	PRIMARY KEY (id),
	UNIQUE (market_id, timeframe),
	FOREIGN KEY(market_id) REFERENCES markets (id)
);
INSERT INTO "symbols" VALUES(1,1,'1m',1704067200000,2,2);
CREATE INDEX coverage_by_moment ON coverage (symbol_id, answered_at);
CREATE VIEW v_candles AS
SELECT m.archetype, m.exchange, m.tradetype, m.base, m.quote, m.contract, s.timeframe,
       c.open_time, c.open, c.high, c.low, c.close, c.volume, c.quote_volume, c.trades, c.taker_buy_volume
FROM markets AS m
CROSS JOIN symbols AS s
CROSS JOIN candles AS c
WHERE s.market_id = m.id AND c.symbol_id = s.id;
CREATE INDEX revisions_by_candle ON revisions (symbol_id, open_time);
