"""Every setting, and every environment variable but the keys of models, which are read by name where a call is made."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF

from .env import env_bool, env_int, env_list, env_str, env_url, secret_key

# Read when the libraries of linear algebra are loaded. A second thread of theirs waits for the first in a loop, which
# on a busy machine holds up both and all others: a training takes several times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env_str("TICKETCLF_VAR", str(BASE_DIR / "var")))

DEBUG = env_bool("TICKETCLF_DEBUG", False)
SECRET_KEY = secret_key("TICKETCLF_SECRET_KEY", VAR_DIR / "secret_key")
ALLOWED_HOSTS = env_list("TICKETCLF_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
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
    "axes",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "django_tasks",
    "django_tasks_db",
    "simple_history",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "ticketclf_site.kept.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "ticketclf_site.auth.OneQueryBackend"]
# Sign-in is throttled: after so many failures of one name from one address it waits. Behind a proxy everybody has the
# proxy's address, so there the name alone counts.
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "ticketclf_site.throttle.locked_out"
# Trying on does not make the wait longer: it ends when the page says.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

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
                "classifier.context_processors.gate",
            ],
        },
    },
]

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
        # The few statements that are sent apart from their values (`review.prepared`) stay planned from the first on.
        database["OPTIONS"] = database.get("OPTIONS", {}) | {"prepare_threshold": 0}
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}}
WORKER_THREADS = env_int("TICKETCLF_WORKER_THREADS", 4, least=1)
WEB_THREADS = env_int("TICKETCLF_WEB_THREADS", 8, least=1)

# The embedded model: files of one's own may stand in for the packaged ones.
ENCODER_FILE = env_str("TICKETCLF_ENCODER_FILE")
TOKENIZER_FILE = env_str("TICKETCLF_TOKENIZER_FILE")

SESSION_ENGINE = "ticketclf_site.sessions"
CSRF_FAILURE_VIEW = "ticketclf_site.kept.csrf_failure"
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
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Static files are served straight from the source folders; no collecting before a first start.
WHITENOISE_USE_FINDERS = True

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
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env_bool("TICKETCLF_HTTPS", False)
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # the draft of a large taxonomy is one form

# Of the leads' e-mails and the alarm's webhook: where this installation is found, and who is told.
SITE_URL = env_url("TICKETCLF_SITE_URL", "http://127.0.0.1:8000").rstrip("/")
ALARM_WEBHOOK = env_url("TICKETCLF_ALARM_WEBHOOK")
EMAIL_HOST = env_str("TICKETCLF_EMAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"
EMAIL_PORT = env_int("TICKETCLF_EMAIL_PORT", 587)
EMAIL_HOST_USER = env_str("TICKETCLF_EMAIL_USER")
EMAIL_HOST_PASSWORD = env_str("TICKETCLF_EMAIL_PASSWORD")
EMAIL_USE_TLS = env_bool("TICKETCLF_EMAIL_TLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env_str("TICKETCLF_EMAIL_FROM", "ticketclf@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env_str("TICKETCLF_LOG_LEVEL", "WARNING")},
}
