"""HTTP that is too big, too slow or ambiguous, at both listeners that take cards: each request has
one reading or none, and a connection that could be read in two ways is closed.
"""
import datetime
import json
import threading

import pytest

import door as doors
import leak_scan

BODY_BYTES_MAX = 16 * 1024
PATIENCE_SECONDS = (9, 13)  # the limits are 10 s


@pytest.fixture(params=["edged", "vaultd"])
def door(request, deployment):
    return getattr(doors, request.param)(deployment)


def good_body(size=0):
    text = json.dumps({"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                                "exp_year": datetime.date.today().year + 1}})
    return text.encode() + b" " * max(0, size - len(text))


def refused_and_closed(door, data, status, problem):
    with door.connect() as connection:
        connection.send(data)
        answer = connection.answer()
        assert answer is not None, "closed without an answer"
        door.contract.check("POST", door.path, answer)
        assert (answer.status, answer.problem) == (status, problem)
        assert answer.headers.get("connection") == "close"
        assert connection.is_closed()


def test_largest_body_is_taken(door):
    assert door.post(good_body(BODY_BYTES_MAX)).status == 201


def test_larger_body_is_refused_unread(door):
    head = door.request(b"", extra=[("Content-Length", str(BODY_BYTES_MAX + 1))], length=False)
    refused_and_closed(door, head, 413, "too-large")


def test_larger_body_is_refused_though_it_was_sent(door):
    refused_and_closed(door, door.request(good_body(BODY_BYTES_MAX + 1)), 413, "too-large")


def test_too_many_header_bytes_are_refused(door):
    refused_and_closed(door, door.request(good_body(), extra=[("X-Long", "x" * 17000)]), 431,
                       "headers-too-large")


def test_too_many_headers_are_refused(door):
    extra = [(f"X-{n}", "1") for n in range(100)]
    refused_and_closed(door, door.request(good_body(), extra=extra), 431, "headers-too-large")


def test_endless_header_is_refused(door):
    endless = door.request(b"").removesuffix(b"\r\n\r\n") + b"\r\nX-Long: " + b"x" * 40000
    refused_and_closed(door, endless, 431, "headers-too-large")


SMUGGLING = {
    "chunked and length": ([("Transfer-Encoding", "chunked"), ("Content-Length", "5")], 400),
    "length and chunked": ([("Content-Length", "5"), ("Transfer-Encoding", "chunked")], 400),
    "chunked alone": ([("Transfer-Encoding", "chunked")], 411),
    "chunked in disguise": ([("Transfer-Encoding", "xchunked")], 411),
    "two lengths": ([("Content-Length", "5"), ("Content-Length", "6")], 400),
    "one length twice": ([("Content-Length", "5"), ("Content-Length", "5")], 400),
    "a list of lengths": ([("Content-Length", "5, 5")], 400),
    "a signed length": ([("Content-Length", "+5")], 400),
    "a negative length": ([("Content-Length", "-5")], 400),
    "a hexadecimal length": ([("Content-Length", "0x5")], 400),
    "a huge length": ([("Content-Length", "9" * 30)], 400),
    "two hosts": ([("Host", "other"), ("Content-Length", "5")], 400),
    "blank before the colon": ([("Content-Length ", "5")], 400),
    "a folded line": ([("X-Folded", "a\r\n b"), ("Content-Length", "5")], 400),
    "a bare line feed": ([("X-Bare", "a\nContent-Length: 9"), ("Content-Length", "5")], 400),
    "a bare carriage return": ([("X-Bare", "a\rb"), ("Content-Length", "5")], 400),
    "a zero byte": ([("X-Zero", "a\0b"), ("Content-Length", "5")], 400),
}
PROBLEMS = {400: "malformed-request", 411: "length-required"}


@pytest.mark.parametrize("trick", SMUGGLING)
def test_ambiguous_length_is_refused_and_the_connection_closed(door, trick):
    extra, status = SMUGGLING[trick]
    hidden = door.request(good_body())
    data = door.request(b"0\r\n\r\n", extra=extra, length=False) + hidden
    refused_and_closed(door, data, status, PROBLEMS[status])


@pytest.mark.parametrize("line", [
    "POST http://localhost/v1/tokens HTTP/1.1", "POST /v1/../v1/tokens HTTP/1.1",
    "POST //v1/tokens HTTP/1.1", "POST /v1/tokens HTTP/1.0", "POST /v1/tokens HTTP/2.0",
    "POST /v1/tokens", "POST  /v1/tokens HTTP/1.1", "POST /v1/to kens HTTP/1.1",
    "OPTIONS * HTTP/1.1\r\nX: y", "\x16\x03\x01\x02",
])
def test_odd_request_line_is_refused(door, line):
    data = door.request(good_body())
    odd = line.encode("latin-1") + data[data.index(b"\r\n"):]
    with door.connect() as connection:
        connection.send(odd)
        answer = connection.answer()
        assert answer.status in (400, 501)
        assert connection.is_closed()


def test_unknown_method_and_path_are_told_apart(door):
    assert door.post(b"", method="PUT").problem == "method-not-allowed"
    assert "POST" in door.post(b"", method="GET").headers["allow"]
    assert door.post(b"", method="GET", path="/v1/nothing").problem == "not-found"


def test_requests_in_a_row_are_answered_in_order(door):
    bodies = [good_body(), b"{", good_body()]
    with door.connect() as connection:
        connection.send(b"".join(door.request(body) for body in bodies))
        assert [connection.answer().status for _ in bodies] == [201, 400, 201]


def test_continue_is_said_before_the_body(door):
    body = good_body()
    with door.connect() as connection:
        connection.send(door.request(body, extra=[("Expect", "100-continue")])[:-len(body)])
        assert connection.answer().status == 100
        connection.send(body)
        assert connection.answer().status == 201


@pytest.mark.parametrize("part", ["head", "body"])
def test_slow_sender_is_told_and_cut_within_the_limit(deployment, part):
    """Both listeners at once: each takes its whole limit."""
    found = {}

    def send_slowly(listener):
        whole = listener.request(good_body())
        cut = whole.index(b"Content-Type") if part == "head" else len(whole) - 5
        with listener.connect() as connection:
            connection.send(whole[:cut])
            drip = b"X-Drip: 1\r\n" if part == "head" else None
            found[listener.name] = doors.seconds_until_answer(connection, drip, 1)

    listeners = [doors.edged(deployment), doors.vaultd(deployment)]
    threads = [threading.Thread(target=send_slowly, args=[listener]) for listener in listeners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {"edged", "vaultd"}
    for seconds, answer in found.values():
        assert PATIENCE_SECONDS[0] < seconds < PATIENCE_SECONDS[1]
        assert answer.status == 408 and answer.problem == "request-timeout"
