"""Audit entries: who did what, to what, with which reason; chained by digest per tenant."""

from __future__ import annotations

from django.db import models

from comp.tenancy.models import TenantModel, User
from comp.tenancy.walls import AppendOnly


class AuditEntry(TenantModel):
    """One act. `code` is dotted (`plan.version.publish`). `digest` covers the entry and the digest before it."""

    number = models.BigIntegerField()  # from 1 within the tenant, without gaps
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_label = models.CharField(max_length=200)
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False)
    on_behalf = models.CharField(max_length=200, blank=True)  # in whose place: of a deputy
    trace = models.CharField(max_length=64, blank=True)  # request or task id
    address = models.CharField(max_length=45, blank=True)  # where from: the network address, as the server saw it
    agent = models.CharField(max_length=300, blank=True)  # and the program that was used, as it named itself
    code = models.CharField(max_length=80)
    subject_kind = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    subject_label = models.CharField(max_length=200)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    previous_digest = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "audit entries"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="audit_number"),
            AppendOnly(name="audit_append"),
        ]
        indexes = [
            models.Index(fields=["tenant", "subject_kind", "subject_id"], name="audit_subject"),
            models.Index(fields=["tenant", "at"], name="audit_at"),
        ]
