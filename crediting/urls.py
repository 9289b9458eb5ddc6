"""Addresses below /t/<tenant>/."""

from __future__ import annotations

from django.urls import URLPattern, path

from crediting.pages import deals, deliveries, issues

urlpatterns: list[URLPattern] = [
    path("issues/", issues.issue_list, name="issue_list"),
    path("issues/<int:issue>/", issues.issue, name="issue"),
    path("issues/<int:issue>/resolve/", issues.issue_resolve, name="issue_resolve"),
    path("deliveries/", deliveries.delivery_list, name="delivery_list"),
    path("deliveries/<int:delivery>/", deliveries.delivery, name="delivery"),
    path("deals/<int:deal>/", deals.deal, name="deal"),
]
