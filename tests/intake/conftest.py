"""One company with a catalogue and a system that posts to it."""

from __future__ import annotations

import pytest

from tests.factories import company
from tests.intake.sending import Sender, catalogue, sender


@pytest.fixture
def crm(db: None) -> Sender:
    acme = company("acme")
    with acme.scope():
        catalogue(acme)
    return sender(acme)
