from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "comp.api"
    label = "api"
    verbose_name = "API"
