"""Tickets signed by the test itself: the form of docs, apart from the product's signer."""
import base64
import json
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(ticket):
    return json.loads(decode(ticket.split(".")[1]))


class TicketKey:
    def __init__(self, kid="test"):
        self.kid = kid
        self._key = Ed25519PrivateKey.generate()

    def line(self):
        """The key's line in the file that verifiers read."""
        public = self._key.public_key().public_bytes(serialization.Encoding.Raw,
                                                     serialization.PublicFormat.Raw)
        return f"{self.kid} {base64.b64encode(public).decode()}\n"

    def sign(self, claims, header=None):
        """A ticket. `claims` are a dict, or bytes as they are; so is `header`."""
        header = header or {"alg": "EdDSA", "kid": self.kid, "typ": "JWT"}
        parts = [part if isinstance(part, bytes)
                 else json.dumps(part, separators=(",", ":")).encode()
                 for part in (header, claims)]
        signed = ".".join(map(encode, parts))
        return f"{signed}.{encode(self._key.sign(signed.encode()))}"


def good_claims(merchant, **changes):
    now = int(time.time())
    return {"sub": "key_test", "merchant": merchant, "role": "merchant_admin",
            "scopes": ["tokens:write", "tokens:read", "tokens:delete"], "mfa": False,
            "iat": now, "exp": now + 60, **changes}
