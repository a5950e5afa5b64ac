"""Every kind of risk story raises an alert of a rule made for it, about a customer it happens to."""

from collections import defaultdict

from monitor.simulate import STORIES, Simulation

CUSTOMERS, DAYS = 250, 21
MADE_FOR = {
    "structuring": {"A-101", "A-102", "A-103"},
    "pass_through_mule": {"A-121", "A-124", "A-139"},
    "account_takeover": {"F-308", "F-309", "F-310", "F-313"},
    "card_testing": {"F-301", "F-302", "F-303"},
    "dormant_woken": {"A-128"},
    "concentrated_redemption": {"L-501", "L-502", "L-503"},
    "credit_deterioration": {"CR-404", "CR-405", "CR-406"},
    "portfolio_drawdown": {"M-601", "M-606"},
    "complaint_burst": {"RP-801", "RP-802"},
    "staff_snooping": {"I-901", "I-902", "I-904"},
    "sanctions_hit": {"K-210", "K-215", "K-216"},
}
"""Rules of which at least one has to see the story."""


def test_every_story_has_rules_made_for_it():
    assert set(MADE_FOR) == set(STORIES)


def test_every_kind_of_story_is_seen_by_a_rule_made_for_it(monitored):
    simulation = Simulation(customers=CUSTOMERS, days=DAYS, seed=5)
    rules = defaultdict(set)
    for alert in monitored.alerts(simulation):
        for customer in alert.customers:
            rules[customer].add(alert.rule)
    victims = defaultdict(set)
    for label in simulation.labels():
        victims[label.story].add(label.customer_id)
    assert set(victims) == set(STORIES), "the bank is too small or the time too short"
    unseen = {
        story: sorted(set().union(*(rules[customer] for customer in customers)))
        for story, customers in victims.items()
        if not any(rules[customer] & MADE_FOR[story] for customer in customers)
    }
    assert not unseen
