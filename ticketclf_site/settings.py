"""Django settings and all environment variables, except model keys, which are read when a call is made."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from ticketclf_site.env import (
    env_bool,
    env_choice,
    env_database,
    env_dsn,
    env_hosts,
    env_int,
    env_list,
    env_str,
    env_time_zone,
    env_url,
    secret_key,
)
from ticketclf_site.languages import interface_languages
from ticketclf_site.observability.logging_config import logging_config

# Read when the linear algebra libraries are loaded. Their threads wait for each other in busy loops, which makes
# training several times slower on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env_str("TICKETCLF_VAR", str(BASE_DIR / "var")))

DEBUG = env_bool("TICKETCLF_DEBUG", False)
SECRET_KEY = secret_key("TICKETCLF_SECRET_KEY", VAR_DIR / "secret_key")
THIS_MACHINE = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env_list("TICKETCLF_ALLOWED_HOSTS", THIS_MACHINE)
# Internal addresses that requests may go to. By default a site that only this machine can reach may call this machine,
# any other may call none.
INTERNAL_HOSTS = env_hosts("TICKETCLF_INTERNAL_HOSTS", THIS_MACHINE if set(ALLOWED_HOSTS) <= set(THIS_MACHINE) else [])
# Variables that admins may name as the keys of models, mailboxes, webhooks and help desks.
SECRET_VARIABLES = env_list("TICKETCLF_SECRET_VARIABLES", ["*_API_KEY", "*_TOKEN", "*_SECRET"])
CSRF_TRUSTED_ORIGINS = env_list("TICKETCLF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "ticketclf_site",
    "review",
    "classifier",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "axes",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "django_tasks",
    "ninja",
    "simple_history",
]

MIDDLEWARE = [
    "ticketclf_site.observability.endpoints.ProbeMiddleware",
    "ticketclf_site.observability.request_log.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "classifier.api.middleware.ApiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "ticketclf_site.sign_in.form_recovery.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "ticketclf_site.sign_in.backend.OneQueryBackend"]
# Failed sign-ins are counted by name and address, for a day after the latest; `throttle` says how long a pair waits.
AXES_HANDLER = "ticketclf_site.sign_in.throttle.GrowingLockout"
AXES_FAILURE_LIMIT = "ticketclf_site.sign_in.throttle.failure_limit"
AXES_COOLOFF_TIME = timedelta(days=1)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "ticketclf_site.sign_in.throttle.locked_out"
# Further attempts do not extend the wait, so that it ends when the page says.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Second factors, sessions and OpenID Connect. There is no sign-up, and only admins set e-mail addresses.
ACCOUNT_ADAPTER = "ticketclf_site.sign_in.accounts.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa"]
# Passwords are throttled above; these limits slow down guessing of codes.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "reauthenticate": "10/m/user"}
MFA_ADAPTER = "ticketclf_site.sign_in.accounts.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
REQUIRE_MFA = env_bool("TICKETCLF_REQUIRE_MFA", False)
OIDC_URL = env_url("TICKETCLF_OIDC_URL")
OIDC_NAME = env_str("TICKETCLF_OIDC_NAME", "OpenID Connect") if OIDC_URL else ""
SOCIALACCOUNT_ADAPTER = "ticketclf_site.sign_in.accounts.SocialAccountAdapter"
_OIDC_APP = {
    "provider_id": "sso",
    "name": OIDC_NAME,
    "client_id": env_str("TICKETCLF_OIDC_CLIENT_ID"),
    "secret": env_str("TICKETCLF_OIDC_CLIENT_SECRET"),
    "settings": {"server_url": OIDC_URL},
}
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [_OIDC_APP] if OIDC_URL else []},
}
# An e-mail address that the provider has verified identifies the person.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# The sign-in page links to the provider, because the CSP forbids posting forms to it. The session protects the answer.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"

ROOT_URLCONF = "ticketclf_site.urls"
WSGI_APPLICATION = "ticketclf_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "classifier.web.context_processors.gate",
            ],
        },
    },
    # For templates that the first engine does not find.
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates" / "jinja"],
        "OPTIONS": {"environment": "ticketclf_site.jinja.environment"},
    },
]

# PostgreSQL: detect a dead connection after half a minute instead of hours.
POSTGRESQL_OPTIONS = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# SQLite: with WAL readers never wait, and with immediate write locks writers queue instead of failing.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
    "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-16000;",
}


def _database() -> dict[str, Any]:
    database = env_database("DATABASE_URL", f"sqlite:///{VAR_DIR / 'ticketclf.sqlite3'}")
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = SQLITE_OPTIONS
        # A file, because threads cannot share an in-memory database.
        database["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
    else:
        database["OPTIONS"] = POSTGRESQL_OPTIONS | database.get("OPTIONS", {})
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The database determines the tasks backend.
_ENGINE = "postgresql" if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql" else "sqlite"
INSTALLED_APPS.append("procrastinate.contrib.django" if _ENGINE == "postgresql" else "django_tasks_db")
TASKS = {"default": {"BACKEND": f"ticketclf_site.processes.{_ENGINE}.Backend", "QUEUES": []}}
WORKER_THREADS = env_int("TICKETCLF_WORKER_THREADS", 4, minimum=1)
WEB_THREADS = env_int("TICKETCLF_WEB_THREADS", 8, minimum=1)

# Files that replace the packaged English encoder and its tokenizer, and the languages that the encoder knows.
ENCODER_FILE = env_str("TICKETCLF_ENCODER_FILE")
TOKENIZER_FILE = env_str("TICKETCLF_TOKENIZER_FILE")
ENCODER_LANGUAGES = env_list("TICKETCLF_ENCODER_LANGUAGES", [])

CSRF_FAILURE_VIEW = "ticketclf_site.sign_in.form_recovery.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "classifier:inbox"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "ticketclf_site" / "locale"]
LANGUAGES = interface_languages(LOCALE_PATHS[0])
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
TIME_ZONE = env_time_zone("TICKETCLF_TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "static/"
# Collected static files are served compressed, under hashed names. Otherwise files are served from the source folders,
# so that a first start needs no collectstatic.
_COLLECTED = env_str("TICKETCLF_STATIC_ROOT")
STATIC_ROOT = Path(_COLLECTED) if _COLLECTED else VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not _COLLECTED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

FORM_RENDERER = "ticketclf_site.forms.FormRenderer"

# No inline code and no external resources, so that a ticket's text can never run.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        **dict.fromkeys(("default-src", "frame-ancestors", "base-uri"), [NONE]),
        **dict.fromkeys(("script-src", "style-src", "font-src", "connect-src", "form-action"), [SELF]),
        "img-src": [SELF, "data:"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# With HTTPS: secure cookies, redirects, and HSTS for a year.
HTTPS = env_bool("TICKETCLF_HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # wants preload, which binds the whole domain for good
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
BEHIND_PROXY = env_bool("TICKETCLF_BEHIND_PROXY", HTTPS)
# The proxy that terminates TLS must set this header on every request, or remove it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# Without HTTPS browsers offer passkeys only on localhost.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "ticketclf_site.uploads.SignedInUploads",
]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # a draft of a large taxonomy is one form

# The public URL, for e-mails and events.
SITE_URL = env_url("TICKETCLF_SITE_URL", "http://127.0.0.1:8000").rstrip("/")
EMAIL_HOST = env_str("TICKETCLF_EMAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"
EMAIL_PORT = env_int("TICKETCLF_EMAIL_PORT", 587)
EMAIL_HOST_USER = env_str("TICKETCLF_EMAIL_USER")
EMAIL_HOST_PASSWORD = env_str("TICKETCLF_EMAIL_PASSWORD")
EMAIL_USE_TLS = env_bool("TICKETCLF_EMAIL_TLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env_str("TICKETCLF_EMAIL_FROM", "ticketclf@localhost")

LOGGING = logging_config(
    env_choice("TICKETCLF_LOG_FORMAT", "plain", ("plain", "json")),
    env_choice("TICKETCLF_LOG_LEVEL", "WARNING", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
)
SENTRY_DSN = env_dsn("TICKETCLF_SENTRY_DSN")
METRICS_TOKEN = env_str("TICKETCLF_METRICS_TOKEN")
RETENTION_DAYS = env_int("TICKETCLF_RETENTION_DAYS", 0)
