"""What one request brings: the true rows, and no proof of more than was answered."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from candle_hookspecs import (
    Anchor,
    CoverageState,
    Evidence,
    MalformedAnswerError,
    MarketGoneError,
    MarketQuery,
    Span,
)
from candle_testkit.contracts.scenes import ABSENCES, MINUTE
from candle_testkit.contracts.stage import UNITS, Stage

anchors = pytest.mark.parametrize("anchor", list(Anchor), ids=str)


class PageChecks:
    """Rows, proofs, what the exchange counted, and the wire decoded."""

    @anchors
    @pytest.mark.parametrize("limit", [1, 7, 0])
    def test_page_holds_the_rows_nearest_to_its_anchor(self, stage: Stage, anchor: Anchor, limit: int) -> None:
        """In the middle of history a page is the true rows nearest to the anchor, as many as the limit allows."""
        request = stage.request(stage.scene.day, anchor, limit)
        there = len(stage.truth(request, stage.scene.day)["open_time"])
        assert there > 7, "the day is not as the scene says"
        page = stage.fetch(request)
        # Rows beyond the day are welcome, so what is there is the least.
        assert min(request.limit, there) <= len(page.batch) <= request.limit
        stage.check_rows(page)

    @anchors
    def test_every_timeframe(self, stage: Stage, anchor: Anchor) -> None:
        """Every timeframe it declares is the exchange's own."""
        for timeframe in stage.provider.capabilities.timeframes:
            span = Span(stage.scene.now - 8 * int(timeframe[:-1]) * UNITS[timeframe[-1]], stage.scene.now)
            stage.check_rows(stage.fetch(stage.request(span, anchor, 5, timeframe=timeframe)))

    @anchors
    def test_open_candle_is_there(self, stage: Stage, anchor: Anchor) -> None:
        """The candle still open comes too; the kernel decides what is final."""
        now = stage.scene.now
        page = stage.fetch(stage.request(Span(now - 10 * MINUTE, now + 10 * MINUTE), anchor, 100))
        stage.check_rows(page)
        assert page.batch.last == now - now % MINUTE

    @anchors
    @pytest.mark.parametrize("case", ABSENCES)
    def test_where_candles_are_absent(self, stage: Stage, anchor: Anchor, case: str) -> None:
        """A hole longer than a page, before listing, after delisting, the future: true rows, no false claim.

        Where the exchange forgets what is delisted, that market is gone, from the list too.
        """
        role, span = stage.scene.absences[case]
        name, request = stage.scene.name(role), stage.request(span, anchor)
        if role == "ended" and stage.scene.forgets:
            assert not stage.call("candle_markets", MarketQuery(name=name))
            ended = replace(request, markets=(replace(request.market, native_id=name),))
            with pytest.raises(MarketGoneError):
                stage.call("candle_fetch", ended)
            return
        stage.check_rows(stage.fetch(stage.request(span, anchor, name=name)))

    @anchors
    def test_walk_loses_and_repeats_nothing(self, stage: Stage, anchor: Anchor) -> None:
        """Page after page across a hole, a quiet stretch and rows off the grid, every candle comes once."""
        whole = stage.scene.walked
        request = stage.request(whole, anchor, min(300, stage.provider.capabilities.page_limit))
        truth = stage.truth(request, whole)["open_time"]
        assert len(truth) == stage.scene.walk, "this stretch of history is not as the scene says"
        left, found = whole, np.empty(0, np.int64)
        for _ in range(len(truth) // request.limit + 2):
            page = stage.fetch(stage.request(left, anchor, request.limit))
            stage.check_rows(page)
            found = np.append(found, page.batch.between(whole).open_time)
            done = page.proofs[0].span if page.proofs else left
            if done.start <= left.start and done.end >= left.end:
                break
            left = Span(done.end, left.end) if anchor is Anchor.START else Span(left.start, done.start)
        np.testing.assert_array_equal(np.sort(found), truth)

    def test_what_is_out_of_reach_is_declared(self, stage: Stage) -> None:
        """What the exchange looks back to no more is declared out of reach, never empty; what is nearer is there."""
        if not stage.scene.reach:
            pytest.skip("the exchange looks back to the beginning")
        for timeframe, reach in stage.scene.reach.items():
            edge = stage.scene.now - reach
            lost = Span(edge - 9 * UNITS["d"], edge - 3 * UNITS["d"])
            page = stage.call("candle_fetch", stage.request(lost, timeframe=timeframe))
            told = {(proof.state, proof.evidence) for proof in page.proofs}
            assert told == {(CoverageState.OUT_OF_REACH, Evidence.DECLARED)}, f"{lost} is out of reach, not {told}"
            assert (len(page.batch), page.asserted) == (0, None)
            stage.check_reach(page, lost, edge)
            across = Span(edge - UNITS["d"], edge + 3 * UNITS["d"])
            page = stage.fetch(stage.request(across, timeframe=timeframe))
            left = Span(stage.check_reach(page, Span(across.start, edge), edge), across.end)
            assert len(page.batch.between(left)), "this stretch of history is not as the scene says"
            stage.check_rows(replace(page, request=replace(page.request, span=left)))

    @anchors
    @pytest.mark.parametrize(
        ("kind", "options"),
        [("lying_empty", {}), ("one_row", {"keep": "first"}), ("one_row", {"keep": "last"}), ("duplicates", {}),
         ("short", {"rows": 100, "side": "last"}), ("short", {"rows": 100, "side": "first"})],
    )  # fmt: skip
    def test_lies_are_asserted_at_most(self, stage: Stage, anchor: Anchor, kind: str, options: dict[str, Any]) -> None:
        """An answer that leaves rows out is not believed where a second look can tell."""
        day = stage.scene.day
        request = stage.request(Span(day.start, min(day.start + 500 * MINUTE, day.end)), anchor)
        stage.sandbox.faults.script(kind, **options)
        page = stage.call("candle_fetch", request)
        stage.check_existence(page)
        # Rows left out next to the anchor cannot be noticed in one answer; between anchor and far end they can.
        near = (kind, options.get("keep", options.get("side")))
        unseen = {
            Anchor.START: {("one_row", "last"), ("short", "first")},
            Anchor.END: {("one_row", "first"), ("short", "last")},
        }
        if near not in unseen[anchor]:
            stage.check_claims(page)
        if kind == "lying_empty":
            assert (page.proofs, page.asserted) == ((), request.span)

    def test_feedback_is_what_the_exchange_counted(self, stage: Stage) -> None:
        """`Page.feedback` says what the exchange says was spent."""
        meter = stage.scene.meter
        if meter is None:
            pytest.skip("the wire tells nothing of what was spent")
        request = stage.request(stage.scene.day)
        for _ in range(3):
            page = stage.fetch(request)
            charged = [one for one in stage.sandbox.ledger.requests() if one.limit == stage.asked().limit]
            assert stage.used(page.feedback, meter) == sum(one.weight for one in charged)

    def test_decode_reads_the_wire(self, stage: Stage) -> None:
        """`candle_decode` makes of the wire's own body, or of its parsed rows, what `candle_fetch` returned."""
        page = stage.fetch(stage.request(stage.scene.day))
        body = stage.body()
        assert stage.call("candle_decode", body) == page.batch
        assert stage.call("candle_decode", json.loads(body)) == page.batch

    @pytest.mark.parametrize("raw", [b"", b"<html>", b"{}", b"[1]", b"[[1]]", [["x"] * 12], [[1, "2"]], None], ids=repr)
    def test_decode_refuses_what_are_no_candles(self, stage: Stage, raw: Any) -> None:
        """What are no candles is refused, never guessed at."""
        with pytest.raises(MalformedAnswerError):
            stage.call("candle_decode", raw)
