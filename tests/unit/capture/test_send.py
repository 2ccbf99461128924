from __future__ import annotations

import json
import random
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tollkeeper.capture.send import HttpTransport, Pauses, Sending
from tollkeeper.capture.stats import Counts
from tollkeeper.clock import SYSTEM_CLOCK

EVENTS = [b'{"n":1}', b'{"n":2}', b'{"n":3}']


@pytest.fixture
def sending(collector):
    made = []

    def make(url=None, timeout=5.0, pauses=Pauses(0.01, 0.05)):  # noqa: B008
        transport = HttpTransport(url or collector.url)
        counts = Counts()
        found = Sending(
            transport, counts, SYSTEM_CLOCK, headers=lambda: {"Content-Encoding": "gzip"},
            timeout_seconds=timeout, pauses=pauses, chance=random.Random(1),
        )  # fmt: skip
        made.append(transport)
        return found, counts

    yield make
    for transport in made:
        transport.close()


def within(seconds, found):
    found.until_ns = SYSTEM_CLOCK.monotonic_ns() + int(seconds * 1e9)
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_batch_is_one_gzipped_array(sending, collector):
    found, counts = sending()
    assert found.deliver(EVENTS)
    assert collector.events == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert collector.requests[0][0][":path"] == "/v1/events/batch"
    assert (counts.sent, counts.batches, counts.dropped) == (3, 1, {})


def test_the_base_address_may_have_a_path(sending, collector):
    found, _ = sending(collector.url + "/tolls/")
    assert found.deliver(EVENTS)
    assert collector.requests[0][0][":path"] == "/tolls/v1/events/batch"


def test_one_connection_serves_all_batches(sending, collector):
    found, _ = sending()
    assert all(found.deliver(EVENTS) for _ in range(5))
    assert collector.connections == 1


def close_after(handler):
    handler.send_response(201)
    handler.send_header("Content-Length", "2")
    handler.end_headers()
    handler.wfile.write(b"{}")
    handler.wfile.flush()
    handler.close_connection = True


def test_a_connection_that_was_closed_meanwhile_is_no_failure(sending, collector):
    found, counts = sending()
    collector.answers = [close_after]
    assert found.deliver(EVENTS)
    time.sleep(0.05)
    assert found.deliver(EVENTS)
    assert (counts.sent, counts.retries, collector.connections) == (6, 0, 2)


@pytest.mark.parametrize("status", [200, 202, 204, 301, 404 + 4, 425, 429, 500, 502, 503])
def test_all_but_201_and_refusals_are_tried_again(sending, collector, status):
    found, counts = sending()
    collector.answers = [(status, {}, b"")] * 3
    assert found.deliver(EVENTS)
    assert len(collector.requests) == 4
    assert (counts.sent, counts.retries, counts.dropped) == (3, 3, {})


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "refused_400"), (401, "unauthorized"), (403, "refused_403"), (422, "refused_422")],
)
def test_refusals_are_final_and_counted(sending, collector, status, reason, caplog):
    found, counts = sending()
    collector.answers = [(status, {}, b"")] * 2
    assert found.deliver(EVENTS)
    assert found.deliver(EVENTS)
    assert len(collector.requests) == 2
    assert (counts.sent, counts.dropped) == (0, {reason: 6})
    assert sum("application_id" in record.message for record in caplog.records) == (
        status == 401
    ), "told once"


def test_a_batch_that_is_too_large_goes_in_halves(sending, collector):
    found, counts = sending()
    collector.answers = [(413, {}, b""), (413, {}, b"")]
    assert found.deliver([*EVENTS, b'{"n":4}'])
    assert [len(events) for _, events in collector.requests] == [4, 2, 1, 1, 2]
    assert counts.sent == 4
    collector.answers = [(413, {}, b"")]
    assert found.deliver(EVENTS[:1])
    assert counts.dropped == {"refused_413": 1}


def test_what_the_collector_turned_away_is_counted(sending, collector):
    found, counts = sending()
    collector.answers = [
        (201, {}, {"accepted": 2, "rejected": [{"index": 1}]}),
        (201, {}, b"not json"),
        (201, {}, b"[]"),
    ]
    assert all(found.deliver(EVENTS) for _ in range(3))
    assert (counts.sent, counts.dropped) == (8, {"rejected": 1})


@pytest.mark.parametrize("asked", ["1", "at"])
def test_retry_after_is_honoured(sending, collector, asked):
    found, _ = sending()
    if asked == "at":
        asked = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))
    collector.answers = [(503, {"Retry-After": asked}, b"")]
    start = time.monotonic()
    assert found.deliver(EVENTS)
    assert 0.9 < time.monotonic() - start < 4


@pytest.mark.parametrize("asked", ["soon", "", "-1", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_that_asks_nothing_is_no_hindrance(sending, collector, asked):
    found, counts = sending()
    collector.answers = [(503, {"Retry-After": asked}, b"")]
    assert found.deliver(EVENTS)
    assert counts.retries == 1


def test_pauses_grow_to_a_bound_and_differ():
    pauses, chance = Pauses(0.5, 30), random.Random(1)
    for failures, full in [(1, 0.5), (2, 1), (3, 2), (7, 30), (10_000, 30)]:
        made = {pauses.seconds(failures, chance) for _ in range(100)}
        assert len(made) > 90
        assert full / 2 <= min(made) <= max(made) <= full


def test_an_outage_is_waited_out(sending, collector):
    port = free_port()
    found, counts = sending(f"http://127.0.0.1:{port}")
    worker = threading.Thread(target=found.deliver, args=(EVENTS,))
    worker.start()
    deadline = time.monotonic() + 5
    while counts.retries < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    with socket.create_server(("127.0.0.1", port)) as server:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
            worker.join(5)
    assert not worker.is_alive()
    assert counts.sent == 3


@pytest.mark.parametrize("what", ["silence", "garbage", "close"])
def test_whatever_answers_the_time_is_bounded(sending, what):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                kept.append(connection)
                connection.recv(65536)
                if what == "garbage":
                    connection.sendall(b"SMTP ready\r\n\r\n")
                if what != "silence":
                    connection.close()

        kept = []
        worker = threading.Thread(target=serve, daemon=True)
        worker.start()
        found, counts = sending(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.2)
        start = time.monotonic()
        assert not within(0.7, found).deliver(EVENTS)
        assert time.monotonic() - start < 3
        assert counts.retries >= 2
        assert (counts.sent, counts.dropped) == (0, {})
        server.shutdown(socket.SHUT_RDWR)
    worker.join(2)
    for connection in kept:
        connection.close()


def test_201_counts_even_when_the_rest_of_the_answer_is_cut(sending, collector):
    def cut(handler):
        handler.send_response(201)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.close_connection = True

    collector.answers = [cut]
    found, counts = sending()
    assert found.deliver(EVENTS)
    assert found.deliver(EVENTS)
    assert (counts.sent, counts.retries, len(collector.requests)) == (6, 0, 2)


def test_an_unending_answer_is_not_read_to_its_end(sending, collector):
    def endless(handler):
        handler.send_response(201)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            handler.close_connection = True

    collector.answers = [endless]
    found, counts = sending()
    assert found.deliver(EVENTS)
    assert counts.sent == 3
    assert found.deliver(EVENTS)
    assert collector.connections == 2


def test_an_urgent_host_is_not_kept_waiting(sending, collector):
    found, _ = sending(pauses=Pauses(60, 60))
    collector.answers = [(503, {"Retry-After": "300"}, b"")]
    worker = threading.Thread(target=found.deliver, args=(EVENTS,))
    worker.start()
    collector.wait_for(3)
    within(5, found).urge.set()
    worker.join(3)
    assert not worker.is_alive()
    assert len(collector.requests) == 2


@pytest.fixture
def secure_url(tmp_path, monkeypatch, collector):
    """The collector behind TLS, with a certificate that this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    )
    builder = (
        builder.serial_number(1)
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(1))
    )
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
    certificate = builder.sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    both = tmp_path / "both.pem"
    both.write_bytes(
        certificate.public_bytes(encoding)
        + key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server = collector._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(both))
    return f"https://localhost:{server.server_port}"


def test_https_is_spoken_to_a_trusted_collector(sending, collector, secure_url):
    found, counts = sending(secure_url)
    assert found.deliver(EVENTS)
    assert found.deliver(EVENTS)
    assert (counts.sent, collector.connections) == (6, 1)


def test_an_untrusted_certificate_is_an_outage_and_not_an_error(
    sending, collector, secure_url, monkeypatch
):
    monkeypatch.delenv("SSL_CERT_FILE")
    found, counts = sending(secure_url)
    assert not within(0.3, found).deliver(EVENTS)
    assert counts.retries > 0
    assert counts.sent == 0


def test_outages_are_logged_once_each(sending, collector, caplog):
    found, _ = sending()
    for _ in range(2):
        collector.answers = [(500, {}, b"")] * 3
        assert found.deliver(EVENTS)
    assert sum("cannot be reached" in record.message for record in caplog.records) == 2
    assert json.dumps([record.getMessage() for record in caplog.records]).count("status 500") == 2
