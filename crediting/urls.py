"""Addresses below /t/<tenant>/."""

from __future__ import annotations

from django.urls import URLPattern, path

from crediting.pages import alignments, deals, deliveries, endpoints, issues, mappings, transfers, uploads

urlpatterns: list[URLPattern] = [
    path("issues/", issues.issue_list, name="issue_list"),
    path("issues/<int:issue>/", issues.issue, name="issue"),
    path("issues/<int:issue>/resolve/", issues.issue_resolve, name="issue_resolve"),
    path("deliveries/", deliveries.delivery_list, name="delivery_list"),
    path("deliveries/<int:delivery>/", deliveries.delivery, name="delivery"),
    path("uploads/", uploads.upload_list, name="upload_list"),
    path("uploads/<int:upload>/", uploads.upload, name="upload"),
    path("uploads/<int:upload>/match/", uploads.upload_match, name="upload_match"),
    path("uploads/<int:upload>/take/", uploads.upload_take, name="upload_take"),
    path("uploads/<int:upload>/progress/", uploads.upload_progress, name="upload_progress"),
    path("uploads/<int:upload>/to-correct/", uploads.upload_bad, name="upload_bad"),
    path("territories/", alignments.alignment_list, name="alignment_list"),
    path("territories/<int:pk>/", alignments.alignment, name="alignment"),
    path("territories/<int:pk>/apply/", alignments.alignment_put, name="alignment_put"),
    path("endpoints/", endpoints.endpoint_list, name="endpoint_list"),
    path("endpoints/new/", endpoints.endpoint_add, name="endpoint_add"),
    path("endpoints/<int:endpoint>/", endpoints.endpoint, name="endpoint"),
    path("endpoints/<int:endpoint>/secret/", endpoints.endpoint_secret, name="endpoint_secret"),
    path("endpoints/<int:endpoint>/mapping/", mappings.endpoint_mapping, name="endpoint_mapping"),
    path("endpoints/<int:endpoint>/progress/", mappings.endpoint_progress, name="endpoint_progress"),
    path("deals/<int:deal>/", deals.deal, name="deal"),
    path("deals/<int:deal>/transfer/", transfers.deal_transfer, name="deal_transfer"),
    path("deals/<int:deal>/transfers/<int:transfer>/", transfers.transfer_withdraw, name="transfer_withdraw"),
]
