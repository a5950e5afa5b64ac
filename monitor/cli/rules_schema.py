"""`riskmon rules schema`: JSON Schemas of rule files, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schema(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into; without it the rule's is printed.")
    ] = None,
) -> None:
    """Write the JSON Schemas of rules and packs, with which an editor completes and checks the YAML."""
    from rules.schema import schemas, written
    from rules.vocabulary import load_vocabulary

    found = schemas(load_vocabulary())
    if out is None:
        typer.echo(written(found["rule"]), nl=False)
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, plain in found.items():
        (out / f"{name}.schema.json").write_text(written(plain), encoding="utf-8")
        typer.echo(f"wrote {out / f'{name}.schema.json'}")
