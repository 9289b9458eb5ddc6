"""Addresses. Everything of a tenant lives below /t/<tenant>/, so that the middleware knows it before any view runs."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

import comp.people.admin  # noqa: F401  (it registers its screens, as do the next two)
import comp.web.admin  # noqa: F401
import plans.admin  # noqa: F401
from comp.api.schema import openapi
from comp.web import pages, pages_start
from crediting.api.hooks import hook

urlpatterns = [
    path("", pages_start.start, name="start"),
    path("choose/", pages_start.choose, name="choose"),
    path("health/", pages_start.health, name="health"),
    path("hooks/<slug:token>/", hook, name="hook"),
    path("hooks/<slug:token>/<path:rest>", hook, name="hook_below"),
    # Inside the tenant of the caller's key.
    path("api/v1/", include("comp.people.api")),
    path("api/v1/", include("comp.people.api_dated")),
    path("api/v1/", include("plans.api")),
    path("api/v1/", include("crediting.api.urls")),
    path("api/v1/", include("payouts.api")),
    path("api/v1/", include("payouts.api_roster")),
    path("api/v1/", include("payouts.api_disputes")),
    path("api/openapi.json", openapi, name="openapi"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    # A company's front door: no room takes the empty path below it.
    path("t/<slug:tenant>/", pages_start.enter, name="enter"),
    path("t/<slug:tenant>/", include("payouts.urls")),
    path("t/<slug:tenant>/", include("crediting.urls")),
    path("t/<slug:tenant>/", include("plans.urls")),
    path("t/<slug:tenant>/", include("comp.people.urls")),
    path("t/<slug:tenant>/", include("comp.web.urls")),
]
if settings.DEBUG:
    # Every component on one page, for those who build pages.
    urlpatterns += [
        path("design/", pages.gallery, name="design"),
        path("design/live/", pages.gallery_live, name="design_live"),
    ]
