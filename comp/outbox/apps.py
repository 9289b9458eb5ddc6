from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "comp.outbox"
    label = "outbox"
    verbose_name = "Outbox"
