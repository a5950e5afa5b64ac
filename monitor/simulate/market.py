"""Products and the walk of their prices."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from monitor.simulate.randomness import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An investment product of the bank."""

    id: str
    kind: str
    risk_level: int
    """1 to 5 (R1 to R5)."""
    drift: float
    """Mean of a day's return, a ratio."""
    volatility: float
    """Spread of a day's return, a ratio."""


PRODUCTS: tuple[Product, ...] = (
    Product(id="P-CASH-1", kind="money_market", risk_level=1, drift=0.00006, volatility=0.00002),
    Product(id="P-CASH-2", kind="money_market", risk_level=1, drift=0.00005, volatility=0.00002),
    Product(id="P-CASH-3", kind="money_market", risk_level=1, drift=0.00005, volatility=0.00003),
    Product(id="P-BOND-1", kind="bond_fund", risk_level=2, drift=0.00012, volatility=0.0009),
    Product(id="P-BOND-2", kind="bond_fund", risk_level=2, drift=0.00010, volatility=0.0011),
    Product(id="P-MIX-1", kind="mixed_fund", risk_level=3, drift=0.00018, volatility=0.0035),
    Product(id="P-MIX-2", kind="mixed_fund", risk_level=3, drift=0.00016, volatility=0.0040),
    Product(id="P-EQ-1", kind="equity_fund", risk_level=4, drift=0.00025, volatility=0.0075),
    Product(id="P-EQ-2", kind="equity_fund", risk_level=4, drift=0.00022, volatility=0.0085),
    Product(id="P-PRIV-1", kind="private_fund", risk_level=5, drift=0.00030, volatility=0.0100),
)

PAIRS: dict[str, float] = {"USD/CNY": 7.12, "EUR/CNY": 7.85, "HKD/CNY": 0.912, "JPY/CNY": 0.0478}
"""Rates the bank starts from; made up."""


class Market:
    """The prices of all products, a random walk from 1 on day 0; the same for any order of asking."""

    def __init__(self, seed: int) -> None:
        self._walks: list[list[float]] = [[1.0] for _ in PRODUCTS]
        self._streams: list[Random] = [stream(seed, "price", product.id) for product in PRODUCTS]

    def price(self, product: int, day: int) -> float:
        """Return the price of `PRODUCTS[product]` at the end of `day` (0 and later)."""
        walk = self._walks[product]
        while len(walk) <= day:
            of = PRODUCTS[product]
            step = self._streams[product].gauss(of.drift, of.volatility)
            walk.append(walk[-1] * (1 + max(-0.05, min(0.05, step))))
        return walk[day]
