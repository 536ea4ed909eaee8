"""Settings: every value an operator may set is read here, once, from the environment or `.env`.

`./run` generates what has no sensible default (secrets) into DATA_DIR; a wrong value stops the start.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF

from smsapp import valkey

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

# Tests use a folder of their own, and nothing of this machine's .env.
TESTING = "pytest" in sys.modules
# Builds and checks touch nobody's data. manage.py and wsgi.py forget this for whatever serves.
_BUILDING = bool(os.environ.get("DJANGO_BUILD"))
if TESTING:
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="smsapp-test-")
else:
    env.read_env(BASE_DIR / ".env")

# ---- Where things are ---------------------------------------------------------------------------

# Folder of everything that must survive: database, queue, secrets, uploads.
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var"))).resolve()
# What we and the processes we start write is for us alone: the database above all.
os.umask(0o077)
# Address under which browsers and providers reach this site, without a slash at the end.
PUBLIC_URL = env.str("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in ("http", "https") or not _public.hostname or _public.path:
    sys.exit(f"PUBLIC_URL must look like https://sms.example.org, not {PUBLIC_URL!r}.")


# What builds and tests run with: everybody knows it, and `manage.py doctor` looks for it.
BUILD_SECRET = "0123456789abcdef0123456789abcdef0123456789A="  # noqa: S105


def _secret(name: str) -> str:
    """Give the secret from the environment, else from the file `./run` made in DATA_DIR."""
    if value := os.environ.get(name):
        return value
    file = DATA_DIR / "secrets" / name.lower()
    if file.exists():
        return file.read_text().strip()
    if TESTING or _BUILDING:
        return BUILD_SECRET
    sys.exit(f"{name} is not set and {file} does not exist. Start with ./run, which makes it.")


# Signs sessions and links. Older ones, a line each, still open what they signed (`rotate-keys --signing`).
SECRET_KEY, *_older = _secret("SECRET_KEY").splitlines()
SECRET_KEY_FALLBACKS = [*env.list("SECRET_KEY_FALLBACKS", default=[]), *_older]
# Where they are, None while the environment has them.
SECRET_KEY_FILE: Path | None = DATA_DIR / "secrets" / "secret_key"
if os.environ.get("SECRET_KEY") or not SECRET_KEY_FILE.exists():  # type: ignore[union-attr]
    SECRET_KEY_FILE = None
# Keys that encrypt providers' credentials, newest first, separated by commas.
FIELD_KEYS = _secret("FIELD_KEYS").split(",")
# Where they are read again when they change, None while the environment has them.
FIELD_KEYS_FILE: Path | None = DATA_DIR / "secrets" / "field_keys"
if os.environ.get("FIELD_KEYS") or not FIELD_KEYS_FILE.exists():  # type: ignore[union-attr]
    FIELD_KEYS_FILE = None

# Show tracebacks in the browser. Never on a site others can reach.
DEBUG = env.bool("DEBUG", False)
# Names under which the site answers; providers and browsers use the one in PUBLIC_URL.
ALLOWED_HOSTS = [
    *env.list("ALLOWED_HOSTS", default=[]),
    _public.hostname,
    "localhost",
    "127.0.0.1",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# ---- Applications -------------------------------------------------------------------------------

INSTALLED_APPS = [
    "accounts",
    "contacts",
    "phones",
    "messaging",
    "campaigns",
    "smsapp",
    "django.forms",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "django_rq",
    "template_partials",
]

MIDDLEWARE = [
    "smsapp.observing.Observed",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "smsapp.middleware.Forbidding",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "smsapp.middleware.Door",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.PersonMiddleware",
    "accounts.features.Switched",
]

ROOT_URLCONF = "smsapp.urls"
WSGI_APPLICATION = "smsapp.wsgi.application"

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
                "smsapp.context.page",
            ],
            "builtins": ["smsapp.templatetags.words", "django.templatetags.i18n"],
        },
    },
]
FORM_RENDERER = "smsapp.forms.Renderer"

# ---- Database -----------------------------------------------------------------------------------


def attentive(given: dict[str, Any]) -> dict[str, Any]:
    """Let a PostgreSQL that is gone without a word be noticed within 15 seconds; what is given wins.

    Else a cut cable hangs who waits for an answer for two hours (tcp_keepalive_time), and who sends for a
    quarter of one. See https://www.postgresql.org/docs/current/libpq-connect.html.
    """
    keepalives = {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3}
    return {"connect_timeout": 5, "tcp_user_timeout": 15_000, **keepalives, **given}


# sqlite:///path or postgres://user:password@host/name
DATABASES = {
    "default": env.db("DATABASE_URL", f"sqlite:///{DATA_DIR / 'smsapp.sqlite3'}"),
}
_database = DATABASES["default"]
# Seconds. Opening costs as much as what a callback does then; SQLite tidies up as the last one closes.
_database.setdefault("CONN_MAX_AGE", 60)
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # WAL lets readers go on while one writes; IMMEDIATE waits for the write lock instead of failing
    # when a read is upgraded. Measured in shared facts and in docs/performance.md. What is deleted is
    # overwritten: somebody who was erased must not stay in free pages.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;",
    }
    # A file, because threads cannot share the in-memory database that Django would test with.
    _database["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    _database["CONN_HEALTH_CHECKS"] = True
    _database["OPTIONS"] = attentive(_database.get("OPTIONS", {}))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---- Queue --------------------------------------------------------------------------------------

# redis://, rediss:// or unix:// address of Redis or Valkey; `./run` starts one when it is not set.
REDIS_URL = env.str("REDIS_URL", "") or valkey.url(valkey.socket_path(DATA_DIR))
_queue = {
    "URL": REDIS_URL,
    "DEFAULT_TIMEOUT": 300,
    "SERIALIZER": "rq.serializers.JSONSerializer",
}
RQ_QUEUES = {"default": _queue, "send": _queue}
CACHES = {
    "default": {
        "BACKEND": "lib.cache.ForgetfulCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
    }
}

# ---- People -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "name"]},
    },
    {"NAME": "accounts.validators.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Let strangers make an account of their own.
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", False)
# Domains of the e-mail addresses with which they may, where sign-up is open; none: any.
SIGNUP_DOMAINS = [domain.strip().lower() for domain in env.list("SIGNUP_DOMAINS", default=[])]
# Who must have a second factor: nobody, administrators (of the site) or everybody.
REQUIRE_SECOND_FACTOR = env.str("REQUIRE_SECOND_FACTOR", "nobody")
if REQUIRE_SECOND_FACTOR not in ("nobody", "administrators", "everybody"):
    sys.exit(
        "REQUIRE_SECOND_FACTOR must be nobody, administrators or everybody, "
        f"not {REQUIRE_SECOND_FACTOR!r}."
    )
# OpenID Connect: address of a provider (what stands before /.well-known/openid-configuration), and what it
# calls this site. It is told the address PUBLIC_URL/login/with/oidc/callback/.
OIDC_URL = env.str("OIDC_URL", "")
# How people call it: "Log in with Example".
OIDC_NAME = env.str("OIDC_NAME", "single sign-on")
# Set when every address it names is proven, though it does not say so (`email_verified`).
OIDC_TRUST_EMAIL = env.bool("OIDC_TRUST_EMAIL", False)
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {}
if OIDC_URL:
    if urlsplit(OIDC_URL).scheme not in ("http", "https") or not env.str("OIDC_CLIENT_ID", ""):
        sys.exit("OIDC_URL must be an https:// address, and OIDC_CLIENT_ID must be set beside it.")
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": OIDC_NAME,
                "client_id": env.str("OIDC_CLIENT_ID", ""),
                "secret": env.str("OIDC_CLIENT_SECRET", ""),
                "settings": {"server_url": OIDC_URL},
            }
        ],
    }
SOCIALACCOUNT_ADAPTER = "accounts.single_sign_on.Adapter"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PRESERVE_USERNAME_CASING = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/h/key",
    "change_email": "10/h/user",
    "invite": "30/h/user",  # mails: nobody's site shall write to the world
}
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
MFA_ADAPTER = "accounts.adapter.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# Addresses are proven by invitation, by the mail of sign-up or by an administrator.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# Codes of 30 seconds before and after count, too: clocks of telephones differ.
MFA_TOTP_TOLERANCE = 1
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30  # seconds: "remember me" keeps people for 30 days

# ---- Mail ---------------------------------------------------------------------------------------

# smtp://user:password@host:587/?tls=True; without it mails are written to DATA_DIR/mail.
EMAIL_URL = env.str("EMAIL_URL", "")
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(DATA_DIR / "mail")
# What administrators have set on the page of the site comes first.
EMAIL_BACKEND_OTHERWISE, EMAIL_BACKEND = EMAIL_BACKEND, "accounts.mailing.Backend"
EMAIL_TIMEOUT = 20  # seconds
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", f"smsapp@{_public.hostname}")

# ---- Language and time --------------------------------------------------------------------------

LANGUAGE_CODE = (
    env.str("LANGUAGE", "en") if env.str("LANGUAGE", "en") in ("en", "fr", "es") else "en"
)
LANGUAGES = [("en", "English"), ("fr", "Français"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "smsapp" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
USE_THOUSAND_SEPARATOR = True

# ---- Files --------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = DATA_DIR / "media"
# Bytes. One picture of a message; most carriers refuse more than 5 MB in all.
MEDIA_LIMIT = 5 * 1024 * 1024
# Bytes of a file of contacts: some 300,000 people.
IMPORT_LIMIT = 30 * 1024 * 1024
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = TESTING or DEBUG
# Looked up when asked for: each client of a test would list them all.
WHITENOISE_AUTOREFRESH = TESTING or DEBUG
FILE_UPLOAD_PERMISSIONS = 0o600

# ---- Security -----------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
if OIDC_URL:
    # The button's form is answered by sending the browser there.
    _provider = "{0.scheme}://{0.netloc}".format(urlsplit(OIDC_URL))
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] = [SELF, _provider]
_secure = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _secure
if _secure:
    # So named, browsers take them from this very host only: no neighbour below its domain can plant one.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SESSION_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365 if _secure else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# Set when a reverse proxy in front ends TLS, overwrites X-Forwarded-Proto and adds to X-Forwarded-For.
_behind_proxy = env.bool("BEHIND_PROXY", False)
if _behind_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    # Else everybody had the proxy's address, and one who guesses passwords locked all others out.
    ALLAUTH_TRUSTED_PROXY_COUNT = 1
# Somebody in front ends TLS, whether BEHIND_PROXY says so or not: we never do.
PROXIED = _behind_proxy or _secure
CSRF_FAILURE_VIEW = "smsapp.views.csrf_failure"
DEFAULT_EXCEPTION_REPORTER_FILTER = "smsapp.reporting.ReportFilter"
# Bytes of a request. Room for a photo that is too large, so that its form can say so.
REQUEST_LIMIT = 32 * 1024 * 1024

# ---- Sending and receiving ----------------------------------------------------------------------

# Hosts or networks in private address space that phones may talk to, e.g. 192.168.1.20,10.8.0.0/16.
ALLOW_PRIVATE_ADDRESSES = env.list("ALLOW_PRIVATE_ADDRESSES", default=[])
# Address of the simulated provider; `./run` starts one and sets it.
SIMULATOR_URL = env.str("SIMULATOR_URL", "")
# Folders of Gammu SMSD that phones may use: name=/folder or, for who knows a code, name:code=/folder.
GAMMU_SPOOLS = env.dict("GAMMU_SPOOLS", default={})
# Databases of Gammu SMSD that phones may use, named alike: sqlite:////file or postgres://user:password@host/name.
GAMMU_DATABASES = env.dict("GAMMU_DATABASES", default={})
if wrong := [name for name, folder in GAMMU_SPOOLS.items() if not folder.startswith("/")]:
    sys.exit(
        f"GAMMU_SPOOLS must hold whole paths such as {wrong[0].split(':')[0]}=/var/spool/gammu."
    )
if wrong := [
    name
    for name, url in GAMMU_DATABASES.items()
    if urlsplit(url).scheme not in ("sqlite", "postgres", "postgresql")
]:
    sys.exit(
        f"GAMMU_DATABASES must hold addresses such as {wrong[0].split(':')[0]}=sqlite:////var/smsd.db."
    )
# Values the operator gives to every phone of a type, over what its page says: {type: {field: value}}.
PHONE_SETTINGS: dict[str, dict[str, Any]] = {}
if SIMULATOR_URL:
    PHONE_SETTINGS["simulator"] = {"base_url": SIMULATOR_URL}
if GAMMU_SPOOLS or GAMMU_DATABASES:
    PHONE_SETTINGS["gammu"] = {"spools": GAMMU_SPOOLS, "databases": GAMMU_DATABASES}
# Seconds a claimed message may take before its worker is believed dead. Above every provider time-out.
SENDING_LEASE = env.int("SENDING_LEASE", 90)
# Messages a worker hands to one provider at the same time.
SENDING_CONCURRENCY = env.int("SENDING_CONCURRENCY", 16)
# Seconds between two looks for work that lost its wake-up.
TICK_SECONDS = env.int("TICK_SECONDS", 2)
# Days that exchanges with providers are kept.
KEEP_EXCHANGES_DAYS = env.int("KEEP_EXCHANGES_DAYS", 7)
# Seconds that the first parts of a long reply wait for the others before they are shown without them.
PARTS_WAIT = env.int("PARTS_WAIT", 600)
# Bytes of a callback; larger ones are answered 413.
CALLBACK_LIMIT = 256 * 1024
# Bytes of one that carries pictures; what carriers pass on is smaller.
CALLBACK_MEDIA_LIMIT = DATA_UPLOAD_MAX_MEMORY_SIZE = 3 * 1024 * 1024

# ---- Watching -----------------------------------------------------------------------------------

# What Prometheus shows to read /metrics; without it only this machine itself may.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
# Where errors are reported to, without any value that was on the way; needs the package sentry-sdk.
SENTRY_DSN = env.str("SENTRY_DSN", "")
# `line` for people, `json` for programs: then with a line per request and per batch of messages.
LOG_FORMAT = env.str("LOG_FORMAT", "line")
if LOG_FORMAT not in ("line", "json"):
    sys.exit(f"LOG_FORMAT must be line or json, not {LOG_FORMAT!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "openings": {"()": "lib.redact.HideOpenings"},
        "numbers": {"()": "lib.logs.HideNumbers"},
    },
    "formatters": {
        "line": {"format": "%(levelname)s %(name)s: %(message)s"},
        "json": {"()": "lib.logs.AsJson"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["openings", "numbers"],
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
    # RQ prints the arguments of each job at INFO; ours are ids, but a line per wake-up is noise.
    "loggers": {
        "rq": {"level": "WARNING"},
        "journal": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
        # These name the addresses that were asked for.
        "django.request": {"filters": ["openings"]},
        "django.server": {"filters": ["openings"]},
        "django.security.csrf": {"filters": ["openings"]},
    },
}
SILENCED_SYSTEM_CHECKS: list[str] = []
RQ = {"WORKER_CLASS": "lib.jobs.Worker"}
