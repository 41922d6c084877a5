"""Which environment variables an admin may name, since their values are sent to servers that the admin chooses."""

import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from classifier.security.secrets_from_env import (
    MissingSecret,
    require_secret,
    secret_or_empty,
    validate_variable_name,
)

ALLOWED = ["OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "GOOGLE_API_KEY", "CRM_SECRET", "ZENDESK_TOKEN"]
REFUSED = ["PATH", "HOME", "DATABASE_URL", "PGPASSWORD", "TICKETCLF_SECRET_KEY", "TICKETCLF_METRICS_TOKEN"]
REFUSED += ["MAIL_PASSWORD", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "VAULT_TOKEN", "GITHUB_TOKEN"]


@pytest.mark.parametrize("name", ALLOWED)
def test_variables_that_are_called_keys_tokens_or_secrets_may_be_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, " s3cret ")
    validate_variable_name(name)
    assert require_secret(name) == secret_or_empty(name) == "s3cret"


@pytest.mark.parametrize("name", REFUSED)
def test_others_and_those_of_clouds_and_the_installation_are_neither_accepted_nor_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(ValidationError, match="TICKETCLF_SECRET_VARIABLES"):
        validate_variable_name(name)
    assert secret_or_empty(name) == ""
    with pytest.raises(MissingSecret, match="TICKETCLF_SECRET_VARIABLES"):
        require_secret(name)


def test_the_operator_says_which_variables_may_be_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SECRET_VARIABLES = ["MAIL_*", "GITHUB_TOKEN"]
    for name in ("MAIL_PASSWORD", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "s3cret")
        assert secret_or_empty(name) == "s3cret"
    for name in ("CRM_SECRET", "GITLAB_TOKEN"):
        with pytest.raises(ValidationError):
            validate_variable_name(name)
