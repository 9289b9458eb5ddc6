"""Addresses below /t/<tenant>/."""

from __future__ import annotations

from django.urls import URLPattern

from comp.web.pages_audit import audit_urls

urlpatterns: list[URLPattern] = [*audit_urls]
