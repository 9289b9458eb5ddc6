"""The shell's context, with and without a person; and the one relaxed corner of the Content-Security-Policy."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from comp.web.context import shell
from comp.web.csp import AdminPolicy


class Person(SimpleNamespace):
    def __str__(self) -> str:
        return str(self.name)


def test_a_stranger_gets_an_empty_shell(rf: RequestFactory) -> None:
    assert shell(rf.get("/")) == {"tenant": None, "tenants": [], "nav": [], "who": None}


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Ana Ruiz", "AR"), ("Ana Maria de la Ruiz", "AR"), ("ana.ruiz@example.com", "AC"), ("Ana", "A"), ("", "")],
)
def test_the_initials_are_of_the_first_and_the_last_name(rf: RequestFactory, name: str, initials: str) -> None:
    request = rf.get("/")
    request.user = Person(name=name, is_authenticated=True)  # type: ignore[assignment]
    request.roles = ["sales_ops", "manager"]  # type: ignore[attr-defined]
    who = shell(request)["who"]
    assert who == {"name": name, "role": "Manager, Sales Ops", "initials": initials}


@pytest.mark.parametrize(("path", "relaxed"), [("/admin/plans/", True), ("/t/acme/", False), ("/t/admin/", False)])
def test_only_the_admin_relaxes_the_policy(rf: RequestFactory, path: str, relaxed: bool) -> None:
    answer = AdminPolicy(lambda request: HttpResponse())(rf.get(path))
    assert hasattr(answer, "_csp_replace") is relaxed
