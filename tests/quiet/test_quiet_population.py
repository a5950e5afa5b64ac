"""Ordinary customers leave officers alone: all rules together raise one alert per 1,000 customers a day."""

from collections import Counter

from monitor.simulate import Simulation

CUSTOMERS, DAYS = 300, 21
CUSTOMER_DAYS = CUSTOMERS * DAYS
AT_MOST_A_RULE = 2
REPORTS = {"C-001", "C-002", "C-003", "C-004"}
"""Large-value reports the law asks for: no judgement of risk, and as many as there are large payments."""


def test_an_ordinary_bank_raises_few_alerts_and_no_rule_raises_many(monitored):
    seen = monitored.alerts(Simulation(customers=CUSTOMERS, days=DAYS, seed=3, stories=()))
    alerts = Counter(alert.rule for alert in seen if alert.rule not in REPORTS)
    noisy = {rule: times for rule, times in alerts.items() if times > AT_MOST_A_RULE}
    assert not noisy
    assert alerts.total() <= CUSTOMER_DAYS / 1000, alerts
    reports = [alert for alert in seen if alert.rule in REPORTS]
    assert all(alert.severity == "info" for alert in reports)
    assert len(reports) <= 2 * CUSTOMER_DAYS / 1000
