"""Every setting, and every environment variable but the keys of models, which are read by name where a call is made."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF

from ticketclf_site.env import env_bool, env_choice, env_hosts, env_int, env_list, env_str, env_url, secret_key

# Read when the libraries of linear algebra are loaded. A second thread of theirs waits for the first in a loop, which
# on a busy machine holds up both and all others: a training takes several times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env_str("TICKETCLF_VAR", str(BASE_DIR / "var")))

DEBUG = env_bool("TICKETCLF_DEBUG", False)
SECRET_KEY = secret_key("TICKETCLF_SECRET_KEY", VAR_DIR / "secret_key")
THIS_MACHINE = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env_list("TICKETCLF_ALLOWED_HOSTS", THIS_MACHINE)
# Where requests to addresses inside the network may go. A site that only this machine can call may call this machine;
# one that others can call has to be told.
INTERNAL_HOSTS = env_hosts("TICKETCLF_INTERNAL_HOSTS", THIS_MACHINE if set(ALLOWED_HOSTS) <= set(THIS_MACHINE) else [])
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
# Sign-in is throttled: after so many failures of one name from one address it waits. Behind a proxy everybody has the
# proxy's address, so there the name alone counts.
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "ticketclf_site.sign_in.throttle.locked_out"
# Trying on does not make the wait longer: it ends when the page says.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Second factors, sessions and accounts elsewhere. Nobody signs up, and addresses of e-mail are admins' to give.
ACCOUNT_ADAPTER = "ticketclf_site.sign_in.accounts.Accounts"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa"]
# Passwords are throttled above; what is left here slows down who guesses codes.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "reauthenticate": "10/m/user"}
MFA_ADAPTER = "ticketclf_site.sign_in.accounts.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
REQUIRE_MFA = env_bool("TICKETCLF_REQUIRE_MFA", False)
OIDC_URL = env_url("TICKETCLF_OIDC_URL")
OIDC_NAME = env_str("TICKETCLF_OIDC_NAME", "OpenID Connect") if OIDC_URL else ""
SOCIALACCOUNT_ADAPTER = "ticketclf_site.sign_in.accounts.Federation"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": OIDC_NAME,
                "client_id": env_str("TICKETCLF_OIDC_CLIENT_ID"),
                "secret": env_str("TICKETCLF_OIDC_CLIENT_SECRET"),
                "settings": {"server_url": OIDC_URL},
            }
        ]
        if OIDC_URL
        else [],
    }
}
# Somebody known by an e-mail that the provider has verified is that person.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# From the sign-in page a link leads there: forms post to nowhere else. The provider's answer is tied to the session.
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
    # What the others do not have is looked for here.
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates" / "jinja"],
        "OPTIONS": {"environment": "ticketclf_site.jinja.environment"},
    },
]

# PostgreSQL: a connection whose other end is gone without a word is given up after half a minute, not after hours.
POSTGRESQL_OPTIONS = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# SQLite: write-ahead log and an immediate write lock, so that readers never wait and writers queue instead of failing.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
    "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-16000;",
}


def _database() -> dict[str, Any]:
    url = env_str("DATABASE_URL", f"sqlite:///{VAR_DIR / 'ticketclf.sqlite3'}")
    database: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True))
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = SQLITE_OPTIONS
        # A file, for threads cannot meet in a database that lives in one connection's memory.
        database["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
    else:
        database["OPTIONS"] = POSTGRESQL_OPTIONS | database.get("OPTIONS", {})
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The database implies the engine of background work.
_ENGINE = "postgresql" if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql" else "sqlite"
INSTALLED_APPS.append("procrastinate.contrib.django" if _ENGINE == "postgresql" else "django_tasks_db")
TASKS = {"default": {"BACKEND": f"ticketclf_site.processes.{_ENGINE}.Backend", "QUEUES": []}}
WORKER_THREADS = env_int("TICKETCLF_WORKER_THREADS", 4, least=1)
WEB_THREADS = env_int("TICKETCLF_WEB_THREADS", 8, least=1)

# The embedded model: files of one's own may stand in for the packaged ones.
ENCODER_FILE = env_str("TICKETCLF_ENCODER_FILE")
TOKENIZER_FILE = env_str("TICKETCLF_TOKENIZER_FILE")

CSRF_FAILURE_VIEW = "ticketclf_site.sign_in.form_recovery.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "classifier:inbox"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LOCALE_PATHS = [BASE_DIR / "ticketclf_site" / "locale"]
TIME_ZONE = env_str("TICKETCLF_TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "static/"
# Where static files have been collected, they are served from there, compressed and under names that never change; else
# straight from the source folders, so that a first start needs no collecting.
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
DJANGO_TABLES2_TEMPLATE = "_table.html"

# Nothing inline and nothing from elsewhere: a ticket's text stays text.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Behind HTTPS everything is: cookies, redirects, and the browser's memory of it for a year.
HTTPS = env_bool("TICKETCLF_HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
if env_bool("TICKETCLF_BEHIND_PROXY", HTTPS):
    # Our server speaks HTTP, so that whoever ends HTTPS has to say so, and to set or remove this header every time.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Browsers offer passkeys on this machine without HTTPS, and nowhere else.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "ticketclf_site.uploads.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # the draft of a large taxonomy is one form

# Where this installation is found, for the leads' e-mails and whoever else is told of something.
SITE_URL = env_url("TICKETCLF_SITE_URL", "http://127.0.0.1:8000").rstrip("/")
EMAIL_HOST = env_str("TICKETCLF_EMAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"
EMAIL_PORT = env_int("TICKETCLF_EMAIL_PORT", 587)
EMAIL_HOST_USER = env_str("TICKETCLF_EMAIL_USER")
EMAIL_HOST_PASSWORD = env_str("TICKETCLF_EMAIL_PASSWORD")
EMAIL_USE_TLS = env_bool("TICKETCLF_EMAIL_TLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env_str("TICKETCLF_EMAIL_FROM", "ticketclf@localhost")

_UPWARD: dict[str, Any] = {"handlers": [], "propagate": True}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "ticketclf_site.observability.logs.PlainFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        },
        "json": {"()": "ticketclf_site.observability.logs.LineFormatter", "json_ensure_ascii": False},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env_choice("TICKETCLF_LOG_FORMAT", "plain", ("plain", "json")),
        }
    },
    "loggers": {
        # Django would mail what went wrong, with the whole request, and print what its own server is asked for.
        "django": _UPWARD,
        "django.server": _UPWARD | {"level": "ERROR"},
        "gunicorn.error": _UPWARD,
        # What these say in detail is requests and statements with all that stands in them.
        **dict.fromkeys(
            ("asyncio", "django.db.backends", "httpcore", "httpcore2", "httpx", "httpx2", "openai", "urllib3"),
            {"level": "WARNING"},
        ),
    },
    "root": {"handlers": ["console"], "level": env_str("TICKETCLF_LOG_LEVEL", "WARNING")},
}
SENTRY_DSN = env_url("TICKETCLF_SENTRY_DSN")
METRICS_TOKEN = env_str("TICKETCLF_METRICS_TOKEN")
RETENTION_DAYS = env_int("TICKETCLF_RETENTION_DAYS", 0)
