"""Addresses. Everything of a tenant lives below /t/<tenant>/, so that the middleware knows it before any view runs."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
