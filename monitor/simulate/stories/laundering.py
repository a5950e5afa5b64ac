"""Stories about money that hides where it comes from."""

from __future__ import annotations

from monitor.simulate.stories.deeds import (
    access,
    add_payee,
    bring,
    pay,
    pay_in,
    pay_part,
    receive,
    snapshot,
    take_most,
    take_out,
    tell,
)
from monitor.simulate.stories.episode import SYSTEMS, Episode


def structuring(episode: Episode) -> None:
    """Pay cash in just under the reporting line of 50,000, on four days, then at three branches on one day.

    Rules: A-101 (cash just under the line), A-103 (several branches on a day), A-106; the last day C-001.
    """
    rng, bank = episode.rng, episode.cast.bank
    [one] = episode.cast.take(lambda c: c.segment.name in ("ordinary", "sme"))
    branches = rng.sample(bank.branches, min(4, len(bank.branches)))
    for day in range(4):
        branch = branches[day % len(branches)]
        episode.add(
            day,
            f"{rng.randint(10, 15)}:{rng.randint(10, 59)}",
            one,
            "deposit",
            pay_in(rng.randrange(41_500, 49_500, 100), branch),
        )
    for n, branch in enumerate(branches[:3]):
        episode.add(
            6,
            f"{10 + 2 * n}:{rng.randint(10, 59)}",
            one,
            "spread_deposit",
            pay_in(rng.randrange(24_000, 31_000, 100), branch),
        )
    [abroad] = episode.strangers(1)
    episode.add(7, "16:20", one, "moved_on", pay_part(0.6, abroad, least=100_000))


def pass_through_mule(episode: Episode) -> None:
    """Many strangers pay into a hardly used account, and hours later it is empty again, on three days.

    Rules: A-124 (pass-through), A-121 (scattered in, concentrated out), A-125, A-129, A-139, F-311
    (new payee and high amount); on the last day F-319 (cash out at the machine).
    """
    rng = episode.rng
    [mule] = episode.cast.take(lambda c: c.is_sparse)
    masters = episode.strangers(2)
    for master in masters:
        episode.add(0, "08:40", mule, "new_payee", add_payee(master))
    for day in (0, 1, 3):
        payers = episode.strangers(rng.randint(7, 9))
        for n, payer in enumerate(payers):
            episode.add(
                day,
                f"{9 + n // 2:02d}:{10 + 25 * (n % 2)}",
                mule,
                "collect",
                receive(rng.randrange(14_000, 24_000, 50), payer),
            )
        if day < 3:
            episode.add(day, "15:10", mule, "empty", pay_part(0.55, masters[0]))
            episode.add(day, "15:35", mule, "empty", pay_part(0.95, masters[1]))
            episode.add(day, "16:05", mule, "cash_out", take_most(5_000))
        else:
            for n in range(10):
                episode.add(day, f"15:{5 + 5 * n:02d}", mule, "cash_out", take_most(20_000))
        episode.add(day, "19:30", mule, "little_left", snapshot())


def dormant_woken(episode: Episode) -> None:
    """An account silent for more than a year logs in, receives half a million and passes it on.

    Rules: A-128 (dormant account wakes with money), A-124, A-129, A-139; C-003 on the first day.
    """
    rng = episode.rng
    sleeper = episode.cast.sleeper(episode.ordinal)
    payers, [payee] = episode.strangers(3), episode.strangers(1)
    episode.add(0, "10:05", sleeper, "wake", access("auth.login"))
    for n, payer in enumerate(payers):
        episode.add(
            n // 2, f"{11 + n}:15", sleeper, "inflow", receive(rng.randrange(160_000, 220_000, 500), payer)
        )
    episode.add(1, "15:00", sleeper, "new_payee", add_payee(payee))
    episode.add(2, "09:40", sleeper, "outflow", pay_part(0.55, payee, least=100_000))
    episode.add(3, "09:55", sleeper, "outflow", pay_part(0.97, payee, least=100_000))
    episode.add(3, "11:00", sleeper, "cash_out", take_out(5_000))


def sanctions_hit(episode: Episode) -> None:
    """A customer sends money to a high-risk country; two days later the screening finds the name.

    Rules: K-210 (true match), K-212 (list changed), K-215 (call-for-action country), C-004.
    """
    rng = episode.rng
    [listed] = episode.cast.take(lambda c: c.segment.name in ("premium", "sme", "vip"))
    entry = f"S{episode.id.replace('-', '')[-8:]}"
    partner = {
        "account": f"XR{rng.randrange(10**8):08d}",
        "name": f"Trading house {rng.randrange(100, 999)}",
        "bank": "KKKKIRTHXXX",
        "country": "IR",
        "type": "entity",
    }
    episode.add(0, "11:05", listed, "funding", bring(400_000))
    episode.add(
        0,
        "11:20",
        listed,
        "high_risk_payment",
        pay(rng.randrange(210_000, 320_000, 500), partner, purpose="GDDS", rail="SWIFT"),
    )
    updated = {"list_id": "sanctions", "version": entry, "added": [entry], "source": "screening"}
    match = {
        "list_id": "sanctions",
        "entry_id": entry,
        "match_score": round(rng.uniform(0.965, 0.999), 3),
        "matched_name": f"Listed party {rng.randrange(100, 999)}",
        "matched_party": "customer",
        "algorithm": "screen-2",
    }
    episode.add(2, "05:10", SYSTEMS, "list_update", tell("list.updated", "screening", updated))
    episode.add(2, "05:25", listed, "match", tell("list.match", "screening", match))
    [relative] = episode.strangers(1)
    episode.add(2, "09:15", listed, "after_match", pay_part(0.7, relative, least=60_000))
