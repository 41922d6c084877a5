"""Files that are sent are bounded before anything of them is stored, and before it is known who sends them."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from review.datasets.forms import LARGEST_UPLOAD

_FIELDS_BESIDE = 1_048_576


class BoundedUpload(FileUploadHandler):
    """Comes first, and lets the others have what is small enough; a token against forgery stands in the same body, so
    that bodies are read of everybody.
    """

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> tuple[QueryDict, MultiValueDict[str, Any]] | None:
        if content_length > LARGEST_UPLOAD + _FIELDS_BESIDE:
            raise RequestDataTooBig(f"At most {LARGEST_UPLOAD // 1024**2} MB are taken.")
        return None

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
