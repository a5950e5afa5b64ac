"""Schemas of the files a rule author writes, for editors: JSON Schema (draft 2020-12) for the YAML.

An editor that knows them completes keys, kinds of events and closed lists, and shows what each is
for. What an expression means is checked by `riskmon rules check` alone.
"""

from __future__ import annotations

import json
from typing import Any

from rules.dispositions import DISPOSITIONS
from rules.functions import FUNCTIONS
from rules.keys import KEYS
from rules.loader import OPTIONAL, PACK_KEYS, REQUIRED
from rules.model import DIMENSIONS, DISCLOSURES, MARKS, SEGMENTS, SEVERITIES, STATUSES
from rules.vocabulary import Vocabulary

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DURATION = {"type": "string", "pattern": r"^\d+(ms|s|m|h|d|w|y)$"}
DATE = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
POINTS = {"type": "number", "minimum": 0, "maximum": 100}
TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}


def schemas(vocabulary: Vocabulary) -> dict[str, dict[str, Any]]:
    """Return the schema of each kind of file by name: rule, pack."""
    return {"rule": rule_schema(vocabulary), "pack": pack_schema()}


def written(schema: dict[str, Any]) -> str:
    """Return a schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def rule_schema(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the schema of a rule file.

    Examples
    --------
    >>> from rules.vocabulary import load_vocabulary
    >>> schema = rule_schema(load_vocabulary())
    >>> schema["properties"]["severity"]["enum"]
    ['info', 'low', 'medium', 'high', 'critical']
    >>> "payment.transfer" in schema["$defs"]["kind"]["anyOf"][0]["enum"]
    True
    """
    kinds = sorted(vocabulary.kinds)
    expression = {
        "type": ["string", "boolean", "number"],
        "description": f"An expression. Functions: {', '.join(sorted(FUNCTIONS))}.",
    }
    properties = {name: {"description": KEYS[name], **_value(name, vocabulary)} for name in _names()}
    required = [name for name in REQUIRED if name != "severity"]
    return {
        "$schema": DIALECT,
        "title": "riskmon rule",
        "type": "object",
        "properties": properties,
        "required": required,
        "anyOf": [{"required": ["severity"]}, {"required": ["bands"]}],
        "additionalProperties": False,
        "$defs": {
            "expression": expression,
            "kind": {"anyOf": [{"enum": kinds}, {"type": "string", "pattern": r"^([a-z_]+\.\*|every .+)$"}]},
        },
    }


def pack_schema() -> dict[str, Any]:
    """Return the schema of a `pack.yaml`."""
    names = {"type": "object", "additionalProperties": {"type": "string"}}
    texts = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    shapes: dict[str, Any] = {
        "purpose": {"type": "string"}, "owner": {"type": "string"}, "sources": texts,
        "jurisdictions": {**texts, "items": {"type": "string", "pattern": "^[A-Z]{2}$"}},
        "predicates": names, "names": names,
    }  # fmt: skip
    return {
        "$schema": DIALECT,
        "title": "riskmon rule pack",
        "type": "object",
        "properties": {name: shapes[name] for name in PACK_KEYS},
        "required": ["purpose", "owner"],
        "additionalProperties": False,
    }


def _names() -> tuple[str, ...]:
    return (*REQUIRED, *OPTIONAL)


def _value(name: str, vocabulary: Vocabulary) -> dict[str, Any]:
    expression = {"$ref": "#/$defs/expression"}
    kind = {"$ref": "#/$defs/kind"}
    band = {
        "type": "object",
        "properties": {"when": expression, "points": POINTS, "severity": {"enum": list(SEVERITIES)}},
        "additionalProperties": False,
    }
    figure = {
        "anyOf": [
            expression,
            {
                "type": "object",
                "properties": dict.fromkeys(("default", *SEGMENTS), expression),
                "required": ["default"],
                "additionalProperties": False,
            },
        ]
    }
    subjects = [one.name for one in vocabulary.subjects.values() if one.within is None]
    values: dict[str, dict[str, Any]] = {
        "dimension": {"enum": list(DIMENSIONS)},
        "on": {"anyOf": [kind, {"type": "array", "items": kind, "minItems": 1}]},
        "when": expression,
        "severity": {"enum": list(SEVERITIES)},
        "status": {"enum": list(STATUSES)},
        "triage": TEXTS,
        "subject": {"enum": subjects},
        "let": {"type": "object", "additionalProperties": expression},
        "params": {"type": "object", "additionalProperties": figure},
        "points": POINTS,
        "bands": {"type": "array", "items": band, "minItems": 1},
        "alert": {"type": "boolean"},
        "cooldown": DURATION,
        "half_life": DURATION,
        "verification": {"enum": list(MARKS)},
        "disclosure": {"enum": list(DISCLOSURES)},
        "valid": {"type": "object", "properties": {"from": DATE, "to": DATE}, "additionalProperties": False},
        "disposition": _one_or_several(list(DISPOSITIONS)),
    }
    return values.get(name, {"type": "string"})


def _one_or_several(choices: list[str]) -> dict[str, Any]:
    return {"anyOf": [{"enum": choices}, {"type": "array", "items": {"enum": choices}, "minItems": 1}]}
