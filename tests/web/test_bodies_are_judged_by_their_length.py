"""What is larger than its page takes is answered 413 before any of it is read."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.test import Client

from comp.core.sheets import CSV_BYTES, XLSX_BYTES
from comp.tenancy.capabilities import Role
from tests.factories import company, member

MB = 2**20


class Untouched(BytesIO):
    """A body that nobody may read."""

    def read(self, *args: Any) -> bytes:
        raise AssertionError("the body was read")


def sent(client: Client, path: str, length: str) -> Any:
    """A form of this length, as it states itself."""
    stated = {"CONTENT_LENGTH": length, "wsgi.input": Untouched()}
    return client.generic("POST", path, b"", content_type="multipart/form-data; boundary=x", **stated)


@pytest.fixture
def ops(db: None) -> Client:
    client = Client()
    client.force_login(member(company("acme"), Role.SALES_OPS), "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("uploads/", CSV_BYTES),
        ("roster/", XLSX_BYTES),
        ("uploads/1/match/", 0),
        ("quotas/new/", 0),
        ("nowhere/", 0),
    ],
)
def test_what_is_too_large_is_refused_unread(ops: Client, path: str, most: int) -> None:
    answer = sent(ops, f"/t/acme/{path}", str(most + 3 * MB))
    assert answer.status_code == 413
    assert f"at most {(most or 2 * MB) // MB} MB at once" in answer.content.decode()


@pytest.mark.parametrize("length", ["9" * 30, "-5", "many", "1e9"])
def test_a_length_that_is_none_is_refused_too(ops: Client, length: str) -> None:
    assert sent(ops, "/t/acme/uploads/", length).status_code == 413


def test_strangers_send_no_files(db: None) -> None:
    """Whoever is not signed in is sent to the log-in before the file is read."""
    company("acme")
    assert sent(Client(), "/t/acme/uploads/", str(50 * MB)).status_code == 302
    assert sent(Client(), "/accounts/login/", str(50 * MB)).status_code == 413


def test_what_fits_is_taken(ops: Client) -> None:
    file = BytesIO(b"a" * (3 * MB))
    file.name = "facts.csv"
    answer = ops.post("/t/acme/uploads/", {"file": file})
    assert answer.status_code == 422 and "This field is required" in answer.content.decode()


def test_a_checked_table_comes_back_as_large_as_its_file_was(ops: Client) -> None:
    """More than a form without a file may send, and judged by its rows."""
    text = "source,from,rate\n" + "GBP,2026-01-01,1.25\n" * 150_000
    assert len(text) > 2 * MB
    answer = ops.post("/t/acme/rates/upload/", {"checked": text})
    assert answer.status_code == 422 and "The file has 150,000 rows; allowed are 5,000 rows." in answer.content.decode()
    assert ops.post("/t/acme/rates/upload/", {"checked": "x" * (5 * MB)}).status_code == 413
