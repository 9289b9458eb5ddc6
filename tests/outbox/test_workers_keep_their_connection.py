"""A worker's tasks run over one connection, on which plans are kept; where it is gone the next task has another."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace

import psycopg2
import pytest
from django.db import connection, transaction

from comp.celery import KeptConnections, app


def backend() -> int:
    """The server's process that this thread's connection speaks to."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
        return pid


@pytest.mark.django_db(transaction=True)
def test_tasks_share_a_connection_until_it_is_old_or_gone(superuser_connection: psycopg2.extensions.connection) -> None:
    [fixup] = app._fixups
    worker = fixup.worker_fixup
    assert isinstance(worker, KeptConnections)
    task = SimpleNamespace(request=SimpleNamespace(is_eager=False))

    def next_task() -> int:
        worker.on_task_postrun(task)
        worker.on_task_prerun(task)
        return backend()

    first = next_task()
    assert next_task() == first
    with closing(superuser_connection.cursor()) as server:
        server.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    second = next_task()
    assert second != first
    connection.close_at = 0.0  # as old as DATABASE_CONN_MAX_AGE allows
    third = next_task()
    assert third != second
    transaction.atomic().__enter__()  # a time limit struck before it was left
    fourth = next_task()
    assert fourth != third and not connection.in_atomic_block
    assert next_task() == fourth
