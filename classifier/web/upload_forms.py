"""Forms to upload a file that is imported, and to choose how it is read."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.ingest.uploads import MAX_BYTES
from classifier.models.file_import import FileImport

ENCODINGS = {
    "utf-8": _("Unicode (UTF-8)"),
    "utf-16": _("Unicode (UTF-16)"),
    "cp1252": _("Western European (Windows-1252)"),
    "iso-8859-15": _("Western European (ISO 8859-15)"),
    "mac_roman": _("Western European (Mac)"),
    "cp850": _("Western European (DOS 850)"),
    "cp1250": _("Central European (Windows-1250)"),
    "cp1251": _("Cyrillic (Windows-1251)"),
    "koi8-r": _("Cyrillic (KOI8-R)"),
    "cp1253": _("Greek (Windows-1253)"),
    "cp1254": _("Turkish (Windows-1254)"),
    "cp1255": _("Hebrew (Windows-1255)"),
    "cp1256": _("Arabic (Windows-1256)"),
    "cp1257": _("Baltic (Windows-1257)"),
    "cp1258": _("Vietnamese (Windows-1258)"),
    "cp874": _("Thai (Windows-874)"),
    "cp932": _("Japanese (Shift JIS)"),
    "euc-jp": _("Japanese (EUC)"),
    "cp949": _("Korean (Windows-949)"),
    "gb18030": _("Simplified Chinese (GB 18030)"),
    "big5hkscs": _("Traditional Chinese (Big5)"),
}


class FileField(forms.FileField):
    """A file that may be imported in the browser."""

    def __init__(self, **options: Any) -> None:
        super().__init__(label=_("file"), **options)

    def clean(self, data: Any, initial: Any = None) -> Any:
        file: UploadedFile[bytes] = super().clean(data, initial)
        if (file.size or 0) > MAX_BYTES:
            message = gettext("The file is larger than %d MB. Import it with a command of manage.py.")
            raise forms.ValidationError(message % (MAX_BYTES // 1024**2))
        return file


class SampleColumn(NamedTuple):
    """A column of the sample: its name in the file and the field it is read as, if any."""

    name: str
    field: str


class FileReadingForm(forms.Form):
    """How an uploaded file is read: its encoding, and the column of each field. `titles` are the fields' names."""

    def __init__(
        self,
        file_import: FileImport,
        titles: Mapping[str, Any],
        usual: Mapping[str, str],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data)
        self._import, self._titles, self._usual = file_import, titles, usual
        if file_import.decoded_as:
            self.fields["encoding"] = forms.ChoiceField(
                label=_("encoding"), choices=self._encodings(), required=False, initial=file_import.encoding
            )
        columns = [("", _("none")), *((name, name) for name in file_import.names)]
        for field, title in titles.items():
            self.fields[field] = forms.ChoiceField(
                label=title, choices=columns, required=False, initial=self._columns.get(field, "")
            )

    @property
    def chosen(self) -> dict[str, Any]:
        """The encoding, and the columns that differ from those with usual names; "" leaves a field out."""
        columns = {field: self.cleaned_data[field] for field in self._titles}
        differing = {field: name for field, name in columns.items() if name != self._usual.get(field, "")}
        return {"encoding": self.cleaned_data.get("encoding", ""), "columns": differing}

    @property
    def sample(self) -> dict[str, Any]:
        """The columns, first those that are read, and the first rows in their order."""
        names: list[str] = self._import.names
        fields = {name: self._titles[field] for field, name in self._columns.items() if field in self._titles}
        order = sorted(range(len(names)), key=lambda at: names[at] not in fields)
        columns = [SampleColumn(names[at], str(fields.get(names[at], ""))) for at in order]
        return {"columns": columns, "rows": [[row[at] for at in order] for row in self._import.rows]}

    @property
    def _columns(self) -> dict[str, str]:
        return {**self._usual, **self._import.columns}

    def _encodings(self) -> list[tuple[str, Any]]:
        detected = self._import.decoded_as if not self._import.encoding else ""
        return [("", gettext("detected: %s") % detected if detected else _("detect")), *ENCODINGS.items()]
