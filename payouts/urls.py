"""Addresses below /t/<tenant>/."""

from __future__ import annotations

from django.urls import URLPattern

from payouts.pages.batches import batch_urls
from payouts.pages.ledger import ledger_urls

urlpatterns: list[URLPattern] = [*batch_urls, *ledger_urls]
