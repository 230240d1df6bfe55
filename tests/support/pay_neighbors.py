"""Stand-ins of gatewayd's neighbors, over mutual TLS: a vault that resolves every token, and a
connector with a processor behind it that keeps books, holds answers back and loses them.
"""
import http.server
import json
import ssl
import threading
import urllib.parse

PATIENCE_SECONDS = 60


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self):
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size)) if size else {}
        answer = self.server.neighbor.answer(self.command, self.path, body)
        if answer is None:  # the connection just ends
            self.close_connection = True
            return
        status, document = answer
        text = json.dumps(document).encode()
        self.send_response(status)
        problem = status >= 400
        self.send_header("Content-Type", f"application/{'problem+' if problem else ''}json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _serve

    def log_message(self, *_):
        pass


class Neighbor:
    """One HTTPS server on a thread of its own."""

    def __init__(self, files, ca):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.neighbor = self
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def problem(status, slug):
    return status, {"type": f"urn:strongroom:problem:{slug}", "title": slug, "status": status}


class Vault(Neighbor):
    """Gives the same processor token for every token but those in `refused`: token -> answer."""

    def __init__(self, files, ca, processor_token):
        self.refused = {}
        self.payments = []
        self._processor_token = processor_token
        super().__init__(files, ca)

    def answer(self, _method, path, body):
        token = path.split("/")[3]
        if token in self.refused:
            return self.refused[token]
        self.payments.append(body["payment"])
        return 200, {"processor_token": self._processor_token, "created": False}


class Connector(Neighbor):
    """`hold("before" | "after", ...)` makes the next requests wait, each before or after its
    effect, until a `release()`, which may come first; then its connection ends unanswered."""

    def __init__(self, files, ca):
        self.charges = {}  # processor reference -> {"reference", "amount", "captured", "refunded"}
        self.requests = []
        self.declines = []  # of the next payments
        self._holds = []
        self._held = threading.Semaphore(0)
        self._released = threading.Semaphore(0)
        self._answers = {}
        self._lock = threading.Lock()
        super().__init__(files, ca)

    def hold(self, *when):
        self._holds = list(when)

    def wait_held(self):
        assert self._held.acquire(timeout=PATIENCE_SECONDS), "no request came to be held"

    def release(self):
        self._released.release()

    def answer(self, method, path, body):
        parts = urllib.parse.urlsplit(path)
        self.requests.append((method, parts.path, body))
        if method == "GET":
            return 200, self._look_up(dict(urllib.parse.parse_qsl(parts.query)))
        with self._lock:
            hold = self._holds.pop(0) if self._holds else None
        if hold == "before":
            return self._wait()
        with self._lock:
            key = body["idempotency_key"]
            if key not in self._answers:
                self._answers[key] = self._effect(parts.path, body)
        if hold == "after":
            return self._wait()
        return 200, self._answers[key]

    def _wait(self):
        self._held.release()
        self._released.acquire(timeout=PATIENCE_SECONDS)

    def _effect(self, path, body):
        if path in ("/v1/sales", "/v1/authorizations"):
            if self.declines:
                return {"outcome": "declined", "processor_reference": None,
                        "decline": {"class": "soft", "code": self.declines.pop()}}
            reference = f"pi_{len(self.charges)}"
            self.charges[reference] = {"reference": body["reference"], "amount": body["amount"],
                                       "captured": body["amount"] if path == "/v1/sales" else 0,
                                       "refunded": 0, "voided": False}
            return self._approved(reference)
        _, _, _, reference, operation = path.split("/")
        charge = self.charges[reference]
        if operation == "capture":
            charge["captured"] = body["amount"]
        elif operation == "void":
            charge["voided"] = True
        else:
            charge["refunded"] += body["amount"]
            return self._approved(f"re_{charge['refunded']}")
        return self._approved(reference)

    @staticmethod
    def _approved(reference):
        return {"outcome": "approved", "processor_reference": reference, "decline": None}

    def _look_up(self, query):
        for reference, charge in self.charges.items():
            if charge["reference"] == query["reference"]:
                return {"outcome": "approved", "processor_reference": reference,
                        "status": "captured" if charge["captured"] else "authorized",
                        "amount": charge["amount"], "amount_captured": charge["captured"],
                        "amount_refunded": charge["refunded"], "refunds": [], "decline": None}
        return {"outcome": "failed", "processor_reference": None, "status": None, "amount": 0,
                "amount_captured": 0, "amount_refunded": 0, "refunds": [], "decline": None}
