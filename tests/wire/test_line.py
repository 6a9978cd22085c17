"""What a line sends, where it may send it, and what it brings back."""

import gzip
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.wire.farend import READ, Bench, FarEnd, Request, answer, get, redirect
from worker.model.account import CorrelationOptions
from worker.model.errors import CallRefused
from worker.model.records import Purpose
from worker.vault.secret import Secret
from worker.wire.outgoing import About, Outgoing

CANARY = "canary-line-7f3a91"


def test_answer_and_row_tell_the_same(bench: Bench) -> None:
    """A read brings its answer decoded, its row and its event agree, and the row is durable with the ticket."""
    packed = gzip.compress(b'{"a": 1}')
    about = About("tangoe", Purpose.READ, "XYZ", "devices", 5, 2, generation_used=4)
    with FarEnd(answer(packed, "200 OK", "Content-Encoding: gzip", "Set-Cookie: s=1")) as far:
        reply = bench.line(far.url).send(Outgoing("GET", f"{far.url}/a", {"limit": "5"}, {"X-T": "u"}), about)
    reply.ticket.wait(5.0)
    assert reply.answer.json() == {"a": 1}
    assert "set-cookie" not in reply.answer.headers
    assert far.requests[0].target == "/a?limit=5"
    assert far.requests[0].headers["x-t"] == "u"
    assert far.requests[0].headers["accept-encoding"] == "gzip"
    assert far.requests[0].headers["user-agent"].startswith("integration-worker/")
    (row,) = bench.rows()
    (told,) = bench.told
    assert (row.id, row.status, row.url, row.bytes_in) == (reply.call_id, 200, f"{far.url}/a?limit=5", len(packed))
    assert (row.run_id, row.attempt, row.job, row.tenant, row.generation_used) == (5, 2, "devices", "XYZ", 4)
    assert (row.node_id, row.error, row.ms) == (7, None, reply.ms)
    assert (told.call, told.status, told.run, told.generation, told.ms) == (row.id, 200, 5, 4, row.ms)


def test_any_status_is_an_answer(bench: Bench) -> None:
    """The line does not judge: a 500 comes back like a 200."""
    with FarEnd(answer(b"no", "500 Oh")) as far:
        assert bench.line(far.url).send(get(far.url), READ).answer.status == 500


def test_connection_is_used_again_and_cookies_are_not(bench: Bench) -> None:
    """Two calls share one connection; what the first answer set is not sent back."""
    ports = set()

    def note(connection: socket.socket, _: Request) -> bool:
        ports.add(connection.getpeername())
        connection.sendall(answer(b"{}", "200 OK", "Set-Cookie: session=1; Path=/"))
        return True

    with FarEnd(note) as far:
        line = bench.line(far.url)
        for _ in range(3):
            line.send(get(far.url), READ)
    assert len(ports) == 1
    assert all("cookie" not in request.headers for request in far.requests)


def test_environment_is_not_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither .netrc nor a proxy of the environment changes what is sent, or where."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with FarEnd(answer()) as far:
        bench.line(far.url).send(Outgoing("GET", far.url, headers={"Authorization": Secret(f"Bearer {CANARY}")}), READ)
        bench.line(far.url).send(get(far.url), READ)
    assert far.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert "authorization" not in far.requests[1].headers


def test_form_and_body_arrive_and_secrets_do_not_show(bench: Bench) -> None:
    """What is secret reaches the far end, and neither row, event nor any repr."""
    outgoing = Outgoing(
        "POST", "", {"p": Secret(CANARY)}, {"X-Key": Secret(CANARY)}, form={"secret": Secret(CANARY), "a": "b c"}
    )
    with FarEnd(answer()) as far:
        line = bench.line(far.url)
        outgoing = replace(outgoing, url=f"{far.url}/x")
        reply = line.send(outgoing, READ)
        line.send(Outgoing("PUT", far.url, body=b"[1]", content_type="application/json"), READ)
        line.send(Outgoing("POST", far.url), READ)
    form, put, post = far.requests
    assert form.body == f"secret={CANARY}&a=b+c".encode()
    assert (form.target, form.headers["x-key"]) == (f"/x?p={CANARY}", CANARY)
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (put.body, put.headers["content-type"]) == (b"[1]", "application/json")
    assert (post.body, post.headers["content-length"]) == (b"", "0")
    assert [row.bytes_out for row in bench.rows()] == [len(form.body), 3, 0]
    assert CANARY not in f"{bench.rows()}{bench.told}{reply}{outgoing}"


@pytest.mark.parametrize("purpose", [Purpose.TOKEN, Purpose.REFRESH])
def test_token_request_shows_no_query(bench: Bench, purpose: Purpose) -> None:
    """Where parameters ride in the query, the whole query stays out of the row."""
    with FarEnd(answer()) as far:
        about = replace(READ, purpose=purpose)
        bench.line(far.url).send(Outgoing("POST", f"{far.url}/t", {"username": "svc"}), about)
    assert [row.url for row in bench.rows()] == [f"{far.url}/t"]


def test_correlation_headers_carry_the_ids(bench: Bench) -> None:
    """The far end learns run and call by the headers that were configured."""
    correlation = CorrelationOptions(run="X-Run", call="X-Call")
    with FarEnd(answer()) as far:
        line = bench.line(far.url, correlation=correlation)
        reply = line.send(get(far.url), replace(READ, run_id=12))
        line.send(get(far.url), READ)
    first, second = (request.headers for request in far.requests)
    assert (first["x-run"], first["x-call"]) == ("12", str(reply.call_id))
    assert "x-run" not in second


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://evil.example/x?token=" + CANARY, "origins"),
        ("http://api.example.com/", "https"),
        ("https://a:b@127.0.0.1/", "user name"),
        ("ftp://127.0.0.1/", "expected https"),
    ],
)
def test_other_origins_are_refused_and_leave_no_row(bench: Bench, url: str, says: str) -> None:
    """Nothing is sent beyond the allowed origins; the error names them, and the key to change."""
    line = bench.line("https://api.example.com/base", "http://127.0.0.1:9", "http://api.example.com")
    with pytest.raises(CallRefused, match=says) as caught:
        line.send(get(url), READ)
    assert CANARY not in str(caught.value)
    assert not bench.rows()


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-A", f"{CANARY}\r\nX-B: c"), ("X-A", f"{CANARY}\n"), ("X A", "b"), ("X-A", "\0"), ("X-A", "€")],
)
def test_header_injection_is_refused(bench: Bench, name: str, value: str) -> None:
    """A line break in a secret names the header, not the secret, and nothing is sent."""
    with FarEnd(answer()) as far:
        with pytest.raises(CallRefused, match="header") as caught:
            bench.line(far.url).send(Outgoing("GET", far.url, headers={name: Secret(value)}), READ)
        assert not far.requests
    assert CANARY not in str(caught.value)
    assert not bench.rows()


def test_method_is_checked(bench: Bench) -> None:
    """A method cannot smuggle a second request."""
    with pytest.raises(CallRefused, match="method"):
        bench.line("http://127.0.0.1:9").send(Outgoing("GET / HTTP/1.1\r\n", "http://127.0.0.1:9/"), READ)


def test_read_follows_a_redirect_call_by_call(bench: Bench) -> None:
    """Each hop is a call of its own, tied to the one before, with the same headers and without the old params."""
    with FarEnd(redirect("/b?x=%2F1#f"), redirect("c"), answer(b"[]")) as far:
        outgoing = Outgoing("GET", f"{far.url}/a", {"q": "1"}, {"X-Key": Secret(CANARY)})
        reply = bench.line(far.url).send(outgoing, READ)
    assert [request.target for request in far.requests] == ["/a?q=1", "/b?x=%2F1", "/c"]
    assert {request.headers["x-key"] for request in far.requests} == {CANARY}
    first, second, third = bench.rows()
    assert (first.status, second.retry_of, third.retry_of, reply.call_id) == (302, first.id, second.id, third.id)


def test_redirect_to_another_origin_is_refused(bench: Bench) -> None:
    """No header reaches the other host, though the redirect was answered by the right one."""
    with FarEnd(answer()) as other, FarEnd(redirect(f"{other.url}/steal")) as far:
        with pytest.raises(CallRefused, match="origins"):
            bench.line(far.url).send(get(far.url), READ)
        assert not other.requests
    assert [row.status for row in bench.rows()] == [302]


def test_redirect_loop_ends(bench: Bench) -> None:
    """After three hops it is enough."""
    with FarEnd(redirect("/again")) as far:
        with pytest.raises(CallRefused, match="more than 3 times"):
            bench.line(far.url).send(get(far.url), READ)
        assert len(far.requests) == 4


def test_redirect_of_a_write_is_not_followed(bench: Bench) -> None:
    """A 307 does not carry a body elsewhere."""
    with FarEnd(redirect("/b", "307 Temporary")) as far:
        with pytest.raises(CallRefused, match="not followed for POST"):
            bench.line(far.url).send(Outgoing("POST", far.url, body=b"x"), READ)
        assert len(far.requests) == 1


@pytest.mark.parametrize("purpose", [Purpose.TOKEN, Purpose.REFRESH, Purpose.VALIDATE, Purpose.REVOKE])
def test_redirect_of_a_token_endpoint_is_an_answer(bench: Bench, purpose: Purpose) -> None:
    """Secrets in a token request never follow a redirect."""
    with FarEnd(redirect("/b", "308 Permanent")) as far:
        reply = bench.line(far.url).send(get(far.url), replace(READ, purpose=purpose))
        assert (reply.answer.status, len(far.requests)) == (308, 1)


@pytest.mark.parametrize("status", ["304 Not Modified", "300 Choices", "302 Found"])
def test_other_3xx_is_an_answer(bench: Bench, status: str) -> None:
    """A 304, or a redirect that names no place, is an answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    with FarEnd(head) as far:
        assert bench.line(far.url).send(get(far.url), READ).answer.status == int(status[:3])


@pytest.mark.parametrize(
    "far_answer", [b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n", answer(b"")]
)
def test_answers_without_a_body(bench: Bench, far_answer: bytes) -> None:
    """What has no body by definition is whole."""
    with FarEnd(far_answer) as far:
        assert bench.line(far.url).send(get(far.url), READ).answer.body == b""


def test_head_has_no_body_whatever_its_length_says(bench: Bench) -> None:
    """The length in an answer to HEAD is that of another answer."""
    with FarEnd(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n") as far:
        assert bench.line(far.url).send(Outgoing("HEAD", far.url), READ).answer.body == b""


@pytest.mark.parametrize("body", [b"x" * 70_000, b""])
def test_chunked_and_close_delimited_bodies_arrive(bench: Bench, body: bytes) -> None:
    """Bodies need no stated length."""
    chunks = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"

    def until_close(connection: socket.socket, _: Request) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)
        return False

    plays: list[bytes | Callable[[socket.socket, Request], bool]] = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
        until_close,
    ]
    with FarEnd(*plays) as far:
        line = bench.line(far.url)
        assert line.send(get(far.url), READ).answer.body == body
        assert line.send(get(far.url), READ).answer.body == body


def test_many_threads_share_a_line(bench: Bench) -> None:
    """Each thread gets the answer to its own question, and every call has its row."""

    def echo(connection: socket.socket, request: Request) -> bool:
        connection.sendall(answer(request.target.encode()))
        return True

    with FarEnd(echo) as far, ThreadPoolExecutor(12) as pool:
        line = bench.line(far.url)
        paths = [f"/{number}" for number in range(200)]
        bodies = pool.map(lambda path: line.send(get(far.url + path), READ).answer.body.decode(), paths)
        assert list(bodies) == paths
    rows = bench.rows()
    assert len({row.id for row in rows}) == 200
    assert {row.status for row in rows} == {200}


def test_closed_line_still_serves_a_run_that_goes_on(bench: Bench) -> None:
    """After a reload the old line is closed; a run that began before it calls on."""
    with FarEnd(answer(b"[]")) as far:
        line = bench.line(far.url)
        line.send(get(far.url), READ)
        line.close()
        assert line.send(get(far.url), READ).answer.body == b"[]"
