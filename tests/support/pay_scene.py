"""Every operation of a payment at once, stopped at one point of its way: between two steps of
gatewayd, vaultd or connectord.
"""
import contextlib
import http.client
from dataclasses import dataclass

import api
import books
import held
from running_deployment import wait_until
from shop import Shop

STANDING_SECONDS = 4  # a writer waits for five
SETTLED_SECONDS = 60

PAY = {"amount": 1099, "currency": "USD"}
# operation -> what the payment was before, the request's path and body, the status told at last
OPERATIONS = {
    "first sale": (None, "", {**PAY}, "captured"),  # of a card that the processor has not seen
    "sale": (None, "", {**PAY}, "captured"),
    "authorize": (None, "", {**PAY, "capture": False}, "authorized"),
    "capture": ("authorized", "/capture", {"amount": 700}, "partially_captured"),
    "void": ("authorized", "/void", {}, "voided"),
    "refund": ("captured", "/refunds", {"amount": 300}, "succeeded"),
}

# What is on disk of an operation, in this order.
NOTHING = "nothing"    # gatewayd has not kept it
ATTEMPT = "attempt"    # gatewayd has kept what it is about to ask
INTENT = "intent"      # connectord has announced in the audit log what it is about to ask
ANSWER = "answer"      # connectord has logged the processor's answer
OUTCOME = "outcome"    # gatewayd has kept the answer


@dataclass(frozen=True)
class Point:
    """Where the operations stand: at the last of `holds`, each put up before the one before is
    taken down, so that what comes twice on the way can be met the second time.
    """
    step: str        # that is about to happen
    holds: tuple
    first_sale: str  # what is on disk of it then
    pays: str        # of sale and authorize
    changes: str     # of capture, void and refund
    victims: tuple

    def __str__(self):
        return self.step

    def on_disk(self, operation):
        if operation == "first sale":
            return self.first_sale
        return self.pays if operation in ("sale", "authorize") else self.changes


SILENT = {"silence before": ("/v1/customers", "/v1/payment_intents",
                             "/v1/payment_intents/*/capture", "/v1/payment_intents/*/cancel",
                             "/v1/refunds"),
          "silence after": ("/v1/payment_methods/*/attach", "/v1/payment_intents",
                            "/v1/payment_intents/*/capture", "/v1/payment_intents/*/cancel",
                            "/v1/refunds")}


class Operation:
    """One request that moves money, over a connection of its own."""

    def __init__(self, shop, name, token, api_key):
        before, path, body, self.end = OPERATIONS[name]
        self.name = name
        self.told = None
        self._path = "/v1/payments"
        self._body = body if before else {**body, "token": token}
        if before:
            made = shop.pay(token, capture=before == "captured")
            self._path += "/" + made.body["id"] + path
        self.key = f"disturbed {name}".replace(" ", "-")
        state = shop.deployment.state()
        self._client = api.Api(state["gateway_url"], state["ca_cert"], api_key)
        assert self._client.call("GET", "/healthz")[0] == 200  # it is connected from now on

    def send(self):
        self._client.send("POST", self._path, self._body, {"Idempotency-Key": self.key})

    def receive(self):
        """What is told in the end, or None while that is open."""
        try:
            status, body, _ = self._client.receive()
        except (OSError, http.client.HTTPException):
            return None
        if status in (503, 504) or body.get("type", "").endswith("idempotency-in-progress"):
            return None
        assert status in (200, 201), (self.name, status, body)
        if body["status"] in ("pending", "unknown"):
            return None
        assert self.told in (None, body), "it was told otherwise before"
        self.told = body
        return body

    def settle(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.send()
            return self.receive()

    def close(self):
        self._client.close()


class Scene:
    """One merchant, every operation."""

    def __init__(self, deployment):
        self.deployment = deployment
        shop = Shop(deployment)
        self.merchant = shop.merchant.id
        key = deployment.new_key(self.merchant)["key"]  # that edged has no ticket for
        first, seen_before = (shop.token(usage_limit=100) for _ in range(2))  # vaultd counts that
        assert shop.pay(seen_before).body["status"] == "captured"
        self.operations = [
            Operation(shop, name, first if name == "first sale" else seen_before, key)
            for name in OPERATIONS]

    def on_disk(self):
        """What there is of each operation."""
        attempts = {key: (attempt, state) for key, attempt, state in self.deployment.rows(
            "core", "SELECT idempotency_key, id, state FROM attempts"
                    f" WHERE merchant_id = '{self.merchant}'")}
        logged = {}
        for entry in books.entries(self.deployment):
            for reference in entry.resources:
                logged.setdefault(reference, set()).add(entry.phase)

        def found(operation):
            attempt, state = attempts.get(operation.key, (None, None))
            if attempt is None:
                return NOTHING
            if state != "pending":
                return OUTCOME
            phases = logged.get(attempt, ())
            return ANSWER if "outcome" in phases else INTENT if "intent" in phases else ATTEMPT
        return {operation.name: found(operation) for operation in self.operations}

    @contextlib.contextmanager
    def standing_at(self, point):
        """Every operation is sent, and stands there."""
        expected = {name: point.on_disk(name) for name in OPERATIONS}
        with contextlib.ExitStack() as held_last:
            held_last.enter_context(hold(self.deployment, point.holds[0]))
            for operation in self.operations:
                operation.send()
            for name in point.holds[1:]:
                wait_until(lambda: not self._restless(), f"rest before {name}", STANDING_SECONDS)
                before = held_last.pop_all()
                held_last.enter_context(hold(self.deployment, name))
                before.close()
            self._wait_standing(f"all stand at {point}", expected)
            yield

    def _restless(self):
        """Who of those on a payment's way does something: of audit-relay payments know nothing."""
        return held.restless(self.deployment, self.deployment.processes.keys() - {"audit-relay"})

    def _wait_standing(self, what, expected):
        try:
            wait_until(lambda: not self._restless() and self.on_disk() == expected, what,
                       STANDING_SECONDS)
        except AssertionError as late:
            elsewhere = {name: at for name, at in self.on_disk().items() if at != expected[name]}
            raise AssertionError(f"{late}; not at rest: {sorted(self._restless())}; elsewhere: "
                                 f"{elsewhere}") from None

    def assert_settled(self):
        for operation in self.operations:
            wait_until(operation.settle, f"{operation.name} is settled", SETTLED_SECONDS)
            operation.close()
        told = {operation.name: operation.told for operation in self.operations}
        books.assert_agree(self.deployment, told.values())
        for operation in self.operations:
            assert operation.told["status"] == operation.end, (operation.name, operation.told)
        assert len({body["id"] for body in told.values()}) == len(told), told


@contextlib.contextmanager
def silence(deployment, paths):
    """psp-sim leaves the next requests of a scene without an answer."""
    when = "before_effect" if "/v1/customers" in paths else "after_effect"
    with books.processor(deployment) as processor:
        for path in paths:
            processor.fault(path, "timeout", when=when,
                            count=2 if path == "/v1/payment_intents" else 1)
        yield
        assert processor.delete("/_sim/faults").body == {"unused": 0}


def hold(deployment, what):
    if what in SILENT:
        return silence(deployment, SILENT[what])
    if what in ("vault", "core"):
        return held.locked(deployment, what)
    return held.frozen(deployment, what)
