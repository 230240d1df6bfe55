"""A merchant's account at Stripe in a running deployment: psp-sim is the processor, and clients
have the identities of connectord's callers.
"""
import datetime
import signal
import time

import psp_sim
from certificates import Authority, Leaf
from checked_api import CheckedApi
from running_deployment import wait_until
from tickets import TicketKey, good_claims

CREDENTIAL = "sk_test_functional_connectord"
VISA = "4242424242424242"


class Stripe:
    """A deployment, an account in it, and clients with the identities of connectord's callers."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.key = TicketKey()
        path = deployment.dir / "public/tickets.pub"
        path.write_text(path.read_text() + self.key.line())
        deployment.processes["connectord-stripe"].send_signal(signal.SIGHUP)
        self._authority = Authority.of(deployment)
        self._files = {}
        self._count = 0
        self.merchant, self.other = (deployment.new_merchant().id for _ in range(2))
        self.account = self.add_account()["account"]
        wait_until(lambda: self.look_up("att_none").status == 200, "the test's key is believed")

    def add_account(self, *more, merchant=None, credential=CREDENTIAL):
        """What `strongroom connector-accounts add` answers."""
        return self.deployment.add_account(merchant or self.merchant, credential, *more)

    def fresh(self, prefix="att"):
        self._count += 1
        return f"{prefix}_{time.time_ns()}x{self._count}"

    def ticket(self, merchant=None, ago=0, **changes):
        now = int(time.time()) - ago
        claims = good_claims(merchant or self.merchant, iat=now, exp=now + 60,
                             scopes=["payments:write", "payments:read"])
        return self.key.sign({**claims, **changes})

    def client(self, identity, ticket=None):
        if identity not in self._files:
            leaf = Leaf(uris=(f"spiffe://strongroom.local/{identity}",))
            self._files[identity] = self._authority.issue(leaf)
        files = self._files[identity]
        listen = self.deployment.settings()["connectord"]["stripe"]["listen"]
        return CheckedApi("connector", f"https://{listen}", self.deployment.dir / "tls/ca/ca.crt",
                          None, files.certificate, files.key,
                          headers={"Strongroom-Ticket": ticket} if ticket else {})

    def store(self, number=VISA, **changes):
        body = {"account": self.account, "idempotency_key": self.fresh("pay"),
                "card": {"number": number, "exp_month": 12,
                         "exp_year": datetime.date.today().year + 2}, **changes}
        return self.client("vaultd", self.ticket()).post("/v1/stored-cards", body)

    def card(self, number=VISA):
        return self.store(number).body["processor_token"]

    def sale(self, token, reference, ticket=None, **changes):
        body = {"account": self.account, "processor_token": token, "amount": 1099,
                "currency": "USD", "reference": reference, "idempotency_key": reference,
                "initiator": "customer", **changes}
        client = self.client("gatewayd", ticket or self.ticket())
        path = "/v1/sales" if body.pop("capture", True) else "/v1/authorizations"
        return client.post(path, body)

    def change(self, what, transaction, reference, **more):
        body = {"account": self.account, "currency": "USD", "reference": reference,
                "idempotency_key": reference, **more}
        return self.client("gatewayd", self.ticket()).post(
            f"/v1/transactions/{transaction}/{what}", body)

    def look_up(self, reference, ticket=None, more=""):
        return self.client("gatewayd", ticket or self.ticket()).get(
            f"/v1/transactions?reference={reference}&account={self.account}{more}")

    def processor(self):
        port = self.deployment.simulator_address()[1]
        return psp_sim.StripeClient(port, self.deployment.dir / "tls/ca/ca.crt", CREDENTIAL)

    def charges(self, reference):
        """What really happened at the processor."""
        return [charge for charge in self.processor().sim("GET", "charges")["charges"]
                if charge["metadata"].get("strongroom_reference") == reference]

    def fail_next(self, path, kind, **more):
        self.processor().fault(path, kind, **more)

    def entries(self, **unmapped):
        return self.deployment.audit_entries(connector_id="stripe", **unmapped)
