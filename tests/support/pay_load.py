"""Load of payments on a deployment that may lose any process at any time: a merchant that sends
each request again, with its idempotency key, until it is told how it ended.
"""
import contextlib
import http.client
import itertools
import threading
import time

import api
from shop import Shop

PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 60
# What comes of one card, in turn: [(what is asked of the payment, body, the status told at last)].
PLANS = (
    [("", {"amount": 1099, "currency": "USD"}, "captured"),
     ("/refunds", {"amount": 300}, "succeeded")],
    [("", {"amount": 2000, "currency": "USD", "capture": False}, "authorized"),
     ("/capture", {"amount": 700}, "partially_captured")],
    [("", {"amount": 500, "currency": "USD", "capture": False}, "authorized"),
     ("/void", {}, "voided")],
)


class Till(threading.Thread):
    """Pays with the shop's tokens, one request after the other."""

    def __init__(self, shop, tokens, stopping, name):
        super().__init__(daemon=True)
        state = shop.deployment.state()
        self._client = api.Api(state["gateway_url"], state["ca_cert"], shop.merchant.api_key)
        self._tokens = itertools.cycle(tokens)
        self._stopping = stopping
        self._keys = (f"{name}-{count}" for count in itertools.count())
        self.told = []        # bodies of final answers
        self.repeated = 0     # requests that were sent again
        self.unexpected = []

    def run(self):
        with contextlib.closing(self._client):
            for plan in itertools.cycle(PLANS):
                if self._stopping.is_set() or self.unexpected:
                    return
                self._play(plan)

    def _play(self, plan):
        path = "/v1/payments"
        for what, body, end in plan:
            sent = body if what else {**body, "token": next(self._tokens)}
            answer = self._settle(path + what, sent, {"Idempotency-Key": next(self._keys)})
            if answer is None or answer["status"] != end:
                self.unexpected.append((what, end, answer))
                return
            self.told.append(answer)
            if not what:
                path += "/" + answer["id"]

    def _settle(self, path, body, headers):
        """The final answer, or None when what came is neither that nor open."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer, _ = self._client.call("POST", path, body, headers)
                if status in (200, 201) and answer["status"] not in ("pending", "unknown"):
                    return answer
                again = status in (200, 201, 503, 504) or \
                    answer.get("type", "").endswith("idempotency-in-progress")
                if not again:
                    self.unexpected.append((status, answer))
                    return None
            self.repeated += 1
            time.sleep(PAUSE_SECONDS)
        return None


class PayLoad:
    """`tills` of one merchant while the context is entered; the record of them afterwards."""

    def __init__(self, deployment, tills=2, cards=4):
        shop = Shop(deployment)
        self._stopping = threading.Event()
        self._tills = [Till(shop, [shop.token() for _ in range(cards)], self._stopping, f"till-{n}")
                       for n in range(tills)]

    def __enter__(self):
        for till in self._tills:
            till.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for till in self._tills:
            till.join()

    @property
    def told(self):
        return [body for till in self._tills for body in till.told]

    @property
    def repeated(self):
        return sum(till.repeated for till in self._tills)

    @property
    def unexpected(self):
        return [answer for till in self._tills for answer in till.unexpected]
