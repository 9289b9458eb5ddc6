from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "comp.people"
    label = "people"
    verbose_name = "People"
