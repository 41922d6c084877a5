"""Limit what visitors can store by uploading."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class SignedInUploads(TemporaryFileUploadHandler):
    """Stores large files only for people who are signed in.

    Forms of others are parsed as well, because they contain the CSRF token.
    """

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        user = getattr(self.request, "user", None)
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE and not (user and user.is_authenticated):
            raise RequestDataTooBig("Sign in before you upload large files.")
