"""Addresses below /t/<tenant>/: plans and their versions, who is on them, quotas."""

from __future__ import annotations

from django.urls import path

from plans.pages import people, plans, templates, versions

VERSION = "plans/<slug:key>/versions/<int:number>/"

urlpatterns = [
    path("plans/", plans.plan_list, name="plan_list"),
    path("new-plan/", plans.plan_add, name="plan_add"),
    path("plans/templates/", templates.template_list, name="template_list"),
    path("plans/templates/<slug:template_key>/", templates.template_preview, name="template_preview"),
    path("plans/<slug:key>/", plans.plan, name="plan"),
    path("plans/<slug:key>/import/", versions.version_import, name="version_import"),
    path(VERSION, versions.version, name="version"),
    path(f"{VERSION}edit/", versions.version_edit, name="version_edit"),
    path(f"{VERSION}preview/", versions.version_preview, name="version_preview"),
    path(f"{VERSION}export/", versions.version_export, name="version_export"),
    path(f"{VERSION}publish/", versions.version_publish, name="version_publish"),
    path(f"{VERSION}against/<int:other>/", versions.version_diff, name="version_diff"),
    path("people/", people.assignment_list, name="assignment_list"),
    path("people/assign/", people.assignment_add, name="assignment_add"),
    path("people/assignments/<int:pk>/end/", people.assignment_end, name="assignment_end"),
    path("quotas/", people.quota_list, name="quota_list"),
    path("quotas/new/", people.quota_edit, name="quota_add"),
    path("quotas/<int:pk>/", people.quota_edit, name="quota_edit"),
]
