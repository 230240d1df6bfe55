"""A merchant of a running deployment who pays by token: with an account at the processor that no
other test uses, so that what really happened there can be counted.
"""
import hashlib
import itertools

import leak_scan
import psp_sim
from running_deployment import wait_until

VISA = "4242424242424242"
ATTACHES_THEN_DECLINES = "4000000000000341"
LOST_CARD = "4000000000009987"


class Shop:
    def __init__(self, deployment, role="merchant_admin"):
        self.deployment = deployment
        self.merchant = deployment.new_merchant(role)
        self.credential = "sk_test_" + self.merchant.id.removeprefix("mer_")
        self.account_id = deployment.add_account(self.merchant.id, self.credential)["account_id"]
        self.client = deployment.gateway(self.merchant.api_key)
        self._keys = itertools.count()

    def token(self, number=None, **limits):
        """Of a card that no other test has, unless it is named."""
        card = {"number": number or leak_scan.generate_pan(), "exp_month": 12, "exp_year": 2040}
        made = self.client.post("/v1/tokens", {"card": card, **limits})
        assert made.status in (200, 201), made
        return made.body["id"]

    def post(self, path, body, key=None):
        key = key or f"key-{next(self._keys)}"
        return self.client.post(path, body, {"Idempotency-Key": key})

    def pay(self, token, key=None, **members):
        body = {"amount": 1099, "currency": "USD", "token": token, **members}
        return self.post("/v1/payments", body, key)

    def change(self, payment, what, amount=None, key=None):
        """`what` is capture, void or refunds."""
        body = {} if amount is None else {"amount": amount}
        return self.post(f"/v1/payments/{payment}/{what}", body, key)

    def payment(self, payment):
        return self.client.get(f"/v1/payments/{payment}").body

    def settled(self, payment):
        """The payment, once nothing about it is pending or unknown."""
        def known():
            found = self.payment(payment)
            return found if found["status"] not in ("pending", "unknown") else None
        return wait_until(known, f"{payment} is settled")

    def processor(self):
        port = self.deployment.simulator_address()[1]
        return psp_sim.StripeClient(port, self.deployment.dir / "tls/ca/ca.crt", self.credential)

    def fail_next(self, path, kind, **more):
        self.processor().fault(path, kind, **more)

    def charges(self):
        """What really happened to this merchant's customers, the oldest first."""
        account = hashlib.sha256(self.credential.encode()).hexdigest()

        def is_ours(charge):
            return account.startswith(charge["account"].removeprefix("acct_"))

        return [charge for charge in reversed(self.processor().sim("GET", "charges")["charges"])
                if is_ours(charge) and charge["status"] != "declined"]

    def entries(self, **unmapped):
        """What the audit log tells of this merchant's payments."""
        return [entry["unmapped"] for entry in
                self.deployment.audit_entries(merchant_id=self.merchant.id, **unmapped)]
