"""Addresses below /t/<tenant>/: keys of the API."""

from __future__ import annotations

from django.urls import path

from comp.people.pages import keys

urlpatterns = [
    path("keys/", keys.key_list, name="key_list"),
    path("keys/new/", keys.key_add, name="key_add"),
    path("keys/<int:pk>/end/", keys.key_stop, name="key_stop"),
]
