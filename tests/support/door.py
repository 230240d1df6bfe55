"""A listener that takes cards, reached byte by byte: edged for the public, vaultd for services.

Tests speak to both alike; a door knows its path, its credential and its contract.
"""
import json
import re
import socket
import ssl
import time
import urllib.parse
from dataclasses import dataclass, field

import leak_scan
from checked_api import Answer, Contract

ANSWER_SECONDS = 14  # longer than any limit of a listener


class Connection:
    """One TLS connection; nothing is added to what a test sends."""

    def __init__(self, door):
        raw = socket.create_connection(door.address, timeout=ANSWER_SECONDS)
        self._tls = door.tls.wrap_socket(raw, server_hostname="localhost")
        self._received = b""

    def send(self, data):
        self._tls.sendall(data)

    def _read(self):
        try:
            return self._tls.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return b""

    def answer(self):
        """The next answer; None when the listener closed without one."""
        while b"\r\n\r\n" not in self._received:
            if not (more := self._read()):
                return None
            self._received += more
        head, _, rest = self._received.partition(b"\r\n\r\n")
        lines = head.decode("ascii").split("\r\n")
        fields = {name.lower(): value.strip()
                  for name, value in (line.split(":", 1) for line in lines[1:])}
        length = int(fields.get("content-length", 0))
        while len(rest) < length:
            rest += self._read()
        self._received = rest[length:]
        body = rest[:length]
        if "json" in fields.get("content-type", ""):
            body = json.loads(body)
        return Answer(int(lines[0].split(" ")[1]), body, fields)

    def is_closed(self, seconds=3):
        """Whether the listener ends the connection now; it must have nothing more to say."""
        self._tls.settimeout(seconds)
        try:
            return self._received == b"" and self._tls.recv(1) == b""
        except (ConnectionError, ssl.SSLEOFError):
            return True
        except (TimeoutError, ssl.SSLError):
            return False

    def version(self):
        return self._tls.version()

    def certificate(self):
        """What the listener showed, in DER."""
        return self._tls.getpeercert(binary_form=True)

    def close(self):
        self._tls.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@dataclass
class Door:
    name: str
    url: str
    path: str
    credential: dict
    contract: Contract
    tls: ssl.SSLContext
    logs: object  # () -> bytes: all that the deployment has written about requests
    headers: dict = field(default_factory=lambda: {"Content-Type": "application/json"})

    @property
    def address(self):
        parts = urllib.parse.urlsplit(self.url)
        return parts.hostname, parts.port

    def connect(self):
        return Connection(self)

    def request(self, body=b"", method="POST", path=None, extra=(), length=True):
        """The bytes of one request; `extra` fields are (name, value) pairs sent as they are."""
        fields = [("Host", "localhost"), *self.credential.items(), *self.headers.items(), *extra]
        if length:
            fields.append(("Content-Length", str(len(body))))
        lines = [f"{method} {path or self.path} HTTP/1.1", *(f"{n}: {v}" for n, v in fields)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    def exchange(self, data, method="POST", path=None):
        """Sends `data` on a fresh connection; the answer, held to the contract."""
        with self.connect() as connection:
            connection.send(data)
            answer = connection.answer()
        assert answer is not None, f"{self.name} closed without an answer"
        self.contract.check(method, path or self.path, answer)
        return answer

    def post(self, body, **request):
        """POSTs `body`: bytes as they are, else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.exchange(self.request(data, **request), request.get("method", "POST"),
                             request.get("path"))

    def assert_unrepeated(self, canary, *answers):
        """Neither an answer nor any log has what was sent, in whatever form."""
        said = b"".join(json.dumps([answer.headers, str(answer.body)]).encode()
                        for answer in answers if answer) + self.logs()
        if re.fullmatch("[0-9]{12,19}", canary):
            assert not leak_scan.scan_bytes(said, canary), "card data came back"
        for form in (canary, json.dumps(canary)[1:-1]):
            assert form.encode() not in said, "what was sent came back"


def _context(state, certificate=None, key=None):
    context = ssl.create_default_context(cafile=state["ca_cert"])
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def edged(deployment, api_key=None):
    state = deployment.state()
    return Door("edged", state["gateway_url"], "/v1/tokens",
                {"Authorization": f"Bearer {api_key or state['api_key']}"}, Contract("public"),
                _context(state), deployment.written)


def vaultd(deployment, ticket=None):
    state = deployment.state()
    return Door("vaultd", state["vault_url"], "/v1/cards",
                {"Strongroom-Ticket": ticket or deployment.ticket()}, Contract("vault"),
                _context(state, state["client_cert"], state["client_key"]), deployment.written)


def seconds_until_answer(connection, send_more=None, step_seconds=0.25):
    """(seconds, answer): how long a listener bears a request that never becomes whole."""
    begin = time.monotonic()
    connection._tls.settimeout(step_seconds)
    while time.monotonic() - begin < ANSWER_SECONDS:
        try:
            return time.monotonic() - begin, connection.answer()
        except TimeoutError:
            if send_more:
                connection.send(send_more)
    raise AssertionError(f"no end after {ANSWER_SECONDS} s")
