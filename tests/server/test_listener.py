"""The listener around an app that does nothing but answer: what is read, given up, finished and refused."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from dermport.bundle.wire import Problem
from dermport.errors import UsageError
from dermport.server.listener import bind
from tests.server.hostile.clients import PROMISE, ask, connect, drip, everything, joined, many, statuses, until
from tests.server.live import Server
from tests.server.small_app import running, start

BOUNDS = {
    "head_seconds": 0.5,
    "idle_seconds": 3.0,
    "body_seconds": 2.0,
    "slow_body_seconds": 1.0,
    "slow_answer_seconds": 1.0,
    "turn_seconds": 1.0,
    "leave_seconds": 2.0,
    "bodies": 4,
    "per_address": 40,
    "connections": 60,
    "rate": 2000,
}
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(workers=1, bounds=BOUNDS) as server:
        yield server


def _post(body: bytes, *fields: bytes, path: bytes = b"/") -> bytes:
    head = b"\r\n".join((b"POST %s HTTP/1.1" % path, b"Host: x", b"Connection: close", *fields))
    return head + b"\r\n\r\n" + body


def _kept(body: bytes, fields: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n" % (fields, len(body)) + body


@pytest.mark.parametrize(
    "second",
    [
        b"Content-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X: y\r\n Content-Length: 2\r\n",
        b"Content-Length : 2\r\n",
    ],
)
def test_a_second_length_is_refused_though_the_request_is_else_like_the_last(server: Server, second: bytes) -> None:
    received = ask(server.url, _kept(b"abc") + _kept(b"abcde", second) + _kept(b"smuggled"))
    assert statuses(received)[0] == 200
    assert len(statuses(received)) == 2
    assert statuses(received)[1] >= 400


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (_post(b"12345", b"Content-Length: 5"), [b"5"]),
        (_post(joined((b"123", b"45" * 40_000)), b"Transfer-Encoding: chunked"), [b"80003"]),
        (GET % b"/" + GET % b"/stream" + LAST % b"/", [b"0", b"3\r\ntwo\r\n", b"0"]),
        (_kept(b"abc") + _kept(b"") + _kept(b"x" * 90_000) + LAST % b"/", [b"3", b"0", b"90000", b"0"]),
        (b"GET / HTTP/1.0\r\n\r\n", [b"0"]),
        (b"GET /stream HTTP/1.0\r\n\r\n", [b"onetwo"]),
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [b"0"]),
        (b"HEAD /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [b""]),
        (GET % b"/fails" + LAST % b"/", [b"500", b"0"]),
    ],
    ids=[
        "length",
        "chunked",
        "pipelined",
        "alike but for the length",
        "1.0",
        "1.0 stream",
        "empty line",
        "head",
        "after a failure",
    ],
)
def test_what_is_http_is_answered(server: Server, sent: bytes, answers: list[bytes]) -> None:
    received = ask(server.url, sent)
    assert len(statuses(received)) == len(answers)
    for answer in answers:
        assert answer in received
    assert b"Server: dermport\r\n" in received
    assert b"gunicorn" not in received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTX\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\n", 400),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX_Forwarded_For: 1\r\n\r\n", 400),
        (b"GET /" + 9000 * b"a" + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + 9000 * b"a" + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + 4000 * b"A: aaaaaaaa\r\n" + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + 101 * b"A: b\r\n" + b"\r\n", 431),
        (_post(b"", b"Content-Length: " + 5000 * b"9"), 400),
        (_post(b"", b"Content-Length: -1"), 400),
        (_post(b"0\r\n\r\n", b"Content-Length: 5", b"Transfer-Encoding: chunked"), 400),
        (_post(b"0\r\n\r\n", b"Transfer-Encoding: xchunked"), 501),
        (_post(b"12", b"Content-Length: 2", b"Expect: a miracle"), 417),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_not_is_refused_in_our_words_and_nothing_after_it_is_read(
    server: Server, sent: bytes, status: int
) -> None:
    received = ask(server.url, sent + LAST % b"/smuggled")
    head, _, body = received.partition(b"\r\n\r\n")
    assert statuses(received) == [status]
    assert Problem.model_validate_json(body).request_id.encode() in head
    assert b"Connection: close" in head
    assert f"refused {status}" in server.said()


def test_a_body_that_is_cut_or_damaged_is_an_error(server: Server) -> None:
    for sent in (
        _post(b"1234", b"Content-Length: 5"),
        _post(b"5\r\n123", b"Transfer-Encoding: chunked"),
        _post(b"zz\r\n", b"Transfer-Encoding: chunked"),
    ):
        with connect(server.url) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert statuses(everything(connection)) == [400]


def test_an_answer_that_fails_half_way_is_cut(server: Server) -> None:
    received = ask(server.url, GET % b"/broken-stream")
    assert received == b"" or not received.endswith(b"0\r\n\r\n")


def test_expectations_are_met_at_once_on_kept_connections(server: Server) -> None:
    with connect(server.url) as connection:
        began = time.monotonic()
        for _ in range(5):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"12345")
            assert connection.recv(1000).endswith(b"5")
        assert time.monotonic() - began < 2
    # Who is refused is not asked for the body.
    refused = ask(server.url, b"POST /unread HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert statuses(refused) == [401]


def test_a_refusal_is_read_by_who_still_sends(server: Server) -> None:
    with connect(server.url) as connection:
        connection.sendall(PROMISE % (b"/unread", 30_000_000))
        sender = threading.Thread(target=lambda: _send(connection, bytes(30_000_000)))
        sender.start()
        received = everything(connection)
        sender.join(10)
    assert statuses(received) == [401]
    assert b"Connection: close" in received


@pytest.mark.parametrize(
    ("first", "dripped", "status"),
    [
        (b"", b"", None),
        (b"GET / HT", b"", 408),
        (b"", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100, 408),
        (PROMISE % (b"/", 100), b"", 408),
        (PROMISE % (b"/", 100), bytes(100), 408),
        (_post(b"ff\r\n", b"Transfer-Encoding: chunked"), b"1" * 99, 408),
    ],
    ids=["silent", "half a head", "dripped head", "promise", "dripped body", "dripped chunk"],
)
def test_who_takes_too_long_is_given_up(server: Server, first: bytes, dripped: bytes, status: int | None) -> None:
    began = time.monotonic()
    with connect(server.url) as slow:
        slow.sendall(first)
        threading.Thread(target=drip, args=(slow, dripped, 8), daemon=True).start()
        assert statuses(everything(slow)) == ([status] if status else [])
    assert time.monotonic() - began < 8


def test_a_slow_reader_holds_no_thread_and_is_given_up_where_it_reads_nothing(server: Server) -> None:
    with many(server.url, 30, GET % b"/big") as readers:
        assert ask(server.url, LAST % b"/").endswith(b"0")
        slow = readers[0]
        taken = 0
        until_ = time.monotonic() + 2
        while time.monotonic() < until_:  # slowly, but it reads
            taken += len(slow.recv(100_000))
            time.sleep(0.02)
        assert len(everything(slow)) + taken > 8_000_000
        assert all(len(everything(one)) < 8_000_000 for one in readers[1:4])


def test_one_address_cannot_take_the_others_connections_or_threads(server: Server) -> None:
    with many(server.url, 200), many(server.url, 100, GET[:9]):
        began = time.monotonic()
        assert ask(server.url, LAST % b"/", source="127.0.0.2").endswith(b"0")
        assert time.monotonic() - began < 3
    with many(server.url, 35, PROMISE % (b"/", 1000)):
        body = bytes(3_000_000)
        sent = _post(body, b"Content-Length: %d" % len(body))
        assert ask(server.url, sent, source="127.0.0.2").endswith(b"3000000")


def test_promises_without_a_key_hold_nothing(server: Server) -> None:
    with many(server.url, 17, PROMISE % (b"/unread", 25_000_000) + b"x") as promises:
        assert ask(server.url, _post(bytes(2_400_000), b"Content-Length: 2400000")).endswith(b"2400000")
        assert [statuses(everything(one)) for one in promises] == 17 * [[401]]


def test_connections_are_spread_over_the_workers() -> None:
    with running(workers=2) as server, ExitStack() as stack:
        clients = [stack.enter_context(connect(server.url)) for _ in range(8)]
        pids = []
        for client in clients:
            client.sendall(GET % b"/pid")
            pids.append(client.recv(1000).rpartition(b"\r\n")[2])
        assert sorted(Counter(pids).values()) == [4, 4]
        assert {int(pid) for pid in pids} == set(server.workers())


def test_descriptors_that_run_out_pause_the_listener_and_are_said_once(tmp_path: Path) -> None:
    with running(workers=1) as server:
        (worker,) = server.workers()
        _limit_files(worker, len(list(Path(f"/proc/{worker}/fd").iterdir())) + 5)
        with many(server.url, 40):
            time.sleep(0.5)
        until(lambda: _answers(server))
        assert server.said().count("no more connections can be taken") == 1


def test_few_descriptors_are_few_connections() -> None:
    with running(workers=1, files=220) as server, many(server.url, 150, source="127.0.0.2"):
        time.sleep(1.2)  # for a moment, none of them is idle
        assert _answers(server)
        assert "no more connections can be taken" not in server.said()


def test_a_worker_that_hangs_is_replaced_and_its_neighbour_answers() -> None:
    with running(workers=2, silent_seconds=1, answer_seconds=1) as server:
        before = server.workers()
        for path in (b"/hang", b"/sleep/60.0"):
            with connect(server.url, seconds=20) as hanging:
                hanging.sendall(GET % path)
                assert everything(hanging) == b""
        until(lambda: len(set(server.workers()) - set(before)) == len(server.workers()) == 2 and _answers(server))


def test_no_worker_outlives_the_arbiter() -> None:
    with running(workers=2) as server:
        workers = server.workers()
        assert len(workers) == 2
        server.kill()
        until(lambda: not any(Path(f"/proc/{pid}/status").exists() and _lives(pid) for pid in workers))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_being_answered_is_finished_and_nothing_new_is_taken(number: int) -> None:
    with running(workers=1) as server, connect(server.url) as busy, connect(server.url) as idle:
        idle.sendall(GET % b"/")
        assert b"keep-alive" in idle.recv(1000)
        busy.sendall(GET % b"/sleep/1.5")
        time.sleep(0.3)
        server.process.send_signal(number)
        until(lambda: _refused(server))
        idle.sendall(GET % b"/")
        answered = everything(idle)
        assert answered == b"" or b"Connection: close" in answered
        received = everything(busy)
        assert received.endswith(b"slept")
        assert b"Connection: close" in received
        assert server.process.wait(10) == 0


def test_a_drain_ends_whatever_hangs() -> None:
    with running(workers=1, drain_seconds=1) as server, connect(server.url) as busy:
        busy.sendall(GET % b"/hang")
        time.sleep(0.3)
        server.process.terminate()
        assert server.process.wait(10) == 0


def test_an_app_that_cannot_be_made_ends_the_server_with_its_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    process, log = start({"listen": {"port": 0, "workers": 2}, "broken": str(broken)})
    with log, process:
        assert process.wait(20) == 2
        assert Path(log.name).read_text() == "workers is odd.\n  Make it even.\n"


def test_a_replacement_that_cannot_start_is_tried_again(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    with running({"broken": str(broken)}, workers=2) as server:
        broken.touch()
        os.kill(server.workers()[0], signal.SIGKILL)
        until(lambda: "a worker cannot start: workers is odd." in server.said())
        assert _answers(server)
        broken.unlink()
        until(lambda: len(server.workers()) == 2)
        assert server.said().count("cannot start") < 4


def test_nothing_in_the_current_folder_or_in_gunicorns_environment_has_a_say(tmp_path: Path) -> None:
    for name in ("PIL", "server", "gunicorn.conf", "flask", "json", "logging"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    command = {"listen": {"port": 0, "workers": 1}}
    environ = {
        "GUNICORN_CMD_ARGS": "--workers 7 --config gunicorn.conf.py",
        "WEB_CONCURRENCY": "many",
        "FORWARDED_ALLOW_IPS": "nobody",
        "SCRIPT_NAME": "/elsewhere",
        "PORT": "x",
        "PYTHONSAFEPATH": "1",  # the tests' own command is `python -m`; ours sees to it by itself
    }
    process, log = start(command, tmp_path, **environ)
    with log, process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, Path(log.name).read_text()
        known = httpx.get(json.loads(line)[0] + "/path").json()
        assert not {"", str(tmp_path)} & set(known["path"])
        process.kill()


def test_the_command_itself_imports_nothing_from_the_current_folder(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "typer.py").write_text("raise SystemExit('imported from the current folder')")
    done = subprocess.run(
        (sys.executable, "-m", "dermport", "--help"),
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("host", "families"), [("localhost", 2), ("::", 2), ("127.0.0.1", 1), ("::1", 1)])
def test_a_name_is_bound_in_both_families_on_one_port(host: str, families: int) -> None:
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    doors = bind(host, 0)
    try:
        assert len({door.family for door in doors}) == families
        assert len({door.getsockname()[1] for door in doors}) == 1
    finally:
        for door in doors:
            door.close()


def test_a_mapped_address_is_seen_as_what_it_is() -> None:
    with running(host="::" if _has_ipv6() else "0.0.0.0") as server:
        port = server.url.rpartition(":")[2]
        assert httpx.get(f"http://127.0.0.1:{port}/who").json()["from"] == "127.0.0.1"


def test_what_cannot_be_bound_is_said() -> None:
    for host in ("256.1.1.1", "no such host"):
        with pytest.raises(UsageError, match="cannot be bound"):
            bind(host, 0)
    (door,) = bind("127.0.0.1", 0)
    with door, pytest.raises(UsageError, match="Another program listens there"):
        bind("127.0.0.1", door.getsockname()[1])


def _answers(server: Server) -> bool:
    return ask(server.url, LAST % b"/").endswith(b"0")


def _send(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        connection.sendall(data)


def _limit_files(pid: int, count: int) -> None:
    import resource

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, count))


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _refused(server: Server) -> bool:
    try:
        connect(server.url).close()
    except OSError:
        return True
    return False


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
