"""The schemas that ship for editors are those of the code, and say yes to what ships and no to what is wrong.

`pytest --update-golden` rewrites them.
"""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from rules.loader import PACKS
from rules.schema import schemas, written
from rules.vocabulary import load_vocabulary

FOUND = schemas(load_vocabulary())


@pytest.mark.parametrize("name", sorted(FOUND))
def test_the_shipped_schema_is_that_of_the_code(name, request, repository):
    path = repository / "rules" / "schemas" / f"{name}.schema.json"
    if request.config.getoption("--update-golden"):
        path.write_text(written(FOUND[name]), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == written(FOUND[name])
    jsonschema.Draft202012Validator.check_schema(FOUND[name])


def read(path):
    # `on` stays a text, as an editor that follows YAML 1.2 reads it.
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    plain = {"on" if key is True else key: value for key, value in plain.items()}
    return json.loads(json.dumps(plain, default=str))


def test_every_shipped_file_is_valid_by_its_schema():
    for path in sorted(PACKS.rglob("*.yaml")):
        if not path.name.endswith(".test.yaml"):
            name = "pack" if path.name == "pack.yaml" else "rule"
            jsonschema.validate(read(path), FOUND[name], jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dimension", "frod"),
        ("severity", "severe"),
        ("points", 101),
        ("bands", []),
        ("disposition", "PANIC"),
        ("cooldown", "a day"),
        ("subject", "cat"),
        ("color", "red"),
    ],
)
def test_what_is_wrong_is_refused(key, value):
    plain = read(PACKS / "fraud" / "F-301.yaml")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**plain, key: value}, FOUND["rule"])
