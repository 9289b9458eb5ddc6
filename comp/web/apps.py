from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "comp.web"
    label = "web"
    verbose_name = "Pages"
