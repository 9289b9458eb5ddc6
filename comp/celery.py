"""The task engine. Redis only rings the bell; the work itself waits in PostgreSQL."""

import gc
import os
from typing import Any

from celery import Celery
from celery.fixups.django import DjangoFixup, DjangoWorkerFixup
from celery.signals import worker_process_init
from django.db import close_old_connections, connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "comp.settings")


class KeptConnections(DjangoWorkerFixup):
    """A worker's process keeps its connection from task to task, for as long as a web process does
    (DATABASE_CONN_MAX_AGE), and looks before each whether it still works. Celery's own way is a new one for each task:
    a new server process, which has to read the catalogue and plan each statement anew. That took most of a lone
    event's time."""

    def on_task_prerun(self, sender: Any, **more: Any) -> None:
        self._look(sender)

    def on_task_postrun(self, sender: Any, **more: Any) -> None:
        self._look(sender)

    def _look(self, sender: Any) -> None:
        if sender.request.is_eager:
            return
        close_old_connections()
        for one in connections.all(initialized_only=True):
            # A time limit can strike between a transaction's own lines. What follows would be a part of it, with its
            # locks and its tenant, and never be committed.
            if one.in_atomic_block:
                one.close()
                one.connect()


class Fixup(DjangoFixup):
    _worker_fixup: DjangoWorkerFixup | None

    @property
    def worker_fixup(self) -> DjangoWorkerFixup:
        if self._worker_fixup is None:
            self._worker_fixup = KeptConnections(self.app)
        return self._worker_fixup


app = Celery("comp", fixups=[lambda celery: Fixup(celery).install()])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def keep_what_is_loaded(**more: Any) -> None:
    """What was imported stays for as long as the process: it is looked through for garbage no more, which took a tenth
    of a second each time, in the middle of a turn."""
    gc.collect()
    gc.freeze()
