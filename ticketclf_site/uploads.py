"""Limit uploads before anything is stored and before the user is authenticated."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from review.datasets.forms import MAX_UPLOAD_BYTES

_OTHER_FIELDS_BYTES = 1_048_576


class UploadSizeLimit(FileUploadHandler):
    """Rejects bodies that are too large and leaves the rest to the other handlers.

    Bodies of anonymous requests are parsed too, because they contain the CSRF token.
    """

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> tuple[QueryDict, MultiValueDict[str, Any]] | None:
        if content_length > MAX_UPLOAD_BYTES + _OTHER_FIELDS_BYTES:
            raise RequestDataTooBig(f"At most {MAX_UPLOAD_BYTES // 1024**2} MB can be uploaded.")
        return None

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
