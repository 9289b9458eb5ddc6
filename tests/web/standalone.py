"""Just enough settings to render the gallery without a database: `DJANGO_SETTINGS_MODULE=tests.web.standalone`."""

from pathlib import Path

from csp.constants import NONE, SELF
from django.http import HttpRequest, HttpResponse
from django.urls import path

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "for tests only"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
STATIC_URL = "/static/"
USE_TZ = True
INSTALLED_APPS = [
    "comp.web.apps.WebConfig",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "django_htmx",
    "template_partials",
    "heroicons",
]
MIDDLEWARE = ["csp.middleware.CSPMiddleware", "django_htmx.middleware.HtmxMiddleware"]
CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"default-src": [SELF], "object-src": [NONE], "base-uri": [NONE]}}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request", "tests.web.standalone.shell"]},
    }
]


def shell(request: HttpRequest) -> dict[str, object]:
    labels = [("Home", "home", False), ("Deals", "briefcase", False), ("Statements", "document-text", False)]
    labels += [
        ("Estimate", "calculator", False),
        ("Plan", "map", True),
        ("Questions", "chat-bubble-left-ellipsis", True),
    ]
    return {
        "tenant": {"name": "Ravenna Systems", "slug": "ravenna"},
        "who": {"name": "Darcel Schlecht", "role": "Representative", "initials": "DS"},
        "tenants": [{"name": "Ravenna Systems", "slug": "ravenna"}, {"name": "Rival Ltd", "slug": "rival"}],
        "nav": [
            {
                "label": label,
                "url": "#",
                "icon": icon,
                "extra": extra,
                "current": label == "Home",
                "count": 2 if label == "Deals" else 0,
            }
            for label, icon, extra in labels
        ],
    }


def page(request: HttpRequest, name: str) -> HttpResponse:
    from django.shortcuts import render

    return render(request, name)


def gallery(request: HttpRequest) -> HttpResponse:
    from comp.web import pages

    return pages.gallery(request)


def gallery_live(request: HttpRequest) -> HttpResponse:
    from comp.web import pages

    return pages.gallery_live(request)


urlpatterns = [
    path("design/", gallery),
    path("design/live/", gallery_live, name="design_live"),
    path("page/<path:name>", page),
]
