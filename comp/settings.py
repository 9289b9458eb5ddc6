"""Settings, from the environment only. Typed readers refuse what they cannot read: a misspelt boolean stops the
start."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlparse

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """The variable, or the content of the file named by NAME_FILE (secrets mounted as files)."""
    if file := os.environ.get(f"{name}_FILE"):
        return Path(file).read_text().strip()
    return os.environ.get(name, default)


def env_bool(name: str, default: bool) -> bool:
    text = env(name)
    if not text:
        return default
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name}: found {text!r}, allowed are true and false")


def env_int(name: str, default: int) -> int:
    text = env(name)
    try:
        return int(text) if text else default
    except ValueError:
        raise ImproperlyConfigured(f"{name}: found {text!r}, allowed is a whole number") from None


def database(url: str) -> dict[str, Any]:
    """postgresql://user:password@host:port/name?host=/socket/folder to Django's settings."""
    found = urlparse(url)
    if found.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(f"DATABASE_URL: found scheme {found.scheme!r}, allowed is postgresql")
    query = dict(parse_qsl(found.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(found.path.lstrip("/")),
        "USER": unquote(found.username or ""),
        "PASSWORD": unquote(found.password or ""),
        "HOST": query.pop("host", "") or unquote(found.hostname or ""),
        "PORT": query.pop("port", "") or str(found.port or ""),
        "CONN_MAX_AGE": env_int("DATABASE_CONN_MAX_AGE", 300),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"application_name": "comp", "connect_timeout": 5, **query},
        "ATOMIC_REQUESTS": False,
    }


DEBUG = env_bool("DEBUG", False)
BEHIND_TLS = env_bool("BEHIND_TLS", False)
# `manage.py` help, checks and the pure commands need no secret; anything that serves does.
SECRET_KEY = env("SECRET_KEY", "not-a-secret-for-checks-and-tests-only-" + "0" * 32)
# What secrets were encrypted and sessions signed with before: still read.
SECRET_KEY_FALLBACKS = [word for word in env("SECRET_KEY_FALLBACKS").split(",") if word]
ALLOWED_HOSTS = [h for h in env("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver").split(",") if h]
CSRF_TRUSTED_ORIGINS = [o for o in env("CSRF_TRUSTED_ORIGINS").split(",") if o]

INSTALLED_APPS = [
    "comp.tenancy",
    "comp.audit",
    "comp.outbox",
    "comp.people",
    "comp.web",
    "comp.api",
    "plans",
    "crediting",
    "payouts",
    "signals",
    "comp.wiring.WiringConfig",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.simple_history",
    "comp.web.admin_config.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "csp",
    "django_htmx",
    "template_partials",
    "heroicons",
    "rest_framework",
    "drf_spectacular",
    "simple_history",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "crediting.api.door.HooksFirst",
    "comp.web.sizes.BodyLimit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "comp.web.csp.AdminPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    # Innermost but one: everything that a tenant's page reads and renders happens inside its transaction.
    "comp.people.middleware.TenantMiddleware",
    "comp.people.api_middleware.ApiMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "comp.urls"
WSGI_APPLICATION = "comp.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "comp.web.context.shell",
            ],
        },
    },
]

# The runtime connects as comp_app, which owns nothing; migrations run as the owner (COMP_AS_OWNER=1).
AS_OWNER = env_bool("COMP_AS_OWNER", False)
OWNER_URL = env("DATABASE_URL", "postgresql://comp_owner@/comp")
APP_URL = env("DATABASE_APP_URL")
if not APP_URL:
    owner = urlparse(OWNER_URL)
    at = owner.netloc.rpartition("@")[2]
    word = env("COMP_APP_PASSWORD")
    APP_URL = owner._replace(netloc=f"comp_app{':' + word if word else ''}@{at}").geturl()
DATABASES = {"default": database(OWNER_URL if AS_OWNER else APP_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []

REDIS_URL = env("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Redis is a doorbell, not a ledger: what must not be lost is a row in PostgreSQL first (comp/outbox).
CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "work"
CELERY_TASK_ROUTES = {
    name: {"queue": "jobs"} for name in ("comp.outbox.job", "comp.api.send", "payouts.sample", "payouts.remind")
}
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 200
CELERY_TASK_TIME_LIMIT = 240
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 1200,  # beyond every task's time limit (comp.outbox.job), or another worker gets it too
    "unacked_restore_interval": 5,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "retry_on_timeout": True,
}
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "comp.outbox.sweep", "schedule": 15.0, "options": {"expires": 60}},
    "sample": {"task": "payouts.sample", "schedule": 60.0, "options": {"expires": 60}},
    "days": {"task": "payouts.days", "schedule": 900.0, "options": {"expires": 900}},
    "remind": {"task": "payouts.remind", "schedule": 1800.0, "options": {"expires": 1800}},
}

# Mail: without a server it is written to the log of whoever sends it.
EMAIL_HOST = env("EMAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_PORT = env_int("EMAIL_PORT", 587)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env("EMAIL_HOST_USER"), env("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL") or "comp@localhost"
#: Where people reach the product, for links in mail.
PUBLIC_URL = (env("PUBLIC_URL") or "http://localhost:8000").rstrip("/")

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_USER_MODEL = "tenancy.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "account_login"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "comp.tenancy.accounts.ClosedSignupAdapter"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ACCESS_FAILURE_LOG = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["comp.api.permissions.ByKey"],
    "DEFAULT_PERMISSION_CLASSES": ["comp.api.permissions.Refused"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "comp.api.schema.Schema",
    "EXCEPTION_HANDLER": "comp.api.errors.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Comp",
    "VERSION": "1",
    "DESCRIPTION": "People, plans, quotas, facts, and what follows from them. See docs/api.md.",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "VersionState": "plans.models.PlanVersion.State",
        "StatementState": "payouts.models.Statement.State",
        "BatchState": "payouts.models.Batch.State",
        "DisputeState": "payouts.models.Dispute.State",
    },
}
#: Calls a minute: of one API key; of an address with no good one, or to hooks that there are not.
API_RATE = env_int("API_RATE", 600)
API_GUESSES = env_int("API_GUESSES", 30)

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", str(ROOT / ".comp" / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if "pytest" in sys.modules or DEBUG:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_USE_FINDERS = True
    WHITENOISE_AUTOREFRESH = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = env_bool("SSL_REDIRECT", True)
    SECURE_HSTS_SECONDS = 365 * 86400
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    SECURE_REDIRECT_EXEMPT = [r"^health/$"]

#: What a form may hold beside its files, at most: a checked table comes back as a field. How much each page takes is
#: judged before any of it is read (comp.web.sizes).
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
#: A webhook body larger than this is refused with 413.
HOOK_BODY_LIMIT = env_int("HOOK_BODY_LIMIT", 256 * 1024)
#: Either side of now, in seconds (Standard Webhooks).
HOOK_WINDOW = 300

# History tables are filled by triggers (comp/audit), which bulk writes cannot slip past; never by signals as well.
SIMPLE_HISTORY_ENABLED = False

UNFOLD = {
    "SITE_TITLE": "Comp administration",
    "SITE_HEADER": "Comp",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    # The portal's green, from its wash to its darkest.
    "COLORS": {
        "primary": {
            "50": "#f1f8f5",
            "100": "#e5f2ec",
            "200": "#c6e3d6",
            "300": "#9acfb8",
            "400": "#5cb592",
            "500": "#2a9069",
            "600": "#0a6b4b",
            "700": "#095a40",
            "800": "#084833",
            "900": "#073a2a",
            "950": "#042018",
        }
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", "INFO")},
    "loggers": {"axes": {"level": "WARNING"}},
}
