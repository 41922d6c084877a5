"""Serialize a manifest as JSON. Pure."""

import json
from collections.abc import Mapping
from dataclasses import fields

from review.datasets.record import Manifest


def manifest_json(manifest: Manifest) -> bytes:
    """The manifest as JSON with sorted keys: the same bytes for the same manifest."""
    values = {field.name: getattr(manifest, field.name) for field in fields(manifest)}
    values |= {name: dict(value) for name, value in values.items() if isinstance(value, Mapping)}
    categories, sentiments = manifest.taxonomy
    values["taxonomy"] = {
        side: [label._asdict() for label in labels]
        for side, labels in (("categories", categories), ("sentiments", sentiments))
    }
    return json.dumps(values, ensure_ascii=False, sort_keys=True, indent=2).encode() + b"\n"
