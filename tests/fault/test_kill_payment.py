"""kill -9 of each process while a payment is at each of its stages: the processor charges once, its
books and the merchant's agree, and the log is whole.

A stage is one request to the processor, which psp-sim leaves without an answer: the process is
killed meanwhile and started again, and the merchant sends the same request again, as its
documentation says. psp-sim itself is not killed: it stands for a processor, whose books survive.
"""
import contextlib
import http.client
import threading
from dataclasses import dataclass

import pytest

from running_deployment import running, wait_until
from shop import Shop

ANSWER_TIMEOUT = "answer_timeout_ms = 30000"
SHORT_ANSWER_TIMEOUT = "answer_timeout_ms = 1500 "  # so that the killed one is missed first
SETTLED_SECONDS = 60

VICTIMS = ("edged", "authd", "gatewayd", "vaultd", "connectord-stripe", "auditd")


@dataclass(frozen=True)
class Stage:
    operation: str
    path: str                   # of the processor's API
    when: str = "after_effect"  # of the request whose answer is lost

    def __str__(self):
        last = [word for word in self.path.split("/") if word not in ("", "v1", "*")][-1]
        return f"{self.operation}-{last}-{self.when.removesuffix('_effect')}"


STAGES = (Stage("sale", "/v1/customers"),
          Stage("sale", "/v1/payment_methods/*/attach"),
          Stage("sale", "/v1/payment_intents", "before_effect"),
          Stage("sale", "/v1/payment_intents"),
          Stage("authorize", "/v1/payment_intents"),
          Stage("capture", "/v1/payment_intents/*/capture", "before_effect"),
          Stage("capture", "/v1/payment_intents/*/capture"),
          Stage("void", "/v1/payment_intents/*/cancel"),
          Stage("refund", "/v1/refunds", "before_effect"),
          Stage("refund", "/v1/refunds"))

# After the operation: the payment's status, amount captured and refunded; the charge's status.
ENDS = {"sale": ("captured", 1099, 0, "captured"),
        "authorize": ("authorized", 0, 0, "authorized"),
        "capture": ("partially_captured", 700, 0, "captured"),
        "void": ("voided", 0, 0, "reversed"),
        "refund": ("partially_refunded", 1099, 300, "captured")}


@contextlib.contextmanager
def impatient(deployment):
    text = deployment.config.read_text()
    assert text.count(ANSWER_TIMEOUT) == 1
    deployment.config.write_text(text.replace(ANSWER_TIMEOUT, SHORT_ANSWER_TIMEOUT))
    yield


class Scene:
    """One merchant, one payment, one operation that is to be disturbed."""

    def __init__(self, deployment, operation):
        self.deployment = deployment
        self.shop = Shop(deployment)
        self.expected = ENDS[operation]
        token = self.shop.token()
        if operation in ("sale", "authorize"):
            self._path = "/v1/payments"
            self._body = {"amount": 1099, "currency": "USD", "token": token,
                          "capture": operation == "sale"}
            self.payment = None
        else:
            made = self.shop.pay(token, capture=operation == "refund")
            self.payment = made.body["id"]
            self._path = f"/v1/payments/{self.payment}/" + {"refund": "refunds"}.get(operation,
                                                                                     operation)
            self._body = {"capture": {"amount": 700}, "void": {}, "refund": {"amount": 300}}[
                operation]
        self._told = []

    def send(self):
        """What is told in the end, or None while that is open."""
        client = self.deployment.gateway(self.shop.merchant.api_key)
        try:
            answer = client.post(self._path, self._body, {"Idempotency-Key": "disturbed"})
        except (OSError, http.client.HTTPException):
            return None
        finally:
            client.close()
        if answer.problem == "idempotency-in-progress" or answer.status in (503, 504):
            return None
        assert answer.status in (200, 201), answer
        if answer.body["status"] in ("pending", "unknown"):
            return None
        self._told.append(answer.body)
        return answer.body

    def disturb(self, stage, victim):
        processor = self.shop.processor()
        faulted = processor.sim("GET", "requests")["faulted"]
        processor.fault(stage.path, "timeout", when=stage.when)
        merchant = threading.Thread(target=self.send)
        merchant.start()
        wait_until(lambda: processor.sim("GET", "requests")["faulted"] > faulted,
                   f"{stage} is reached")
        self.deployment.processes[victim].kill()
        self.deployment.processes[victim].wait()
        self.deployment.start_one(victim)
        merchant.join()
        self.shop.client.close()  # its connection may have died with edged

    def assert_settled(self):
        told = wait_until(self.send, "it is settled", SETTLED_SECONDS)
        payment = self.shop.payment(told.get("payment", told["id"]))
        [charge] = self.shop.charges()
        assert (payment["status"], payment["amount_captured"], payment["amount_refunded"],
                charge["status"]) == self.expected
        assert charge["amount_captured"] == payment["amount_captured"]
        assert charge["amount_refunded"] == payment["amount_refunded"]
        assert all(body == told for body in self._told), "it was told otherwise before"
        assert len(self.shop.client.get("/v1/payments").body["data"]) == 1


@pytest.fixture(scope="module")
def deployment():
    with running("sqlite", impatient) as made:
        yield made


@pytest.fixture(scope="module")
def postgres_deployment():
    with running("postgres", impatient) as made:
        yield made


def play(deployment, stage, victim):
    scene = Scene(deployment, stage.operation)
    scene.disturb(stage, victim)
    scene.assert_settled()
    wait_until(lambda: deployment.strongroom("audit", "verify")["open_intent_count"] == 0,
               "no open intent", SETTLED_SECONDS)


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_killed_at_any_stage_it_moves_money_once(deployment, stage, victim):
    play(deployment, stage, victim)


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_killed_gateway_finds_its_payments_in_postgres(postgres_deployment, stage):
    play(postgres_deployment, stage, "gatewayd")
