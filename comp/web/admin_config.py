"""The admin app with our own site. It discovers nothing by itself: comp/urls.py names the modules that register."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class AdminConfig(SimpleAdminConfig):
    default_site = "comp.web.admin_site.CompAdminSite"
