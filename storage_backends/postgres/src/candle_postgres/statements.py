"""The SQL of a merge. In braces: ``here``, how a staged row ``s`` finds the stored one ``c``."""

# ruff: noqa: S608 - all that is put into a statement are names of ours

from typing import Final

from candle_hookspecs import COLUMNS, INTEGER_COLUMNS
from candle_sql.rows import VALUES

_SAID: Final = (*VALUES, "answered_at", "source_id")
_STORED: Final = ("symbol_id", "open_time", *_SAID)

STAGE: Final = f"""
CREATE TEMP TABLE IF NOT EXISTS candle_stage (
  symbol_id int, {", ".join(f"{name} {'bigint' if name in INTEGER_COLUMNS else 'float8'}" for name in COLUMNS)},
  answered_at bigint, source_id int, task int, rank int, unproven bool
) ON COMMIT DELETE ROWS;
TRUNCATE pg_temp.candle_stage
"""
"""Of this connection alone, empty at the end of every transaction."""

NESTED: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"

_RANK: Final = "(SELECT rank FROM sources WHERE id = c.source_id)"
_DIFFERS: Final = " OR ".join(f"c.{name} IS DISTINCT FROM s.{name}" for name in VALUES)
_EARLIER: Final = f"c.answered_at < s.answered_at OR c.answered_at = s.answered_at AND {_RANK} < s.rank"
_TOUCHED: Final = f"({_DIFFERS} OR s.unproven AND ({_EARLIER}))"
"""A row that the answer repeated, without a fact to show for it, is to bear the answer's moment."""

COUNT: Final = f"""
SELECT s.task, count(*), count(*) FILTER (WHERE {_DIFFERS}), count(*) FILTER (WHERE {_TOUCHED})
FROM pg_temp.candle_stage AS s JOIN candles AS c ON {{here}} GROUP BY s.task
"""

KEEP: Final = f"""
INSERT INTO revisions ({", ".join(_STORED)}) SELECT {", ".join(f"c.{name}" for name in _STORED)}
FROM pg_temp.candle_stage AS s JOIN candles AS c ON {{here}}
WHERE {_TOUCHED} AND (c.answered_at < s.answered_at OR NOT EXISTS (
  SELECT 1 FROM revisions AS r WHERE r.symbol_id = c.symbol_id AND r.open_time = c.open_time
  AND {" AND ".join(f"r.{name} IS NOT DISTINCT FROM c.{name}" for name in _SAID)}
))
"""
"""What one moment takes back and forth is kept once."""

MERGE: Final = f"""
MERGE INTO candles AS c USING pg_temp.candle_stage AS s ON {{here}}
WHEN MATCHED AND {_TOUCHED} THEN UPDATE SET {", ".join(f"{name} = s.{name}" for name in _SAID)}
WHEN NOT MATCHED THEN INSERT ({", ".join(_STORED)}) VALUES ({", ".join(f"s.{name}" for name in _STORED)})
"""

STANDING: Final = f"""
SELECT found.rows, found.later, EXISTS (
  SELECT 1 FROM candle_extras AS e WHERE e.symbol_id = a.symbol_id AND e.open_time >= a.low AND e.open_time < a.high
)
FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[]) WITH ORDINALITY
  AS a (symbol_id, low, high, answered_at, rank, number)
CROSS JOIN LATERAL (
  SELECT count(*) AS rows, count(*) FILTER (
    WHERE c.answered_at > a.answered_at OR c.answered_at = a.answered_at AND {_RANK} > a.rank
  ) AS later
  FROM candles AS c WHERE c.symbol_id = a.symbol_id AND c.open_time >= a.low AND c.open_time < a.high
) AS found ORDER BY a.number
"""
"""Of answers: how many rows are stored where each reaches, how many are later, whether there are extra columns."""

LACKING: Final = """
SELECT (
  SELECT count(*) FROM candles AS c WHERE c.symbol_id = p.symbol_id AND c.open_time >= p.low AND c.open_time < p.high
)
FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS p (symbol_id, low, high, number)
ORDER BY p.number
"""
"""Of proofs: how many rows are stored in each."""
