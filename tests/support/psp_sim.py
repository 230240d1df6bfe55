"""A running psp-sim for a test, a client of its API, and a door between other clients and it that
holds all that passes to Stripe's own description.
"""
import contextlib
import http.client
import http.server
import json
import ssl
import subprocess
import threading
import urllib.parse
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

import deployment as d
import stripe_contract
from certificates import Authority, Leaf
from children import free_port, stop

KEY = "sk_test_functional"
SERVER = Leaf(usage=(ExtendedKeyUsageOID.SERVER_AUTH,))
START_SECONDS = 20


def flatten(parameters, prefix=""):
    """Nested parameters as the API writes them: [("card[number]", "42"), ("expand[]", "a")]."""
    pairs = []
    for key, value in parameters.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, dict):
            pairs += flatten(value, name)
        elif isinstance(value, (list, tuple)):
            pairs += [(f"{name}[]", item) for item in value]
        else:
            pairs.append((name, {True: "true", False: "false"}.get(value, value)))
    return pairs


@dataclass(frozen=True)
class Answer:
    status: int
    body: object
    headers: dict

    @property
    def error(self):
        return self.body["error"]


class StripeClient:
    """One kept connection. Every exchange is held to the contract, where there is one."""

    def __init__(self, port, ca_cert, api_key=KEY, contract=None, timeout=20):
        context = ssl.create_default_context(cafile=str(ca_cert))
        self._connection = http.client.HTTPSConnection("localhost", port, context=context,
                                                       timeout=timeout)
        self._key = api_key
        self._contract = contract

    def call(self, method, path, parameters=None, headers=None):
        form = urllib.parse.urlencode(flatten(parameters or {}))
        target = f"{path}?{form}" if form and method != "POST" else path
        body = form if method == "POST" else None
        sent = {"Authorization": f"Bearer {self._key}", **(headers or {})}
        if body:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        answer = self.send(method, target, body, sent)
        if self._contract:
            if answer.status < 400:
                self._contract.check_request(method, target, body or "")
            self._contract.check_answer(method, target, answer.status, answer.body)
        return answer

    def send(self, method, target, body, headers):
        try:
            self._connection.request(method, target, body, headers)
            received = self._connection.getresponse()
            text = received.read()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            raise
        fields = {name.lower(): value for name, value in received.getheaders()}
        return Answer(received.status, json.loads(text) if text else None, fields)

    def get(self, path, parameters=None, headers=None):
        return self.call("GET", path, parameters, headers)

    def post(self, path, parameters=None, headers=None):
        return self.call("POST", path, parameters, headers)

    def delete(self, path):
        return self.call("DELETE", path)

    def fault(self, path, kind, **more):
        body = json.dumps({"path": path, "kind": kind, **more})
        answer = self.send("POST", "/_sim/faults", body, {"Content-Type": "application/json"})
        assert answer.status == 204, answer

    def sim(self, method, path):
        """A question to /_sim, which is no part of the API."""
        return self.send(method, f"/_sim/{path}", None, {}).body

    def close(self):
        self._connection.close()


class Simulator:
    """A process with a certificate of a CA of its own; `arguments` go to it as they are."""

    def __init__(self, folder, *arguments):
        authority = Authority()
        files = authority.issue(SERVER, folder / "psp-sim")
        self.ca_cert = folder / "ca.crt"
        self.ca_cert.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
        self.files = files
        self.port = free_port()
        self.log = folder / "psp-sim.log"
        command = [d.BIN / "psp-sim", "--listen", f"127.0.0.1:{self.port}",
                   "--certificate", files.certificate, "--key", files.key, *arguments]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
                                            stderr=log, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        assert line == f"psp-sim: https://127.0.0.1:{self.port}\n", (line, self.log.read_text())

    def client(self, api_key=KEY, contract=None, timeout=20):
        return StripeClient(self.port, self.ca_cert, api_key, contract, timeout)

    def stop(self):
        return stop(self.process)


@contextlib.contextmanager
def running(folder, *arguments):
    simulator = Simulator(folder, *arguments)
    try:
        yield simulator
    finally:
        simulator.stop()


class CheckedDoor:
    """A server in front of a Simulator, with its certificate: what passes is held to the contract
    and recorded; what breaks it passes all the same and stands in `broken`."""

    def __init__(self, simulator, contract):
        self.exchanges = []
        self.broken = []
        self._simulator = simulator
        self._contract = contract
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self):
                size = int(self.headers.get("Content-Length") or 0)
                door.pass_on(self, self.rfile.read(size).decode())

            do_GET = do_POST = do_DELETE = _pass

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(simulator.files.certificate, simulator.files.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def pass_on(self, handler, body):
        method, target = handler.command, handler.path
        client = self._simulator.client()
        sent = {name: value for name, value in handler.headers.items()
                if name.lower() not in ("host", "connection", "content-length")}
        try:
            answer = client.send(method, target, body or None, sent)
        finally:
            client.close()
        self._check(method, target, body, answer)
        text = b"" if answer.body is None else json.dumps(answer.body).encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            if name not in ("content-length", "connection"):
                handler.send_header(name, value)
        if answer.status != 204:
            handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _check(self, method, target, body, answer):
        if target.startswith("/_sim/"):
            return
        self.exchanges.append((method, target.partition("?")[0], answer.status))
        if self._contract is None:
            return
        try:
            if answer.status < 400:
                self._contract.check_request(method, target, body)
            self._contract.check_answer(method, target, answer.status, answer.body)
        except stripe_contract.ContractBroken as error:
            self.broken.append(str(error))

    def close(self):
        self._server.shutdown()
        self._server.server_close()
