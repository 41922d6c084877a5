"""What a file says of each label, cleaned and checked."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.utils.translation import gettext as _

from classifier.models import DraftLabel

MOST_LABELS, MOST_LEVELS, MOST_PROBLEMS = 2_000, 10, 20
LONGEST_NAME, LONGEST_DESCRIPTION = 80, 300

Path = tuple[str, ...]
"""The names of a label and those above it, from the top."""

_AXES: Mapping[str, DraftLabel.Axis] = {
    "": DraftLabel.Axis.CATEGORY,
    "category": DraftLabel.Axis.CATEGORY,
    "categories": DraftLabel.Axis.CATEGORY,
    "sentiment": DraftLabel.Axis.SENTIMENT,
    "sentiments": DraftLabel.Axis.SENTIMENT,
}
_TRUTHS: Mapping[str, bool] = {
    **dict.fromkeys(("", "no", "n", "false", "0"), False),
    **dict.fromkeys(("yes", "y", "true", "1", "x"), True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEntry:
    """A label of a file. Empty values leave what the taxonomy has; `examples` has one per line."""

    axis: str
    path: Path
    description: str = ""
    examples: str = ""
    merge_into: Path = ()
    retired: bool = False

    @property
    def leaves(self) -> bool:
        """Whether the label is to be retired, by a merge or without one."""
        return self.retired or bool(self.merge_into)

    @property
    def key(self) -> tuple[str, Path]:
        """What identifies the label in a file, in any case."""
        return self.axis, folded(self.path)


class UnusableFile(Exception):
    """The file cannot be imported; `problems` say why, with the places in the file."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def folded(path: Path) -> Path:
    return tuple(name.casefold() for name in path)


def cleaned(text: str) -> str:
    """The text on one line, without invisible characters and with composed letters."""
    visible = "".join(sign for sign in unicodedata.normalize("NFC", text) if unicodedata.category(sign) != "Cf")
    return " ".join(visible.split())


class EntryList:
    """Collects the labels of a file and all that is wrong with them."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, Path], LabelEntry] = {}
        self._problems: list[str] = []

    def add(self, place: str, values: Mapping[str, Any]) -> None:
        """Add a label from texts by field of LabelEntry; `name` is its path with “>” between names, unless `path` is
        given. `place` says where in the file it is.
        """
        try:
            entry = _entry(values)
        except ValueError as error:
            self.reject(place, str(error))
            return
        twin = self._entries.setdefault(entry.key, entry)
        if twin != entry and any(getattr(entry, field.name) for field in fields(LabelEntry)[2:]):
            self.reject(place, _("%s is listed twice.") % " > ".join(entry.path))
        elif len(self._entries) > MOST_LABELS:
            raise UnusableFile(_("The file has more than %d labels.") % MOST_LABELS)

    def reject(self, place: str, reason: str) -> None:
        self._problems.append(f"{place}: {reason}")

    @property
    def usable(self) -> list[LabelEntry]:
        """The labels that are right, in the order of the file."""
        return list(self._entries.values())

    @property
    def problems(self) -> list[str]:
        return self._problems[:MOST_PROBLEMS]

    def finished(self) -> list[LabelEntry]:
        """The labels in the order of the file. Raises UnusableFile for one that is wrong, or an empty file."""
        if self._problems:
            raise UnusableFile(*self.problems)
        if not self._entries:
            raise UnusableFile(_("The file has no labels."))
        return self.usable


def _entry(values: Mapping[str, Any]) -> LabelEntry:
    """Raises ValueError with what is wrong."""
    axis, retired = (cleaned(values.get(name, "")).casefold() for name in ("axis", "retired"))
    if axis not in _AXES:
        raise ValueError(_("There is no kind of label “%s”; it is category or sentiment.") % axis[:LONGEST_NAME])
    if retired not in _TRUTHS:
        raise ValueError(_("“Retired” is yes or no, not “%s”.") % retired[:LONGEST_NAME])
    description = cleaned(values.get("description", ""))
    if len(description) > LONGEST_DESCRIPTION:
        raise ValueError(_("The description is longer than %d characters.") % LONGEST_DESCRIPTION)
    path, merge_into = _checked_path(values.get("path") or values.get("name", "")), values.get("merge_into", "")
    if _AXES[axis] == DraftLabel.Axis.SENTIMENT and len(path) > 1:
        raise ValueError(_("A sentiment has no parent."))
    return LabelEntry(
        axis=_AXES[axis],
        path=path,
        description=description,
        examples="\n".join(filter(None, map(cleaned, values.get("examples", "").splitlines()))),
        merge_into=_checked_path(merge_into) if cleaned(merge_into) else (),
        retired=_TRUTHS[retired],
    )


def _checked_path(name: str | Path) -> Path:
    """Raises ValueError with what is wrong."""
    path = tuple(cleaned(part) for part in (name.split(">") if isinstance(name, str) else name))
    if not all(path):
        raise ValueError(_("A name is missing."))
    if len(path) > MOST_LEVELS:
        raise ValueError(_("The label is nested more than %d levels deep.") % MOST_LEVELS)
    for part in path:
        if len(part) > LONGEST_NAME:
            shown = {"name": part[:LONGEST_NAME], "number": LONGEST_NAME}
            raise ValueError(_("“%(name)s…” is longer than %(number)d characters.") % shown)
        if not part.isprintable() or ">" in part:
            raise ValueError(_("“%s” has characters that a name can't have.") % ascii(part)[1:-1])
    return path
