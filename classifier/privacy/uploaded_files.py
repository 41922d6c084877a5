"""Deletes uploaded files, which may hold the texts that are erased: nobody can tell without reading each whole."""

from time import monotonic, sleep
from typing import Any

from django.db.models.functions import Now
from django.utils.translation import gettext as _

from classifier.models.file_import import FileImport
from classifier.privacy.redaction import Redaction

SECONDS = 10.0
"""How long imports under way may take to finish."""
_PAUSE = 0.2

State = FileImport.State


def wait_for_imports() -> None:
    """Wait up to SECONDS until the imports under way are finished; dry runs are not waited for."""
    until = monotonic() + SECONDS
    while monotonic() < until and any(_under_way(model).exists() for model in _models()):
        sleep(_PAUSE)


def delete_uploads(redaction: Redaction) -> None:
    """Delete every file that no import is reading now, and what reports quote of the texts."""
    for model in _models():
        uploaded = model.objects.filter(parts__position=0)
        for name in uploaded.filter(pk__in=_under_way(model)).values_list("name", flat=True):
            redaction.remains.add(f"the import of {name} was still running; erase once more when it has finished")
        for file_import in uploaded.exclude(pk__in=_under_way(model)):
            message = _("The file was deleted, because somebody's data has been erased since. Upload it again.")
            # Without an owner, a dry run under way ends at its next step.
            ended: dict[str, Any] = {"owner": None, "state": State.FAILED, "report": {}, "error": message}
            model.objects.filter(pk=file_import.pk).update(**ended)
            file_import.delete_file()
            redaction.count("uploaded files", 1)
        for file_import in model.objects.exclude(report={}):
            _redact_report(file_import, redaction)


def _redact_report(file_import: FileImport, redaction: Redaction) -> None:
    rejections = file_import.report.get("rejections", [])
    starts = [_letters(start) for start in redaction.prefixes]
    kept = [rejected for rejected in rejections if not any(start in _letters(rejected[1]) for start in starts)]
    if kept != rejections:
        file_import.report["rejections"] = kept
        file_import.save(update_fields=["report"])


def _letters(text: str) -> str:
    """Only letters and digits, since a value may be quoted as it was read."""
    return "".join(filter(str.isalnum, text))


def _models() -> list[Any]:
    return FileImport.__subclasses__()


def _under_way(model: Any) -> Any:
    """The imports that a worker is storing records of."""
    return model.objects.filter(state=State.RUNNING, dry_run=False, available_at__gt=Now()).exclude(owner=None)
