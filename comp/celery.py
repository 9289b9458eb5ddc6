"""The task engine. Redis only rings the bell; the work itself waits in PostgreSQL."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "comp.settings")

app = Celery("comp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
