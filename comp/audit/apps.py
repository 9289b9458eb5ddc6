from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "comp.audit"
    label = "audit"
    verbose_name = "Audit trail"
