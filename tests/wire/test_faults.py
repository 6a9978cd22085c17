"""What can go wrong on the way: each ends in time, as our own error, with a closed row and without a secret."""

import gzip
import http.client
import socket
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.wire.farend import LIMITS, READ, Bench, FarEnd, Request, answer, closed_port, get, redirect
from worker.model.errors import BodyTooLarge, CallError, CallUnanswered, CallUnsent
from worker.vault.secret import Secret
from worker.wire import connections
from worker.wire.adapter import Way
from worker.wire.line import Line
from worker.wire.outgoing import Limits, Outgoing

CANARY = "canary-faults-55d0c2"
HASTY = Limits(connect_s=0.3, read_s=0.3, deadline_s=5.0, max_body=100_000)
SHORT = Limits(connect_s=5.0, read_s=5.0, deadline_s=0.25, max_body=100_000)
OVERRUN_S = 4.0  # for a busy machine; all that is not cut off takes longer
PACKED = gzip.compress(b"x" * 99, mtime=0)  # the names of tests must not hold the time


def failure(bench: Bench, url: str, limits: Limits = HASTY, method: str = "GET") -> CallError:
    """Returns the error of a call that carries secrets; checks its row, and that no secret shows."""
    outgoing = Outgoing(method, url, {"p": Secret(CANARY)}, {"Authorization": Secret(f"Bearer {CANARY}")})
    with pytest.raises(CallError) as caught:
        bench.line(url, limits=limits).send(outgoing, READ)
    row = bench.rows()[-1]
    assert (row.id, row.error) == (caught.value.call_id, str(caught.value))
    assert row.ms is not None
    assert caught.value.__suppress_context__
    assert CANARY not in f"{caught.value!r}{row}{bench.told}"
    assert f"{method} {url}/?p=*** (account tangoe)" in str(caught.value)
    return caught.value


def test_refused_connection_is_unsent(bench: Bench) -> None:
    """Nothing left, so the call may be repeated."""
    error = failure(bench, f"http://127.0.0.1:{closed_port()}")
    assert isinstance(error, CallUnsent)
    assert "refused the connection" in str(error)


def test_unknown_name_is_unsent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not found is told as such."""

    def nobody(host: str, port: int) -> list[connections.AddressInfo]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(connections, "_look_up", nobody)
    error = failure(bench, "https://nowhere.example")
    assert isinstance(error, CallUnsent)
    assert "the name nowhere.example was not found" in str(error)


def test_slow_name_look_up_ends_in_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that hangs does not hold the call."""
    with FarEnd(answer()) as far:

        def slow(host: str, port: int) -> list[connections.AddressInfo]:
            far.hold()
            return []

        monkeypatch.setattr(connections, "_look_up", slow)
        begin = time.monotonic()
        error = failure(bench, "https://slow.example")
        assert time.monotonic() - begin < 0.3 + OVERRUN_S
    assert isinstance(error, CallUnsent)
    assert "not resolved within 0.3 s" in str(error)


def test_connect_timeout_is_unsent(bench: Bench) -> None:
    """A host whose queue is full does not answer; that is told as it is."""
    with socket.socket() as server, socket.socket() as first:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        first.connect(server.getsockname())
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        error = failure(bench, f"http://127.0.0.1:{server.getsockname()[1]}")
        for filler in fillers:
            filler.close()
    assert isinstance(error, CallUnsent)
    assert "did not answer within 0.3 s" in str(error)


def test_silence_is_unanswered(bench: Bench) -> None:
    """Once sent, a read timeout leaves open whether the far end acted."""

    def play(*_: object) -> bool:
        far.hold()
        return False

    with FarEnd(play) as far:
        error = failure(bench, far.url, method="POST")
    assert isinstance(error, CallUnanswered)
    assert "sent nothing for 0.3 s" in str(error)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234", "ended after 4 of 10 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n12345", "contradict"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 15\r\n\r\n" + PACKED[:15],
            "ends before its end",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + PACKED[:-4], "ends before its end"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", "not an HTTP answer"),
    ],
)
def test_broken_answers_are_unanswered(bench: Bench, sent: bytes, says: str) -> None:
    """An answer that is not whole is never taken for one, and the error says how far it came."""

    def play(connection: socket.socket, _: Request) -> bool:
        connection.sendall(sent)
        return False

    with FarEnd(play) as far:
        error = failure(bench, far.url)
    assert isinstance(error, CallUnanswered)
    assert says in str(error)


def test_row_of_a_broken_answer_tells_how_far_it_came(bench: Bench) -> None:
    """Status and bytes of the part that came stand in the row."""

    def play(connection: socket.socket, _: Request) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n5\r\n1")
        return False

    with FarEnd(play) as far:
        failure(bench, far.url)
    row = bench.rows()[-1]
    assert row.status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 401 No\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_drip_ends_by_the_deadline(bench: Bench, head: bytes) -> None:
    """A server that sends a byte now and then, in headers or body, is cut off at the deadline."""

    def play(connection: socket.socket, _: Request) -> bool:
        connection.sendall(head)
        far.drip(connection, b"x" * 400, 0.05)
        return False

    with FarEnd(play) as far:
        begin = time.monotonic()
        error = failure(bench, far.url, SHORT)
        assert time.monotonic() - begin < SHORT.deadline_s + OVERRUN_S
    assert isinstance(error, CallUnanswered)
    assert "within the deadline of 0.25 s" in str(error)


def test_stopped_handshake_ends_by_the_deadline(bench: Bench) -> None:
    """A port that takes the connection and says nothing to TLS is cut off; nothing had left."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        begin = time.monotonic()
        error = failure(bench, f"https://127.0.0.1:{server.getsockname()[1]}", SHORT)
        assert time.monotonic() - begin < SHORT.deadline_s + OVERRUN_S
    assert isinstance(error, CallUnsent)


def test_dripping_handshake_ends_by_the_deadline(bench: Bench) -> None:
    """A handshake that drips is cut off as well, though each read of it succeeds."""

    def play(connection: socket.socket) -> bool:
        far.drip(connection, b"\x16\x03\x03\x40\x00" + b"\x02" * 400, 0.05)
        return False

    with FarEnd(answer()) as far:
        far._one = play  # type: ignore[method-assign]  # speaks before any request could come
        begin = time.monotonic()
        error = failure(bench, far.url.replace("http", "https"), SHORT)
        assert time.monotonic() - begin < SHORT.deadline_s + OVERRUN_S
    assert isinstance(error, CallUnsent)
    assert "no complete connection within" in str(error)


def test_line_works_on_after_a_deadline(bench: Bench) -> None:
    """The connection that was cut is not used again."""

    def slow(connection: socket.socket, _: Request) -> bool:
        far.drip(connection, b"HTTP/1.1 200 OK\r\n" * 50, 0.05)
        return False

    with FarEnd(slow, answer(b"[]")) as far:
        line = bench.line(far.url, limits=SHORT)
        with pytest.raises(CallUnanswered):
            line.send(get(far.url), READ)
        assert line.send(get(far.url), READ).answer.body == b"[]"


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "401 No", "500 Oh"])
def test_bodies_are_bounded_whatever_the_status(bench: Bench, status: str) -> None:
    """A bomb in a redirect or an error is as bounded as one in an answer."""
    bomb = gzip.compress(bytes(5_000_000))
    with FarEnd(answer(bomb, status, "Content-Encoding: gzip", "Location: /b")) as far:
        error = failure(bench, far.url)
    assert isinstance(error, BodyTooLarge)
    assert "100000 bytes of max_body" in str(error)
    assert bench.rows()[-1].status == int(status[:3])


def test_stated_length_over_the_bound_is_not_read(bench: Bench) -> None:
    """A length that says it all ends the call before a byte of the body is taken."""
    with FarEnd(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n") as far:
        error = failure(bench, far.url)
    assert isinstance(error, BodyTooLarge)
    assert "300000000 bytes" in str(error)


def test_endless_body_takes_little_memory(bench: Bench) -> None:
    """300 MB without a stated length are cut off at the bound, and the process grows by no more than it."""

    def flood(connection: socket.socket, _: Request) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        block = bytes(1_000_000)
        for _number in range(300):
            connection.sendall(block)
        return False

    limits = replace(LIMITS, max_body=8_000_000)
    before = psutil.Process().memory_info().rss
    with FarEnd(flood) as far:
        error = failure(bench, far.url, limits)
        grown = psutil.Process().memory_info().rss - before
    assert isinstance(error, BodyTooLarge)
    assert grown < limits.max_body + 16_000_000


def test_own_errors_hide_programming_errors_of_the_stack(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the HTTP stack raises, its text does not come through."""

    def broken(*_: object, **__: object) -> None:
        raise ValueError(f"Invalid header value {CANARY}")

    monkeypatch.setattr(http.client.HTTPConnection, "putheader", broken)
    with FarEnd(answer()) as far:
        error = failure(bench, far.url)
    assert "ValueError" in str(error)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "far end")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "far.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    """A server's side of TLS with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_unknown_certificate_is_refused(
    bench: Bench, server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust comes from options only: a bundle named by the environment does not help."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate))
    with FarEnd(answer(), tls=server_tls) as far:
        error = failure(bench, far.url)
        assert not far.requests
    assert isinstance(error, CallUnsent)
    assert "certificate was refused: self-signed certificate" in str(error)


def test_own_bundle_is_trusted(bench: Bench, server_tls: ssl.SSLContext, certificate: Path) -> None:
    """With the account's ca_bundle the same server is believed, over a kept connection."""
    with FarEnd(answer(b"[1]"), tls=server_tls) as far:
        line = bench.keep(Line(frozenset({far.url}), LIMITS, bench.trail, way=Way(ca_bundle=certificate)))
        assert [line.send(get(far.url), READ).answer.body for _ in range(2)] == [b"[1]", b"[1]"]


def test_certificate_of_another_host_is_refused(bench: Bench, server_tls: ssl.SSLContext, certificate: Path) -> None:
    """A trusted certificate must name the host that was called."""
    with FarEnd(answer(), tls=server_tls) as far:
        url = far.url.replace("127.0.0.1", "localhost")
        line = bench.keep(Line(frozenset({url}), LIMITS, bench.trail, way=Way(ca_bundle=certificate)))
        with pytest.raises(CallUnsent, match="certificate was refused"):
            line.send(get(url), READ)


def test_tls_drip_ends_by_the_deadline(bench: Bench, server_tls: ssl.SSLContext, certificate: Path) -> None:
    """The watchdog cuts a TLS connection too."""

    def play(connection: socket.socket, _: Request) -> bool:
        far.drip(connection, b"HTTP/1.1 200 OK\r\n" * 50, 0.05)
        return False

    with FarEnd(play, tls=server_tls) as far:
        line = bench.keep(Line(frozenset({far.url}), SHORT, bench.trail, way=Way(ca_bundle=certificate)))
        begin = time.monotonic()
        with pytest.raises(CallUnanswered, match="deadline"):
            line.send(get(far.url), READ)
        assert time.monotonic() - begin < SHORT.deadline_s + OVERRUN_S


def test_unreadable_bundle_is_named(bench: Bench, tmp_path: Path) -> None:
    """A bundle that is missing or no PEM says so, with its path."""
    for path in (tmp_path / "none.pem", Path(__file__)):
        line = bench.keep(Line(frozenset({"https://127.0.0.1:9"}), LIMITS, bench.trail, way=Way(ca_bundle=path)))
        with pytest.raises(CallUnsent, match=f"ca_bundle {path}"):
            line.send(get("https://127.0.0.1:9/"), READ)


def test_proxy_is_tunnelled_through(bench: Bench) -> None:
    """Beyond loopback a proxy is asked for a tunnel, and sees neither path nor headers."""

    def refuse(connection: socket.socket, _: Request) -> bool:
        connection.sendall(b"HTTP/1.1 403 No\r\n\r\n")
        return False

    with FarEnd(refuse) as proxy:
        line = bench.keep(Line(frozenset({"https://api.example.com"}), LIMITS, bench.trail, way=Way(proxy.url)))
        outgoing = Outgoing("GET", "https://api.example.com/x", headers={"Authorization": Secret(f"Bearer {CANARY}")})
        with pytest.raises(CallUnsent):
            line.send(outgoing, READ)
        (request,) = proxy.requests
    assert (request.method, request.target) == ("CONNECT", "api.example.com:443")
    assert "authorization" not in request.headers


def test_redirected_deadline_is_one(bench: Bench) -> None:
    """Hops share one deadline."""

    def slow(connection: socket.socket, _: Request) -> bool:
        far.drip(connection, b"", 0.0)
        time_left = far._over.wait(0.15)
        connection.sendall(redirect("/again"))
        return not time_left

    with FarEnd(slow) as far:
        begin = time.monotonic()
        with pytest.raises(CallUnanswered, match="deadline"):
            bench.line(far.url, limits=SHORT).send(get(far.url), READ)
        assert time.monotonic() - begin < SHORT.deadline_s + OVERRUN_S
