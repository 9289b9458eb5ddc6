"""Addresses below /t/<tenant>/: keys of the API, webhooks, rates of exchange, calendars, one person."""

from __future__ import annotations

from django.urls import path

from comp.people.pages import access, calendars, erasures, keys, person, rates, webhooks

urlpatterns = [
    path("access/", access.access_review, name="access_review"),
    path("erasures/", erasures.erasure_list, name="erasure_list"),
    path("erasures/retention/", erasures.retention, name="retention"),
    path("erasures/<int:pk>/agree/", erasures.erasure_agree, name="erasure_agree"),
    path("participants/<int:pk>/erase/", erasures.erasure_new, name="erasure_new"),
    path("keys/", keys.key_list, name="key_list"),
    path("keys/new/", keys.key_add, name="key_add"),
    path("keys/<int:pk>/end/", keys.key_stop, name="key_stop"),
    path("participants/<int:pk>/", person.person, name="person"),
    path("participants/<int:pk>/attribute/", person.person_attribute, name="person_attribute"),
    path("participants/<int:pk>/away/", person.person_away, name="person_away"),
    path("participants/<int:pk>/leave/<int:leave>/", person.person_back, name="person_back"),
    path("calendars/", calendars.calendar_list, name="calendar_list"),
    path("calendars/<int:pk>/", calendars.calendar, name="calendar"),
    path("calendars/<int:pk>/add/", calendars.holiday_add, name="holiday_add"),
    path("calendars/<int:pk>/upload/", calendars.holiday_upload, name="holiday_upload"),
    path("calendars/<int:pk>/holidays/<int:holiday>/remove/", calendars.holiday_end, name="holiday_end"),
    path("rates/", rates.rate_list, name="rate_list"),
    path("rates/new/", rates.rate_add, name="rate_add"),
    path("rates/upload/", rates.rate_upload, name="rate_upload"),
    path("rates/<int:pk>/", rates.rate, name="rate"),
    path("rates/<int:pk>/change/", rates.rate_change, name="rate_change"),
    path("webhooks/", webhooks.webhook_list, name="webhook_list"),
    path("webhooks/new/", webhooks.webhook_add, name="webhook_add"),
    path("webhooks/<int:pk>/", webhooks.webhook, name="webhook"),
    path("webhooks/<int:pk>/rotate/", webhooks.webhook_turn, name="webhook_rotate"),
    path("webhooks/<int:pk>/end/", webhooks.webhook_stop, name="webhook_end"),
    path("webhooks/<int:pk>/again/<int:message>/", webhooks.message_again, name="webhook_replay"),
]
