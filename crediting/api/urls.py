"""Addresses below /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, path

from crediting.api import alignments, bulk, facts

urlpatterns: list[URLPattern] = [
    path("alignments", alignments.Alignments.as_view(), name="api_alignments"),
    path("alignments/apply", alignments.Align.as_view(), name="api_alignment_apply"),
    path("alignments/<int:pk>/rules", alignments.AlignmentRules.as_view(), name="api_alignment_rules"),
    path("deals", facts.Deals.as_view(), name="api_deals"),
    path("deals/<int:pk>", facts.OneDeal.as_view(), name="api_deal"),
    path("facts", facts.Facts.as_view(), name="api_facts"),
    path("facts/bulk", bulk.Bulk.as_view(), name="api_bulk"),
    path("deliveries/<int:pk>", bulk.OneDelivery.as_view(), name="api_delivery"),
    path("deliveries/<int:pk>/items", bulk.Items.as_view(), name="api_items"),
    path("facts/<int:pk>", facts.OneFact.as_view(), name="api_fact"),
]
