"""Taxonomies as nested documents: JSON and YAML.

A document is an object with the lists `categories` and `sentiments`, or a list of categories. A label is a name, or an
object with its name, description, examples and children.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml
from django.utils.translation import gettext as _

from classifier.models import DraftLabel
from classifier.taxonomy.files.entries import EntryList, Path, UnusableFile

Parser = Callable[[str], Any]

_AXES = {"categories": DraftLabel.Axis.CATEGORY, "sentiments": DraftLabel.Axis.SENTIMENT}
_LEFT_OUT = {"version", "attributes"}
"""What the API's answer has beside labels."""

_FIELDS = {"name", "description", "examples", "children", "merge_into", "retired"}
_MOST_NODES, _DEEPEST = 50_000, 50
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Makes texts, lists and objects only, so that a label may be called No or 404. In C, it is 20 times as fast."""


def parse_json(text: str) -> Any:
    """Raises UnusableFile."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableFile(_("This is not valid JSON: %s.") % error) from error


def parse_yaml(text: str) -> Any:
    """Raises UnusableFile, for aliases too, because a few lines of them can mean millions of labels, or a circle."""
    try:
        _check_events(yaml.parse(text, Loader=_LOADER))
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - it makes texts, lists and objects only
    except (yaml.YAMLError, RecursionError) as error:
        raise UnusableFile(_("This is not valid YAML: %s.") % " ".join(str(error).split())) from error


def _check_events(events: Iterator[yaml.Event]) -> None:
    depth = 0
    for number, event in enumerate(events):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise UnusableFile(_("YAML aliases are not supported; write the labels out."))
        if depth > _DEEPEST or number > _MOST_NODES:
            raise UnusableFile(_("The file is nested too deeply or too large."))


def collect(document: Any, entries: EntryList) -> None:
    """Add the labels of a document, and what is wrong with it."""
    if isinstance(document, list):
        document = {"categories": document}
    if not isinstance(document, Mapping) or not document.keys() <= {*_AXES, *_LEFT_OUT}:
        raise UnusableFile(_("A taxonomy is an object with the lists “categories” and “sentiments”."))
    for name, axis in _AXES.items():
        _collect_labels(document.get(name), entries, axis, name, ())


def _collect_labels(labels: Any, entries: EntryList, axis: str, place: str, above: Path) -> None:
    for number, label in enumerate(_listed(labels), start=1):
        here = f"{place}, {number}"
        values = _fields(label)
        if not values.keys() <= _FIELDS:
            entries.reject(here, _("A label has only these fields: %s.") % ", ".join(sorted(_FIELDS)))
            continue
        children = values.pop("children", None)
        try:
            texts = {name: _lines(value) if name == "examples" else _text(value) for name, value in values.items()}
        except ValueError as error:
            entries.reject(here, str(error))
            continue
        path = (*above, *texts.pop("name", "").split(">"))
        entries.add(here, texts | {"axis": axis, "path": path})
        if len(path) < _DEEPEST:
            _collect_labels(children, entries, axis, here, path)


def _listed(labels: Any) -> list[Any]:
    if labels is None or labels == "":
        return []
    return labels if isinstance(labels, list) else [labels]


def _fields(label: Any) -> dict[str, Any]:
    """The fields of a label that is a name, `name: description` or an object."""
    if not isinstance(label, Mapping):
        return {"name": label}
    if len(label) == 1 and "name" not in label:
        ((name, description),) = label.items()
        return {"name": name, "description": description}
    return dict(label)


def _lines(value: Any) -> str:
    return "\n".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    """Raises ValueError for an object or a list."""
    if isinstance(value, Mapping | list):
        raise ValueError(_("A text is expected, not a list or an object."))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
