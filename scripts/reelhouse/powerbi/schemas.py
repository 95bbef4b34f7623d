"""Microsoft's JSON schemas, which the files of a project name and hold to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reelhouse.errors import ReelhouseError

SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric/"


def check_schemas(files: dict[str, str], schemas: Path) -> int:
    """How many files hold to the schemas that they name.

    `schemas` is a copy of Microsoft's folder json-schemas/fabric. Raises ReelhouseError
    for the first file that breaks its schema, or whose schema is not in the folder.
    """
    from jsonschema import Draft7Validator  # type: ignore[import-untyped]
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT7

    def retrieved(address: str) -> Any:
        path = schemas / address.removeprefix(SCHEMAS)
        if not address.startswith(SCHEMAS) or not path.is_file():
            raise _not_held(schemas, address)
        return DRAFT7.create_resource(json.loads(path.read_text(encoding="utf-8")))

    registry: Any = Registry(retrieve=retrieved)  # type: ignore[call-arg]
    documents = {
        name: json.loads(text) for name, text in files.items() if '"$schema"' in text
    }
    for name, document in documents.items():
        schema = retrieved(document["$schema"]).contents
        validator = Draft7Validator(schema, registry=registry)
        try:
            errors = list(validator.iter_errors(document))
        except Unresolvable as error:
            raise _not_held(schemas, error.ref) from error
        for each in errors:
            where = "/".join(map(str, each.absolute_path)) or "the whole"
            raise ReelhouseError(
                f"{name} breaks Microsoft's schema at {where}: {each.message[:200]}."
            )
    return len(documents)


def _not_held(schemas: Path, address: str) -> ReelhouseError:
    return ReelhouseError(
        f"{schemas} does not hold the schema {address}: name a copy of the folder "
        f"fabric of Microsoft's json-schemas."
    )
