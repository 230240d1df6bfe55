"""gatewayd itself, between a stand-in vault and a stand-in connector: payments over real sockets,
and what becomes of them when it is killed.
"""
import base64
import contextlib
import http.client
import re
import signal
import threading

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Authority, Leaf
from checked_api import CheckedApi
from pay_neighbors import Connector, Vault, problem
from running_deployment import RunningDeployment, folder, wait_until
from tickets import TicketKey, good_claims

MERCHANT, OTHER = "mer_" + "a" * 26, "mer_" + "b" * 26
TOKEN = "tok_" + "a" * 26
# The examples of docs/formats/connector-seal.md.
HEAD = "06737472697065056163635f31" + "42" * 12
ACCOUNT = "010102030401" + HEAD + ("0016528868ae1af29e04e281be63f713c0"
                                   "ac40767db63353572cb82901e2cabcce40")
PROCESSOR_TOKEN = "010102030402" + HEAD + ("0016528868ae1af29214fcad95378463eff0f8"
                                           "74f8f5012b0a1a1f86b44e21c1726b40c8")


def blob(hexadecimal):
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).rstrip(b"=").decode()


class Gateway(RunningDeployment):
    """auditd and gatewayd of a deployment, with the neighbors played here."""

    def __init__(self, directory):
        super().__init__(directory)
        self.create("sqlite")
        self._authority = Authority.of(self)
        self._ca = self.dir / "tls/ca/ca.crt"
        self.vault_played = Vault(self._server("vaultd"), self._ca, blob(PROCESSOR_TOKEN))
        self.connector = Connector(self._server("connectord-stripe"), self._ca)
        self._tickets = TicketKey()
        with open(self.dir / "public/tickets.pub", "a") as keys:  # beside authd's
            keys.write(self._tickets.line())
        self._edged = self._authority.issue(Leaf(uris=("spiffe://strongroom.local/edged",)))
        self._configure()

    def _server(self, identity):
        return self._authority.issue(Leaf(uris=(f"spiffe://strongroom.local/{identity}",),
                                          usage=(ExtendedKeyUsageOID.SERVER_AUTH,)))

    def _configure(self):
        """Leads gatewayd to the played neighbors."""
        before, section = self.config.read_text().split("[gatewayd]")
        for name, played in (("vaultd", self.vault_played), ("stripe", self.connector)):
            section, changed = re.subn(f'{name} = "[^"]*"', f'{name} = "127.0.0.1:{played.port}"',
                                       section, count=1)
            assert changed == 1
        self.config.write_text(f"{before}[gatewayd]{section}")

    def start_all(self):
        for instance in ("auditd", "gatewayd"):
            self.start_one(instance)
        self.keep_account(MERCHANT)

    def keep_account(self, merchant):
        answer = self.admin("gatewayd", "POST", "/v1/connector-accounts",
                            {"merchant": merchant, "account": blob(ACCOUNT)})
        assert answer[0] == 201, answer

    def public(self, api_key):
        """A client of edged."""
        listen = self.settings()["edged"]["listen"]
        return CheckedApi("public", f"https://{listen}", self._ca, api_key)

    def stop_all(self):
        self.connector.release()
        self.supervisor.stop_all()
        self.vault_played.close()
        self.connector.close()

    def merchant(self, merchant=MERCHANT, **claims):
        listen = self.settings()["gatewayd"]["listen"]
        scopes = ["payments:write", "payments:read"]
        ticket = self._tickets.sign(good_claims(merchant, **{"scopes": scopes, **claims}))
        return CheckedApi("public", f"https://{listen}", self._ca, None,
                          self._edged.certificate, self._edged.key,
                          headers={"Strongroom-Ticket": ticket, "Strongroom-Source": "192.0.2.1"})


@pytest.fixture
def gateway():
    with folder() as parent:
        made = Gateway(parent / "deployment")
        try:
            made.start_all()
            yield made
        finally:
            made.stop_all()


def pay(client, key, **members):
    body = {"amount": 1099, "currency": "USD", "token": TOKEN, **members}
    return client.post("/v1/payments", body, {"Idempotency-Key": key})


def settled(client, payment, status):
    path = f"/v1/payments/{payment}"
    return wait_until(lambda: client.get(path).body["status"] == status, f"{payment} is {status}")


def test_a_payment_from_authorization_to_refund(gateway):
    client = gateway.merchant()
    made = pay(client, "k1", capture=False, reference="order 7", metadata={"a": "b"})
    assert (made.status, made.body["status"]) == (201, "authorized")
    path = f"/v1/payments/{made.body['id']}"
    captured = client.post(f"{path}/capture", {"amount": 1000}, {"Idempotency-Key": "k2"})
    assert (captured.status, captured.body["amount_captured"]) == (200, 1000)
    refund = client.post(f"{path}/refunds", {}, {"Idempotency-Key": "k3"})
    assert (refund.status, refund.body["status"], refund.body["amount"]) == (201, "succeeded", 1000)
    assert client.get(path).body["status"] == "refunded"
    again = client.post(f"{path}/capture", {"amount": 1000}, {"Idempotency-Key": '"k2"'})
    assert again.body == captured.body and again.headers["idempotent-replayed"] == "true"
    late = client.post(f"{path}/void", {}, {"Idempotency-Key": "k4"})
    assert (late.status, late.problem) == (409, "payment-state")
    assert gateway.connector.charges["pi_0"]["refunded"] == 1000
    assert [item["id"] for item in client.get("/v1/payments").body["data"]] == [made.body["id"]]
    accounts = client.get("/v1/connector-accounts").body["data"]
    assert [account["connector"] for account in accounts] == ["stripe"]


def test_what_is_refused_says_why_and_charges_nothing(gateway):
    client = gateway.merchant()
    gateway.connector.declines = ["insufficient_funds"]
    declined = pay(client, "d")
    assert (declined.status, declined.body["status"]) == (201, "declined")
    assert declined.body["decline"] == {"class": "soft", "code": "insufficient_funds"}
    gone = "tok_" + "b" * 26
    gateway.vault_played.refused[gone] = problem(410, "token-deleted")
    assert pay(client, "g", token=gone).problem == "token-deleted"
    assert pay(client, "c", currency="XTS").pointer == "#/currency"
    assert pay(client, "n", connector="nmi").pointer == "#/connector"
    assert pay(client, "4242424242424242").problem == "looks-like-card-data"
    assert pay(client, "d", amount=1).problem == "idempotency-mismatch"
    assert pay(gateway.merchant(scopes=["payments:read"]), "s").status == 403
    assert pay(gateway.merchant(OTHER), "o").pointer == "#/connector"
    other = gateway.merchant(OTHER).get(f"/v1/payments/{declined.body['id']}")
    assert other.status == 404
    assert not gateway.connector.charges


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_the_processor_works_it_charges_once(gateway, when):
    client = gateway.merchant()
    gateway.connector.hold(when)

    def send():
        with contextlib.suppress(OSError, http.client.HTTPException):
            pay(client, "k1")

    merchant = threading.Thread(target=send)
    merchant.start()
    gateway.connector.wait_held()
    gateway.processes["gatewayd"].send_signal(signal.SIGKILL)
    gateway.processes["gatewayd"].wait()
    gateway.connector.release()
    merchant.join()

    gateway.start_one("gatewayd")
    client = gateway.merchant()
    listed = client.get("/v1/payments").body["data"]
    assert len(listed) == 1 and listed[0]["status"] in ("unknown", "captured")
    settled(client, listed[0]["id"], "captured")
    again = pay(client, "k1")
    assert again.body["id"] == listed[0]["id"] and again.body["status"] == "captured"
    assert [charge["captured"] for charge in gateway.connector.charges.values()] == [1099]
    assert gateway.connector.requests[-1][2]["settle"] is True


def test_a_lost_answer_is_unknown_until_it_settles(gateway):
    client = gateway.merchant()
    gateway.connector.hold("after", "before")  # the first one, and the settler's first try
    gateway.connector.release()
    lost = pay(client, "k1")
    assert (lost.status, lost.body["status"]) == (201, "unknown")
    path = f"/v1/payments/{lost.body['id']}"
    busy = client.post(f"{path}/refunds", {}, {"Idempotency-Key": "r"})
    assert (busy.status, busy.problem) == (409, "payment-state")
    again = pay(client, "k1")
    assert again.body == lost.body and again.headers["idempotent-replayed"] == "true"
    gateway.connector.wait_held()
    gateway.connector.wait_held()
    gateway.connector.release()
    settled(client, lost.body["id"], "captured")
    wait_until(lambda: "strongroom_payment_outcomes_settled_total 1" in
               gateway.admin("gatewayd", "GET", "/metrics")[1], "it is counted")
    assert len(gateway.connector.charges) == 1
    refund = client.post(f"{path}/refunds", {}, {"Idempotency-Key": "r"})
    assert (refund.status, refund.body["status"]) == (201, "succeeded")


def test_a_merchant_pays_through_edged(gateway):
    for instance in ("authd", "edged"):
        gateway.start_one(instance)
    merchant = gateway.new_merchant()
    gateway.keep_account(merchant.id)
    client = gateway.public(merchant.api_key)
    made = pay(client, "k1", capture=False)
    assert (made.status, made.body["status"]) == (201, "authorized")
    path = f"/v1/payments/{made.body['id']}"
    voided = client.post(f"{path}/void", {}, {"Idempotency-Key": "k2"})
    assert (voided.status, voided.body["status"]) == (200, "voided")
    assert pay(client, "k1", capture=False).headers["idempotent-replayed"] == "true"
    assert client.get("/v1/payments?after=" + made.body["id"]).body["data"] == []
    assert pay(client, "k3", reference="4242 4242 4242 4242").problem == "looks-like-card-data"
    reader = gateway.public(gateway.new_key(merchant.id, "merchant_user")["key"])
    assert reader.get(path).body["status"] == "voided"
    assert pay(reader, "k4").status == 403
    denied = gateway.audit_entries(event_type="access.denied")
    assert [entry["unmapped"]["merchant_id"] for entry in denied] == [merchant.id]
    assert gateway.public("sk_test_" + "a" * 52).get("/v1/payments").status == 401


def test_it_stops_cleanly_and_keeps_what_it_has(gateway):
    client = gateway.merchant()
    made = pay(client, "k1")
    assert gateway.stop_one("gatewayd") == 0
    gateway.start_one("gatewayd")
    assert gateway.merchant().get(f"/v1/payments/{made.body['id']}").body == made.body
