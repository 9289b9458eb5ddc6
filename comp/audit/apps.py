from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "comp.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        # Tenancy stands below and may not import the audit trail; its acts are recorded all the same.
        from comp.audit.services import record
        from comp.tenancy.services import record_with

        record_with(record)
