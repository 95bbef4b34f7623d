"""The JSON documents of a project: each names the published schema that it holds to."""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric/"
NAME = "Reelhouse"


def as_json(schema: str, document: dict[str, Any]) -> str:
    """The text of a document that names its schema, such as item/…/page/2.0.0."""
    whole = {"$schema": f"{SCHEMAS}{schema}/schema.json", **document}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def platform(kind: str) -> str:
    """The file .platform of an item, by which Fabric and Git know it again."""
    return as_json(
        "gitIntegration/platformProperties/2.0.0",
        {
            "metadata": {"type": kind, "displayName": NAME},
            "config": {
                "version": "2.0",
                "logicalId": str(uuid5(NAMESPACE_URL, f"reelhouse/powerbi/{kind}")),
            },
        },
    )
