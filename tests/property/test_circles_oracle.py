"""Circles are those a reading of all accepted payments finds, in one process and in stages apart."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from oracle_streams import CODEC, DAY_MS, GRACE_MS, HOUR_MS, engine_of, event_of, rule_showing

from streams.codec import encode
from streams.wire import Facts, decode_facts
from streams.wire import encode as to_wire

START_MS = 1_770_000_000_000
LETS = {
    "three": "cycle(amount, 2d)",
    "two": "cycle(amount, 2d, within=0, length=2)",
    "large": "cycle(amount, 2d, where=amount >= 95 EUR)",
}
OWNERS = {"a1": "a", "a2": "a", "b1": "b", "c1": "c"}
"""Accounts of customers; x and y are held elsewhere."""
ENGINE = engine_of(rule_showing(LETS))


def fits(within, *amounts):
    return 100 * (max(amounts) - min(amounts)) <= within * max(amounts)


def circle_of(own, sent, paid, within, length):
    """Return the path of the circle a payment closes: `sent` by its customer, `paid` to its other account."""
    if own["direction"] != "in" or not own["other"] or own["other"] == own["account"]:
        return None
    begins = [m for m in sent if own["time_ms"] - 2 * DAY_MS < m["time_ms"] <= own["time_ms"] and m["other"]]
    begins.sort(key=lambda m: (m["time_ms"], m["place"]), reverse=True)
    for first in begins:
        if first["other"] == own["other"] and fits(within, first["euro"], own["euro"]):
            return " > ".join((own["account"], own["other"], own["account"]))
    for first in begins if length == 3 else ():
        for middle in paid:
            strange = middle["account"] not in (own["account"], own["other"])
            if (
                strange
                and first["other"] == middle["account"]
                and first["time_ms"] <= middle["time_ms"] <= own["time_ms"]
                and fits(within, first["euro"], middle["euro"], own["euro"])
            ):
                return " > ".join((own["account"], middle["account"], own["other"], own["account"]))
    return None


def answers(own, sent, paid):
    def large(moves):
        return [m for m in moves if m["euro"] >= 95]

    return {
        "three": circle_of(own, sent, paid, 10, 3),
        "two": circle_of(own, sent, paid, 0, 2),
        "large": circle_of(own, large(sent), large(paid), 10, 3) if large([own]) else None,
    }


steps = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from(["pay"] * 9 + ["again", "reverse"]),
            "ahead_ms": st.sampled_from([0, 0, 1, HOUR_MS, DAY_MS, 2 * DAY_MS]),
            "late_ms": st.sampled_from([0] * 6 + [1, HOUR_MS, 23 * HOUR_MS, GRACE_MS, GRACE_MS + 1]),
            "euro": st.sampled_from([90, 95, 99, 100]),
            "direction": st.sampled_from(["in", "out"]),
            "account": st.sampled_from(list(OWNERS)),
            "other": st.sampled_from([*OWNERS, "x", None]),
            "pick": st.integers(0, 9),
            "restart": st.booleans(),
        }
    ),
    min_size=1,
    max_size=40,
)


def record(number, time_ms, step):
    return event_of(
        f"e{number}",
        "payment.transfer",
        time_ms,
        customer_id=OWNERS[step["account"]],
        account_id=step["account"],
        amount=str(step["euro"]),
        currency="EUR",
        direction=step["direction"],
        counterparty={"account": step["other"]} if step["other"] else None,
    )


class Stages:
    """States by subject; each assessed after a restart where asked for."""

    def __init__(self):
        self.states = {}

    def assess(self, event, subject, *, restart):
        state = self.states.get(subject) or ENGINE.new_state(subject[0])
        state = ENGINE.restore(subject[0], state.pack()) if restart else state
        self.states[subject] = state
        return ENGINE.assess(event, *subject, state)


def pay(account, other, direction="out", *, ahead_ms=HOUR_MS, euro=100, what="pay", pick=0, late_ms=0):
    return {
        "what": what, "ahead_ms": ahead_ms, "late_ms": late_ms, "euro": euro, "direction": direction,
        "account": account, "other": other, "pick": pick, "restart": True,
    }  # fmt: skip


CIRCLE = [pay("a1", "b1"), pay("b1", "c1", euro=95), pay("a1", "c1", "in", euro=99)]
REVERSED = [*CIRCLE[:2], pay("b1", "c1", what="reverse", pick=1), CIRCLE[2]]
LATE = [CIRCLE[1], pay("a1", "b1", late_ms=HOUR_MS + 1, ahead_ms=0), CIRCLE[2]]
TOO_EARLY = [CIRCLE[1], CIRCLE[0], CIRCLE[2]]

LEAST = [CIRCLE[0], pay("b1", "c1", euro=90), pay("a1", "c1", "in")]
MOST = [pay("a1", "b1", euro=95), pay("b1", "c1"), pay("a1", "c1", "in", euro=90)]
OLDER = [pay("b1", "c1", euro=99), pay("a1", "b1", ahead_ms=2 * DAY_MS), *CIRCLE[1:]]


def records_of(stream):
    """Return (record, move) in the order of arrival; a record that comes again has no move."""
    latest_ms, sent, moves, found = START_MS, [], {}, []
    for number, step in enumerate(stream):
        if step["what"] == "again" and sent:
            found.append((sent[-10:][step["pick"] % len(sent[-10:])], None, step))
            continue
        latest_ms += step["ahead_ms"]
        time_ms = latest_ms - step["late_ms"]
        undone = list(moves)[-5:] if step["what"] == "reverse" else []
        if undone:
            old = moves[undone[step["pick"] % len(undone)]]
            plain = record(number, time_ms, old) | {"reversal_of": old["id"]}
            move = old | {"undone": True, "time_ms": time_ms}
        else:
            plain = record(number, time_ms, step)
            move = step | {"time_ms": time_ms, "place": number, "id": f"e{number}", "undone": False}
            moves[move["id"]] = move
        sent.append(encode(plain))
        found.append((sent[-1], move, step))
    return found


@given(steps)
@example(CIRCLE)
@example(REVERSED)
@example(LATE)
@example(TOO_EARLY)
@example(LEAST)
@example(MOST)
@example(OLDER)
@example([*CIRCLE[:2], pay("a1", "c1", "in", ahead_ms=2 * DAY_MS - HOUR_MS)])
@example([*CIRCLE[:2], pay("a1", "c1", "in", ahead_ms=2 * DAY_MS - HOUR_MS - 1)])
def test_circles_equal_a_reading_of_all_payments(stream):
    stages, accepted = Stages(), {}
    for body, move, step in records_of(stream):
        event = CODEC.decode(body)
        for subject in ENGINE.subjects(event):
            answer = stages.assess(event, subject, restart=step["restart"])
            assert answer.failures == []
            if move is None:
                assert answer.duplicate or answer.too_late
            elif move["undone"] and not answer.too_late:
                accepted.get(subject, {}).pop(move["id"], None)
            elif not answer.too_late:
                accepted.setdefault(subject, {})[move["id"]] = move
        if move is None or move["undone"] or answer.too_late:
            continue
        mine = accepted["customer", OWNERS[move["account"]]].values()
        theirs = accepted.get(("counterparty", move["other"]), {}).values()
        out = [[m for m in moves if m["direction"] == "out"] for moves in (mine, theirs)]
        expected = answers(move, *out)
        saw = {name: answer.hits[0].saw[name] for name in expected}
        assert saw == expected


@given(steps)
@example(CIRCLE)
@example(REVERSED)
def test_stages_apart_find_the_circles_one_process_finds(stream):
    events = [CODEC.decode(body) for body, _, _ in records_of(stream)]
    restarts = [step["restart"] for _, _, step in records_of(stream)]
    together, one = Stages(), []
    for event in events:
        for subject in ENGINE.subjects(event):
            answer = together.assess(event, subject, restart=False)
        one.append([hit.saw for hit in answer.hits])
    apart, told = Stages(), []
    for order, (body, _, step) in enumerate(records_of(stream)):
        event = CODEC.decode(body)
        for subject in ENGINE.subjects(event)[:-1]:
            apart.assess(event, subject, restart=step["restart"])
        told.append((order, event.facts))
    facts = dict(decode_facts(to_wire(Facts("counterparty", told))).facts)
    many = []
    for order, (body, _, _) in enumerate(records_of(stream)):
        event = CODEC.decode(body)
        event.facts.update(facts[order])
        answer = apart.assess(event, ENGINE.subjects(event)[-1], restart=restarts[order])
        many.append([hit.saw for hit in answer.hits])
    assert many == one


def test_a_hit_shows_the_path_and_every_payment_of_the_circle():
    stages, refs = Stages(), []
    for body, _, _ in records_of([pay("a2", "x"), *CIRCLE]):
        event = CODEC.decode(body)
        refs.append(event.ref)
        for subject in ENGINE.subjects(event):
            answer = stages.assess(event, subject, restart=False)
    (hit,) = answer.hits
    assert hit.saw["three"] == "a1 > b1 > c1 > a1"
    assert hit.evidence == tuple(refs[1:])
