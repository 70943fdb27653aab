"""What became of each row: its neighbours, and the odd item itself."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from support.oddities.counters import Reasons
from support.oddities.found import Found
from support.oddities.rows import Row
from support.oddities.samples import GOOD, ODD, Marks
from support.oddities.sending import Answer

STORED, REPAIRED, REFUSED, SET_ASIDE = "stored", "repaired", "refused", "set aside"
REQUEST_REFUSED = "request refused"
LOST = "lost"
# The reason of otlp_limits for what it cuts out of a request. Where an item goes with it, it is
# counted by that.
CUT = "malformed"
# A reason of what is stored: no search finds it.
BY_ID = "found by its id only"
STATES = (STORED, REPAIRED, SET_ASIDE, REFUSED, REQUEST_REFUSED, LOST)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One row as it was sent. reasons: what the Collector counted meanwhile.

    aside: what was found of it among the dead letters, by reason. by_id: no search finds its odd
    span, but it is there under its id.
    """

    row: Row
    marks: Marks
    answer: Answer
    reasons: Reasons
    aside: Counter[str] = field(default_factory=Counter[str])
    by_id: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one row. lost: what is nowhere and counted nowhere, in words."""

    row: Row
    state: str
    reasons: tuple[str, ...]
    lost: tuple[str, ...]
    good: int

    @property
    def explained(self) -> bool:
        return not self.lost

    @property
    def only_odd(self) -> bool:
        """Whether nothing is lost but odd items."""
        return len(self.lost) == 1 and self.good == GOOD


def judge(sent: Sent, found: Found) -> Verdict:
    """Say what became of one row.

    All its good items must be found, and its odd items found, or counted as refused, each.
    """
    row, answer = sent.row, sent.answer
    numbers = [str(number) for number in range(GOOD)]
    there = [number for number in numbers if found.copies(row.name, number)]
    lost: list[str] = []
    if answer.refused and row.whole and not there:
        return _verdict(row, REQUEST_REFUSED, [answer.status, *_why(sent, "refused")], [], 0)
    if not answer.accepted:
        lost.append(f"the request: {answer.status}")
    if len(there) < GOOD:
        lost.append(f"{GOOD - len(there)} of {GOOD} good ones")
    missing = [one for one in row.odd if found.copies(row.name, one) < row.copies]
    if missing == [ODD] and sent.by_id:
        missing = []
    # What admission sets aside is counted by it and found among the dead letters.
    aside = max(_count(sent, "set aside"), sum(sent.aside.values()))
    counted = _count(sent, "refused") + aside + _cut(sent)
    if len(missing) > counted:
        lost.append(f"{len(missing)} of {len(row.odd)} odd ones, {counted} counted")
    state = LOST if lost else _state(sent, missing)
    return _verdict(row, state, _all_reasons(sent, found), lost, len(there))


def _state(sent: Sent, missing: Iterable[str]) -> str:
    if any(missing) or not sent.row.odd:
        if _count(sent, "set aside") or sent.aside:
            return SET_ASIDE
        if _count(sent, "refused") or _cut(sent):
            return REFUSED
    return REPAIRED if _count(sent, "repaired") else STORED


def _all_reasons(sent: Sent, found: Found) -> list[str]:
    carried = {
        reason
        for number in sent.row.odd
        if (item := found.rows.get(sent.row.name, {}).get(number))
        for reason in item.repaired.split(",")
        if reason
    }
    counted = {reason for _, reason in sent.reasons}
    by_id = {BY_ID} if sent.by_id else set[str]()
    return sorted(carried | counted | set(sent.aside) | by_id)


def _verdict(
    row: Row, state: str, reasons: Iterable[str], lost: Iterable[str], good: int
) -> Verdict:
    return Verdict(row=row, state=state, reasons=tuple(reasons), lost=tuple(lost), good=good)


def _count(sent: Sent, became: str) -> int:
    return sum(count for (what, _), count in sent.reasons.items() if what == became)


def _cut(sent: Sent) -> int:
    """Return how many parts were cut out before decoding, since no decoder can read them."""
    return sent.reasons["repaired", CUT]


def _why(sent: Sent, became: str) -> list[str]:
    return sorted(reason for what, reason in sent.reasons if what == became)
