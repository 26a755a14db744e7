"""What to ask next. A plan is a work-list, made lazily: every answer changes what is left to ask."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from candle_core.checks import CheckedPage
from candle_core.coverage import count_slots, with_slots
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import (
    Anchor,
    Coverage,
    CoverageState,
    Evidence,
    FetchRequest,
    MalformedAnswerError,
    Proof,
    ProviderCapabilities,
    Span,
)

STRETCH: Final = 64
"""Pages cut at a time, so that ten years of seconds are no long list."""
ROUNDS: Final = 4
"""How often a stretch may come back to the list, whole, while no answer proves anything new of the wanted range."""


def cut(request: FetchRequest, grid: Grid, capabilities: ProviderCapabilities) -> list[FetchRequest]:
    """The kernel's own `candle_split`: windows of as many slots as one page holds.

    A window counted from its start ends 1 ms behind its last slot, one counted from its end starts at its first slot:
    a full page of
    such a window proves all of it, and whatever opens off the grid between two windows belongs to the next one.
    """
    span, size = request.span, capabilities.page_limit
    if span is None:
        return [replace(request, costs=capabilities.cost(request.kind))]
    first, last = grid.index(span.start - 1) + 1, grid.index(span.end - 1)
    if request.anchor is Anchor.START:
        marks = [grid.open(index) + 1 for index in range(first + size - 1, last, size)]
    else:
        marks = [grid.open(index) for index in range(last - size + 1, first, -size)][::-1]
    edges = [span.start, *(mark for mark in marks if span.start < mark < span.end), span.end]
    windows = [Span(start, end) for start, end in pairwise(edges)]
    costs = capabilities.cost(request.kind)
    return [
        replace(request, span=window, limit=min(size, max(1, grid.count(window))), costs=costs) for window in windows
    ]


@dataclass(frozen=True, slots=True)
class Window:
    """One request on the work-list.

    `doubted`: the stretch that an answer counted from elsewhere asserted to be empty.
    """

    request: FetchRequest
    doubted: Span | None = None

    @property
    def span(self) -> Span:
        """The open times asked for."""
        assert self.request.span is not None
        return self.request.span

    @property
    def scope(self) -> Span:
        """The open times that are on the list for this window's sake."""
        return self.doubted or self.span


class WorkList:
    """What is still to be asked of one symbol.

    Args:
        wish: the request as a whole, its span already clipped to what can be closed; covered: what need not be asked.
        split: `candle_split` of the provider.
        oldest_first: begin with the oldest stretch, even where the anchor counts from the end.
    """

    def __init__(
        self,
        wish: FetchRequest,
        covered: Spans,
        grid: Grid,
        capabilities: ProviderCapabilities,
        split: Callable[[FetchRequest], Sequence[FetchRequest]],
        *,
        oldest_first: bool = False,
    ) -> None:
        assert wish.span is not None
        self.wanted = wish.span
        self.proven = covered
        self._doubt_from = wish.span.end
        self._wish = replace(wish, anchor=capabilities.anchors[0])
        self._grid = grid
        self._capabilities = capabilities
        self._split = split
        self._from_start = oldest_first or self._wish.anchor is Anchor.START
        self._fresh = deque(self.missing())
        self._cut: deque[FetchRequest] = deque()
        self._extra: deque[Window] = deque()
        self._rounds: Counter[Span] = Counter()
        """How often each stretch came back since something was last proven."""

    def missing(self) -> Spans:
        """Wanted and not proven."""
        return with_slots(Spans((self.wanted,)) - self.proven, self._grid)

    def pending(self) -> Spans:
        """The part of `missing` that is too recent for its emptiness to be believed: asked again next time."""
        edge = min(self._doubt_from, self.wanted.end)
        return self.missing() & Spans((Span(edge, self.wanted.end),)) if edge < self.wanted.end else Spans()

    def take(self) -> Window | None:
        """The next window to ask for; None when there is none now (one under way may still bring some)."""
        while self._extra:
            window = self._extra.popleft()
            if Spans((window.scope,)) - self.proven:
                return window
        while self._cut or self._fresh:
            if not self._cut:
                self._cut_next()
                continue
            request = self._cut.popleft()
            assert request.span is not None
            rest = with_slots(Spans((request.span,)) - self.proven, self._grid)
            if not rest:
                continue
            if len(rest.parts) == 1 and count_slots(rest, self._grid) == self._grid.count(request.span):
                return Window(replace(request, span=rest.parts[0]))
            # Other answers have reached into the window: cut anew from where they ended.
            self._put_back(rest | Spans.of(left.span for left in self._cut if left.span))
        return None

    def settle(self, window: Window, answer: CheckedPage) -> list[Proof]:
        """Take an answer into account: count what it proves, put the rest of its window back on the list.

        Slots that the answer cannot know yet, or whose emptiness is not believed yet, stay missing, to be asked next
        time.

        Returns:
            What may be believed beyond `answer.proofs`, because it repeats what one counted from elsewhere asserted.

        Raises:
            MalformedAnswerError: it neither proves nor asserts anything of its window, or what it says has led back to
                the same question before; asking on would never end.
        """
        self._doubt_from = answer.doubt_from
        wanted, scope = Spans((self.wanted,)), Spans((window.scope,))
        unknown = (scope & wanted) - self.proven
        # What it says is empty may reach beyond its window, where the wire leaves the far end open.
        beyond = (answer.asserted & wanted) - scope - self.proven
        self.prove(answer.proofs)
        contradicted = any(proof.span.intersect(window.scope) for proof in answer.proofs)
        repeats = window.doubted is not None and not contradicted
        believed: list[Proof] = []
        proves_something = any(proof.span.intersect(window.span) for proof in answer.proofs)
        says_something = proves_something or answer.asserted or answer.open_rows
        for piece in self._apart(_before(answer.settled, unknown - self.proven), answer.asserted):
            self._rounds[piece] += 1
            if not says_something or self._rounds[piece] > ROUNDS:
                raise MalformedAnswerError(f"the answer says nothing of {window.request!s}")
            asserted = bool(Spans((piece,)) & answer.asserted)
            if piece.start >= answer.doubt_from and (asserted or window.doubted or not self._grid.count(piece)):
                continue
            if not self._grid.count(piece):
                if not asserted:
                    self._extra.append(self._between_slots(piece, window.request.anchor))
            elif not asserted:
                self._fresh.appendleft(piece)
            elif repeats:
                believed.append(Proof(Span(piece.start, min(piece.end, answer.doubt_from)), Evidence.REPEATED))
            else:
                whole = next(span for span in Spans((piece,)) | beyond if piece.start in span)
                self._extra.append(self._from_other_end(whole, window.request.anchor))
        self.prove(believed)
        return believed

    def _apart(self, pieces: Spans, asserted: Spans) -> Iterator[Span]:
        """The pieces, what was asserted of them apart from slots of which nothing was said."""
        for piece in pieces:
            silent = [one for one in Spans((piece,)) - asserted if self._grid.count(one)]
            yield from silent
            yield from Spans((piece,)) - Spans.of(silent)

    def prove(self, proofs: Sequence[Proof]) -> None:
        """Count these stretches as proven: windows inside are never sent."""
        before, self.proven = self.proven, self.proven | Spans.of(proof.span for proof in proofs)
        if self.proven != before:
            self._rounds.clear()

    def pages_left(self) -> int:
        """About how many windows are still to be taken."""
        slots = count_slots(Spans(tuple(self._fresh)), self._grid)
        return len(self._extra) + len(self._cut) + -(-slots // self._capabilities.page_limit)

    def _put_back(self, spans: Spans) -> None:
        """Give the stretch that is being worked on back, to be cut again."""
        self._cut.clear()
        if self._from_start:
            self._fresh.extendleft(reversed(spans.parts))
        else:
            self._fresh.extend(spans.parts)

    def _cut_next(self) -> None:
        """Cut a stretch of pages from that end of what is left where the work begins."""
        slots = STRETCH * self._capabilities.page_limit
        if self._from_start:
            # Other answers may have reached into the stretch, and left more than one part of it.
            parts = with_slots(Spans((self._fresh.popleft(),)) - self.proven, self._grid).parts
            if not parts:
                return
            self._fresh.extendleft(reversed(parts[1:]))
            piece = self._from_last_slot(parts[0])
            edge = self._grid.after(piece.start - 1, slots) + 1
            if edge < piece.end:
                self._fresh.appendleft(Span(edge, piece.end))
                piece = Span(piece.start, edge)
        else:
            piece = self._fresh.pop()
            edge = self._grid.after(piece.end - 1, 1 - slots)
            if edge > piece.start:
                self._fresh.append(Span(piece.start, edge))
                piece = Span(edge, piece.end)
        windows = self._split(replace(self._wish, span=piece))
        self._cut.extend(windows if self._wish.anchor is Anchor.START else reversed(windows))

    def _from_last_slot(self, piece: Span) -> Span:
        """The stretch with what lies before its first slot, which costs nothing to ask for with it.

        Ranges that are collected one beside another then leave nothing unasked between them.
        """
        before = Span(self._grid.after(self._grid.ceil(piece.start), -1) + 1, piece.end)
        return next((part for part in Spans((before,)) - self.proven if piece.start in part), piece)

    def _between_slots(self, piece: Span, anchor: Anchor) -> Window:
        """A request for what a full page left open behind its last row, though no slot is in it."""
        costs = self._capabilities.cost(self._wish.kind)
        return Window(replace(self._wish, span=piece, anchor=anchor, limit=1, costs=costs))

    def _from_other_end(self, piece: Span, anchor: Anchor) -> Window:
        """A request for a stretch that was asserted empty, counted from elsewhere than the answer that said so.

        It reaches over everything that is missing beyond the stretch: where a market has ended, one answer proves the
        rest.
        """
        grid, size = self._grid, self._capabilities.page_limit
        whole = next(span for span in (*self.missing(), piece) if piece.intersect(span))
        others = [other for other in self._capabilities.anchors if other is not anchor]
        span = Span(piece.start, whole.end) if anchor is Anchor.START else Span(whole.start, piece.end)
        if others:
            limit = min(size, max(1, grid.count(span)))
        elif anchor is Anchor.START:
            span, limit = Span(grid.after(piece.start, -1), piece.end), size
        else:
            span, limit = Span(piece.start, grid.after(piece.end)), size
        costs = self._capabilities.cost(self._wish.kind)
        request = replace(self._wish, span=span, anchor=(others or [anchor])[0], limit=limit, costs=costs)
        return Window(request, doubted=piece)


def _before(moment: int, spans: Spans) -> Spans:
    return Spans(tuple(Span(span.start, min(span.end, moment)) for span in spans if span.start < moment))


def as_facts(proofs: Sequence[Proof], source: str, answered_at: int) -> tuple[Coverage, ...]:
    """Proofs as facts for the database, those of one state and evidence that touch united."""
    kinds: dict[tuple[CoverageState, Evidence], list[Span]] = {}
    for proof in proofs:
        kinds.setdefault((proof.state, proof.evidence), []).append(proof.span)
    return tuple(
        Coverage(span, state, evidence, source, answered_at)
        for (state, evidence), spans in kinds.items()
        for span in Spans.of(spans)
    )
