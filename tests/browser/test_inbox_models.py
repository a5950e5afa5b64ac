"""The pages of the models: what a version was trained on, and what came of its scores."""

from __future__ import annotations


def test_every_version_is_listed_with_its_training(ask, bank):
    text = ask("GET", "/models").text
    (facts,) = bank.models()
    assert f'href="/models/{facts.version.hash}">unusual</a>' in text
    assert "28,411" in text
    assert "in use" in text


def test_the_card_tells_training_features_threshold_and_limits(ask, bank):
    (facts,) = bank.models()
    text = ask("GET", f"/models/{facts.version.hash}").text
    for told in (
        "unusual, version 7",
        "densities, bins 5, cuts 0, fading 0.9, window 1000, seed 1",
        "28,411",
        "97",
        "0.8125",
        "amount is 148",
        "A high score says that an event is unusual, not that it is a fraud.",
        facts.version.hash,
    ):
        assert told in text
    assert text.count('<svg class="distribution"') == 2
    assert text.count("<circle") == 3
    assert "0.50 predicted, 0.31 found, 200 verdicts" in text


def test_names_on_the_card_are_no_markup(ask, bank):
    (facts,) = bank.models()
    text = ask("GET", f"/models/{facts.version.hash}").text
    assert "gone<b>" not in text
    assert "gone&lt;b&gt;" in text


def test_a_version_that_is_not_there_is_a_page_that_says_so(ask):
    answer = ask("GET", "/models/0123")
    assert answer.status_code == 404
    assert "No model version has the hash" in answer.text


def test_who_may_not_read_is_sent_to_sign_in_or_refused(ask):
    assert ask("GET", "/models", users=True).status_code == 303
    assert ask("GET", "/models", name="core").status_code == 403


def test_versions_of_the_classifier_are_listed_and_have_a_card(ask, bank):
    (facts,) = bank.classifiers()
    assert f'href="/models/{facts.version.hash}"' in ask("GET", "/models").text
    text = ask("GET", f"/models/{facts.version.hash}").text
    for told in ("1,234", "20,480", "0.6250", "amount is …", "80 %", "20 %", "0.25 predicted, 0.20 found"):
        assert told in text
    assert "gone<b>" not in text
