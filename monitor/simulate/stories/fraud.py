"""Stories about somebody else's money."""

from __future__ import annotations

from monitor.simulate.bank import Employee
from monitor.simulate.page import money
from monitor.simulate.segments import YUAN
from monitor.simulate.stories.deeds import (
    access,
    add_payee,
    bring,
    buy,
    foreign_device,
    pay,
    snoop,
    tell,
    tell_about,
)
from monitor.simulate.stories.episode import Episode

ELSEWHERE = {"country": "KH", "lat": 11.55, "lon": 104.92}
"""Where the stranger sits: far from every customer."""


def account_takeover(episode: Episode) -> None:
    """A stranger resets the password at night, binds a device, saves a payee and empties the account.

    Rules: F-308 (takeover chain), F-309 (guessed password), F-305 (impossible travel), F-310 (new device,
    large payment), F-311 (new payee), F-313 (contact changed), F-327 (rooted device); F-321 when the
    victim calls.
    """
    rng = episode.rng
    [victim] = episode.cast.take(lambda c: c.segment.name in ("premium", "vip") and not c.is_sparse)
    device = foreign_device(rng.randrange(10**8))
    [mule] = episode.strangers(1)
    for n in range(5):
        episode.add(0, f"02:0{n}", victim, "guess", access("auth.failed", device, ELSEWHERE))
    episode.add(0, "02:06", victim, "reset", access("auth.password_reset", device, ELSEWHERE))
    episode.add(0, "02:09", victim, "strange_login", access("auth.login", device, ELSEWHERE))
    registered = {"device": device, "geo": ELSEWHERE, "method": "otp"}
    episode.add(0, "02:12", victim, "new_device", tell("device.registered", "ebank", registered))
    changed = {"field": "phone", "channel": "mobile_app", "device": device}
    episode.add(0, "02:15", victim, "new_contact", tell("profile.contact_changed", "ebank", changed))
    episode.add(0, "02:18", victim, "new_payee", add_payee(mule, device))
    episode.add(0, "02:21", victim, "savings_moved", bring(200_000, device))
    for n in range(2):
        yuan = rng.randrange(62_000, 98_000, 100)
        episode.add(
            0,
            f"02:{24 + 7 * n}",
            victim,
            "drain",
            pay(yuan, mule, device=device, geo=ELSEWHERE),
            key=f"drain{n}",
        )
    report = {"category": "takeover", "channel": "phone"}
    episode.add(
        1,
        "09:25",
        victim,
        "report",
        tell_about("fraud.reported_by_customer", "crm", episode, "drain0", report),
    )


def card_testing(episode: Episode) -> None:
    """A stolen card is tried with tiny amounts at web shops, declined, then used for a large purchase.

    Rules: F-303 (card testing), F-301 (velocity), F-302 (declines in a row); F-320 when it is charged back.
    """
    rng, merchants = episode.rng, episode.cast.bank.merchants
    [holder] = episode.cast.take(lambda c: bool(c.credit_token) and not c.is_sparse)
    online = [shop for shop in merchants if not shop.terminals]
    shops = rng.sample(online, 5)
    for n in range(5):
        episode.add(0, f"23:{10 + n}", holder, "probe", buy(rng.randrange(100, 950), shops[n % 4]))
    for n in range(3):
        episode.add(
            0,
            f"23:{17 + n}",
            holder,
            "declined",
            buy(rng.randrange(60_000, 90_000), shops[n], rng.choice(("05", "14"))),
        )
    cents = rng.randrange(720_000, 1_180_000)
    episode.add(0, "23:38", holder, "big_purchase", buy(cents, shops[4]), key="big")
    amount = {"amount": money(cents), "currency": "CNY"}
    claim = {"category": "fraud", "reason": "not mine", **amount}
    episode.add(1, "10:30", holder, "dispute", tell_about("dispute.opened", "crm", episode, "big", claim))
    back = {"reason_code": "10.4", "card_token": holder.credit_token, "card_type": "credit", **amount}
    episode.add(
        6, "06:00", holder, "chargeback", tell_about("card.chargeback", "cards", episode, "big", back)
    )


def staff_snooping(episode: Episode) -> None:
    """An employee opens many files at night without tickets and exports them; later one customer is robbed.

    Rules: I-901 (bulk look-ups), I-902 (off-hours), I-903 (VIP snooping), I-904 (outside the portfolio),
    I-905 (export without approval), I-909 (look-up followed by fraud); F-310, F-311 and F-321 at the victim.
    """
    rng, cast = episode.rng, episode.cast
    spy = rng.choice([one for one in cast.bank.employees if not one.is_call_centre])
    [victim] = cast.take(lambda c: c.segment.name in ("vip", "private", "premium") and not c.is_sparse)
    strangers = [
        c for c in cast.bank.customers if c.adviser_id != spy.id and not c.joined_day and c is not victim
    ]
    rich_first = sorted(strangers, key=lambda c: c.segment.name not in ("vip", "private"))
    seen = rich_first[:10] + rng.sample(rich_first[10:], min(58, len(rich_first) - 10))
    seen.insert(7, victim)
    _look_round(episode, spy, [one.id for one in seen])
    device = foreign_device(rng.randrange(10**8))
    [thief] = episode.strangers(1)
    registered = {"device": device, "method": "otp"}
    episode.add(5, "21:00", victim, "new_device", tell("device.registered", "ebank", registered))
    episode.add(5, "21:04", victim, "new_payee", add_payee(thief, device))
    episode.add(5, "21:06", victim, "savings_moved", bring(150_000, device))
    yuan = rng.randrange(80_000, 140_000, 100)
    episode.add(5, "21:09", victim, "theft", pay(yuan, thief, device=device), key="theft")
    report = {"category": "unauthorised", "channel": "phone", "amount": money(yuan * YUAN), "currency": "CNY"}
    episode.add(
        6,
        "08:50",
        victim,
        "report",
        tell_about("fraud.reported_by_customer", "crm", episode, "theft", report),
    )


def _look_round(episode: Episode, spy: Employee, customers: list[str]) -> None:
    """Open the files on two evenings, most of them within one hour of the first, and export them."""
    for n, customer_id in enumerate(customers):
        day, order = (1, n) if n < 6 else (0, n - 6)
        episode.add(
            day, f"22:{order * 45 // 60:02d}:{order * 45 % 60:02d}", spy, "look", snoop(spy, customer_id)
        )
    taken = {
        "employee_id": spy.id,
        "workstation": spy.workstation,
        "object": "customer",
        "record_count": 340,
        "destination": "usb",
        "is_sensitive": True,
        "channel": "staff",
    }
    episode.add(0, "23:20", spy, "export", tell("data.export", "crm", taken))
