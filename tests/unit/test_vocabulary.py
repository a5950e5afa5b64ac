"""The vocabulary that ships, and the mistakes a vocabulary can hold."""

from __future__ import annotations

from typing import Any

import pytest

from rules.vocabulary import Vocabulary, VocabularyError, load_vocabulary

PLAIN: dict[str, Any] = {
    "fields": {
        "event_id": {"type": "id", "about": "id"},
        "event_type": {"type": "id", "about": "kind"},
        "occurred_at": {"type": "time", "about": "when"},
        "customer_id": {"type": "id", "about": "customer"},
    },
    "kinds": {
        "envelope": {"requires": ["event_id", "event_type", "occurred_at"], "may": []},
        "kinds": {"ping": {"about": "ping", "group": "x", "requires": ["customer_id"]}},
    },
    "subjects": {"customer": {"field": "customer_id"}},
    "profile": {},
}


def test_every_field_is_used_by_some_kind() -> None:
    vocabulary = load_vocabulary()
    used = {field for kind in vocabulary.kinds.values() for field in kind.fields}
    assert set(vocabulary.fields) - used == set()


def test_values_of_enums_are_texts() -> None:
    types = {type(value) for field in load_vocabulary().fields.values() for value in field.values}
    assert types == {str}


def test_a_transfer_touches_its_customer_account_device_and_counterparty() -> None:
    subjects = load_vocabulary().kinds["payment.transfer"].subjects
    assert {"customer", "account", "device", "counterparty"} <= set(subjects)


def test_a_tick_touches_nobody() -> None:
    assert load_vocabulary().kinds["tick"].subjects == ()


def test_profile_fields_name_where_they_come_from() -> None:
    field = load_vocabulary().profile["type"]
    assert (field.source, field.kinds) == ("customer_type", ("customer.created", "customer.updated"))


def test_every_mistake_of_a_vocabulary_is_told_at_once() -> None:
    fields = {**PLAIN["fields"], "amount": {"type": "monye", "about": "amount"}}
    kinds = {
        **PLAIN["kinds"],
        "kinds": {"ping": {"about": "ping", "group": "x", "requires": ["custmer_id"]}},
    }
    profile = {"customer": {"x": {"field": "y", "kinds": []}}}
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_plain(fields, kinds, PLAIN["subjects"], profile)
    assert str(caught.value).count("\n") >= 3
    assert "did you mean 'customer_id'" in str(caught.value)


def test_a_small_vocabulary_is_built_from_plain_dicts() -> None:
    built = Vocabulary.from_plain(**PLAIN)
    assert built.kinds["ping"].fields == ("event_id", "event_type", "occurred_at", "customer_id")
