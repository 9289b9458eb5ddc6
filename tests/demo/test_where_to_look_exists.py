"""The addresses that `make run` shows beside each log-in are addresses of this product."""

from __future__ import annotations

import re

import pytest
from django.urls import resolve

from comp.local.demo.companies import MAIN, RIVAL, Login


@pytest.mark.parametrize("login", [*MAIN.logins, *RIVAL.logins], ids=lambda login: login.email)
def test_where_to_look_exists(login: Login) -> None:
    for path in re.findall(r"/t/\S*", login.look):
        assert resolve(path), path
