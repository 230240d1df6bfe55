"""Load on a deployment that may lose any process at any time, and a record of what was promised."""
import contextlib
import datetime
import http.client
import threading
import time
from dataclasses import dataclass, field

import api
import leak_scan

PAUSE_AFTER_FAILURE_SECONDS = 0.1
TIMEOUT_SECONDS = 20
LOOKUP_EVERY = 4
DELETE_EVERY = 9
# What a client may be told while a process is gone; everything else is a finding.
PROMISES = (200, 201, 204)
EXCUSES = (503,)


def card_body(pan):
    return {"card": {"number": pan, "exp_month": 12, "exp_year": datetime.date.today().year + 3}}


@dataclass
class Card:
    """One card and every token that an answer gave for it."""
    pan: str
    tokens: set = field(default_factory=set)
    created: int = 0             # answers that called it new
    delete_sent: bool = False
    delete_acknowledged: bool = False


class Worker(threading.Thread):
    """Adds cards, each over two connections at once, looks some up and deletes some."""

    def __init__(self, connect, stopping):
        super().__init__(daemon=True)
        self._connections = (connect(), connect())
        self._stopping = stopping
        self.cards = []
        self.request_ids = []    # of requests whose answer was a promise
        self.excused = 0         # 503
        self.lost = 0            # no answer
        self.in_a_row = 0        # promises since the last failure
        self.unexpected = []

    def run(self):
        while not self._stopping.is_set():
            card = Card(leak_scan.generate_pan())
            self.cards.append(card)
            self._add(card)
            if card.tokens and len(self.cards) % LOOKUP_EVERY == 0:
                self._call("GET", f"/v1/tokens/{min(card.tokens)}")
            if card.tokens and len(self.cards) % DELETE_EVERY == 0:
                card.delete_sent = True
                card.delete_acknowledged = (
                    self._call("DELETE", f"/v1/tokens/{min(card.tokens)}") is not None)
        for connection in self._connections:
            connection.close()

    def _add(self, card):
        sent = []
        for connection in self._connections:
            with self._losses():
                connection.send("POST", "/v1/tokens", card_body(card.pan))
                sent.append(connection)
        for connection in sent:
            answer = self._receive(connection)
            if answer:
                card.tokens.add(answer["id"])
                card.created += answer["duplicate"] == "new"

    def _call(self, method, path):
        with self._losses():
            self._connections[0].send(method, path)
            return self._receive(self._connections[0])

    def _receive(self, connection):
        """The body of a promise, else None."""
        with self._losses():
            status, body, headers = connection.receive()
            if status in PROMISES:
                self.in_a_row += 1
                self.request_ids.append(headers["strongroom-request-id"])
                return body
            self.in_a_row = 0
            if status in EXCUSES:
                self.excused += 1
                time.sleep(PAUSE_AFTER_FAILURE_SECONDS)
            else:
                self.unexpected.append((status, body))
        return None

    @contextlib.contextmanager
    def _losses(self):
        try:
            yield
        except (http.client.HTTPException, OSError):
            self.lost += 1
            self.in_a_row = 0
            time.sleep(PAUSE_AFTER_FAILURE_SECONDS)


class CardLoad:
    """`workers` threads of load while the context is entered; the record of it afterwards."""

    def __init__(self, deployment, workers=4):
        state = deployment.state()
        self._stopping = threading.Event()
        self._workers = [Worker(lambda: api.Api(state["gateway_url"], state["ca_cert"],
                                                state["api_key"], timeout=TIMEOUT_SECONDS),
                                self._stopping) for _ in range(workers)]

    def __enter__(self):
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for worker in self._workers:
            worker.join()

    @property
    def cards(self):
        return [card for worker in self._workers for card in list(worker.cards)]

    @property
    def promised_cards(self):
        return [card for card in self.cards if card.tokens]

    @property
    def request_ids(self):
        return [identifier for worker in self._workers for identifier in worker.request_ids]

    @property
    def in_a_row(self):
        """What every worker was promised at least, one after the other, since its last failure."""
        return min(worker.in_a_row for worker in self._workers)

    @property
    def unexpected(self):
        return [answer for worker in self._workers for answer in worker.unexpected]

    @property
    def failures(self):
        """Requests without a promise: told so, and never answered."""
        return (sum(worker.excused for worker in self._workers),
                sum(worker.lost for worker in self._workers))
