"""Proofs of every source: what its official library signs is taken, whatever is forged is a value, never an
exception."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import quote

import pytest
from hubspot.utils.signature import Signature
from segment.analytics.request import post
from standardwebhooks import Webhook
from stripe import WebhookSignature

from crediting.intake.signatures import Refused
from crediting.intake.source import Call, Proven
from crediting.intake.sources import SOURCES
from tests.unit.intake.calls import (
    NOW,
    ORGANIZATION,
    OUR_SECRET,
    RAW_SECRET,
    SIGNED,
    URL,
    WINDOW,
    at,
    hubspot,
    proven,
    refused,
    sample,
    segment,
    soap,
    stripe,
)

EVERY = pytest.mark.parametrize("name", SIGNED)
OTHER_SECRETS = ("whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY", "another", "")


def test_the_official_libraries_sign_and_are_taken_unchanged() -> None:
    for number in range(500):
        body = json.dumps({"id": f"evt_{number}", "text": "é€𝄞" * (number % 7)}, ensure_ascii=number % 2 == 0)
        raw, seconds = body.encode(), int(NOW) - 150 + number % 300
        signature = WebhookSignature.generate_signature_header(body, RAW_SECRET, seconds)
        proven(SOURCES["stripe"], Call("POST", URL, {"stripe-signature": signature}, raw), "old", RAW_SECRET)
        stamp = str(seconds * 1000 + number)
        headers = {
            "x-hubspot-request-timestamp": stamp,
            "x-hubspot-signature-v3": Signature.get_signature(RAW_SECRET, body, "v3", URL, "POST", stamp),
            "x-hubspot-signature": Signature.get_signature(RAW_SECRET, body, "v1"),
            "x-hubspot-signature-version": "v1",
        }
        found = proven(SOURCES["hubspot"], Call("POST", URL, headers, raw), RAW_SECRET, "new")
        assert abs(found.sent_at.timestamp() - seconds) < 1
        made = Webhook(OUR_SECRET).sign(f"msg_{number}", at("2026-03-01T10:01:00"), body)
        headers = {"webhook-id": f"msg_{number}", "webhook-timestamp": "1772359260", "webhook-signature": made}
        for name in ("standard", "salesforce"):
            assert proven(SOURCES[name], Call("POST", URL, headers, raw), OUR_SECRET).sender_id == f"msg_{number}"


def test_segments_own_client_sends_and_is_taken_unchanged() -> None:
    calls: list[Call] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            calls.append(Call("POST", URL + "v1/batch", {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        batch = json.loads(sample("segment/batch.json"))["batch"]
        for _ in range(2):
            post(RAW_SECRET, host=f"http://127.0.0.1:{server.server_port}", batch=batch)
        server.shutdown()
        thread.join()
    items = []
    for call in calls:
        proven(SOURCES["segment"], call, "old", RAW_SECRET)
        assert refused(SOURCES["segment"], call, "old").status == 401
        found = SOURCES["segment"].items(call.body)
        assert isinstance(found, list)
        items.append(found)
    assert items[0] == items[1], "a batch that is sent again brings the same items"
    assert [item.sender_id for item in items[0]] == [call["messageId"] for call in batch]


@EVERY
def test_times_count_on_both_sides(name: str) -> None:
    source, sign, body, secret = SIGNED[name]
    for away in (-299, 0, 299):
        proven(source, sign(sample(body), at=NOW + away, secret=secret), secret)
    if name == "segment":
        return  # signs no time
    for away in (-301, 301, 86400, -86400, 10 * 365 * 86400, -10 * 365 * 86400):
        assert refused(source, sign(sample(body), at=NOW + away, secret=secret), secret).status == 401


@EVERY
def test_another_secret_proves_nothing(name: str) -> None:
    source, sign, body, secret = SIGNED[name]
    call = sign(sample(body), secret=secret)
    assert refused(source, call).status == 401, "no live secret at all"
    for other in OTHER_SECRETS:
        assert refused(source, call, other).status == 401
    proven(source, call, *OTHER_SECRETS, secret)


@EVERY
def test_no_flipped_bit_passes(name: str) -> None:
    source, sign, body, secret = SIGNED[name]
    call, dice = sign(sample(body), secret=secret), random.Random(name)
    for _ in range(1000):
        place, bit = dice.randrange(len(call.body)), 1 << dice.randrange(8)
        flipped = call.body[:place] + bytes([call.body[place] ^ bit]) + call.body[place + 1 :]
        refused(source, replace(call, body=flipped), secret)
        header = dice.choice(list(call.headers))
        text = call.headers[header]
        place = dice.randrange(len(text))
        other = dice.choice([one for one in "0123456789abcdefABC+/=, " if one.lower() != text[place].lower()])
        changed = replace(call, headers={**call.headers, header: text[:place] + other + text[place + 1 :]})
        found = source.prove(changed, [secret], now=NOW, window=WINDOW)
        assert isinstance(found, Refused), changed.headers


@EVERY
def test_headers_that_are_missing_doubled_huge_or_no_ascii_are_refused(name: str) -> None:
    source, sign, body, secret = SIGNED[name]
    call = sign(sample(body), secret=secret)
    for header, text in call.headers.items():
        for other in (None, "", " ", f"{text},{text}", f"{text}, {text}", "é" * 40, "\x00", "\ud800", "v1,é", "t=,v1="):
            if header == "webhook-signature" and other == f"{text}, {text}":
                continue  # several stand there parted by spaces, and one of them is right
            headers = {key: value for key, value in call.headers.items() if key != header}
            if other is not None:
                headers[header] = other
            assert refused(source, replace(call, headers=headers), secret).status in (400, 401)
        for other in ("A" * 1_000_000, text + "A" * 1_000_000, "1" * 1_000_000, f"{text}," * 20_000):
            assert refused(source, replace(call, headers={**call.headers, header: other}), secret).status in (400, 401)


def test_hubspot_signs_the_address_decoded_and_the_method() -> None:
    raw = f"{URL}?to=a%2Fb%3A%40c&name=%C3%A9%20x%25"
    signed = f"{URL}?to=a/b:@c&name=%C3%A9%20x%25"
    body = sample("hubspot/batch.json")
    proven(SOURCES["hubspot"], replace(hubspot(body, url=signed), url=raw), RAW_SECRET)
    proven(SOURCES["hubspot"], hubspot(body, url=raw), RAW_SECRET)
    lower = quote(":@", safe="").lower()
    proven(SOURCES["hubspot"], replace(hubspot(body, url=f"{URL}?a=:@"), url=f"{URL}?a={lower}"), RAW_SECRET)
    for other in (replace(hubspot(body), url=URL + "x"), replace(hubspot(body), method="PUT")):
        assert refused(SOURCES["hubspot"], other, RAW_SECRET).status == 401


def test_hubspots_older_signatures_are_refused_with_the_reason() -> None:
    body = sample("hubspot/batch.json")
    for version in ("v1", "v2"):
        made = Signature.get_signature(RAW_SECRET, body.decode(), version, URL, "POST")
        headers = {"x-hubspot-signature": made, "x-hubspot-signature-version": version}
        found = refused(SOURCES["hubspot"], Call("POST", URL, headers, body), RAW_SECRET)
        assert found.status == 401
        assert "signs no time" in found.reason


def test_stripe_may_sign_with_two_secrets_and_other_schemes_prove_nothing() -> None:
    body, seconds = sample("stripe/invoice.paid.json"), int(NOW)
    old, new = (
        stripe(body, secret=secret).headers["stripe-signature"].partition("v1=")[2] for secret in ("old", "new")
    )
    both = Call("POST", URL, {"stripe-signature": f"t={seconds},v1={old},v1={new},v0={'0' * 64}"}, body)
    proven(SOURCES["stripe"], both, "new")
    proven(SOURCES["stripe"], both, "old")
    for text in (
        f"t={seconds},v0={new}",
        f"t={seconds},v1={new},t={seconds}",
        f"v1={new}",
        f"t={seconds}",
        f"t= {seconds}",
    ):
        refused(SOURCES["stripe"], replace(both, headers={"stripe-signature": text}), "new")
    many = f"t={seconds}" + f",v1={old}" * 21
    assert refused(SOURCES["stripe"], replace(both, headers={"stripe-signature": many}), "old").status == 400


def test_a_wrong_segment_signature_is_not_made_good_by_the_write_key() -> None:
    call = segment(sample("segment/track.json"))
    basic = {"authorization": "Basic d3JpdGUta2V5Og=="}
    proven(SOURCES["segment"], replace(call, headers=basic), "write-key")
    refused(SOURCES["segment"], replace(call, headers={**basic, "x-signature": "0" * 40}), "write-key")
    for text in ("Basic", "Basic ", "Bearer d3JpdGUta2V5Og==", "Basic Og==", "Basic ====", "Basic w6k6", "Basic é"):
        refused(SOURCES["segment"], replace(call, headers={"authorization": text}), "write-key", "")


def test_segments_batched_webhooks_sign_only_their_first_event_and_are_refused() -> None:
    first = sample("segment/track.json").strip()
    batched = replace(segment(first), body=b"[" + first + b"," + first + b"]")
    assert "batching has to be off" in refused(SOURCES["segment"], batched, RAW_SECRET).reason


def test_an_outbound_message_names_the_organization_that_the_endpoint_is_for() -> None:
    source, body = SOURCES["salesforce"], sample("salesforce/outbound.xml")
    proven(source, soap(body), OUR_SECRET, ORGANIZATION)
    proven(source, soap(body), ORGANIZATION[:15])
    for secrets in ((), (OUR_SECRET,), ("00D5e000000ABCDEA4x",), ("00D5e000000abcdEA4",), ("00D5e000000ABCE",), ("",)):
        assert refused(source, soap(body), *secrets).status == 401
    assert refused(source, soap(body.replace(b"ABCDEA4</", b"ABCXEA4</")), ORGANIZATION).status == 401


def test_an_outbound_message_with_a_session_is_not_kept() -> None:
    body = sample("salesforce/outbound.xml").replace(
        b'<SessionId xsi:nil="true"/>', b"<SessionId>00D5e000000ABCD!AQ</SessionId>"
    )
    assert "SessionId" in refused(SOURCES["salesforce"], soap(body), ORGANIZATION).reason


def test_a_message_that_is_sent_again_is_known() -> None:
    for name, (source, sign, body, secret) in SIGNED.items():
        ids = {proven(source, sign(sample(body), at=NOW + away, secret=secret), secret).sender_id for away in range(3)}
        assert len(ids) == 1, name


def test_a_proof_takes_no_longer_for_a_large_body_than_its_hash() -> None:
    source, sign, _, secret = SIGNED["stripe"]
    call = sign(b"x" * 1_000_000, secret=secret)
    start = time.perf_counter()
    assert isinstance(source.prove(call, [secret] * 3, now=NOW, window=WINDOW), Proven)
    assert time.perf_counter() - start < 30  # a bound on what grows with the square, not a measurement
