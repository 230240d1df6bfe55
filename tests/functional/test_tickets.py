"""Tickets: the vault believes authd's key alone, and only for as long as a ticket says."""
import datetime
import json
import signal
import time

import pytest

import door as doors
import leak_scan
from running_deployment import running, wait_until
from tickets import TicketKey, claims_of, decode, encode, good_claims


@pytest.fixture(scope="module")
def believing():
    """(deployment, key): a vault that was told to believe a key of the test's too."""
    with running() as deployment:
        key = TicketKey()
        path = deployment.dir / "public/tickets.pub"
        path.write_text(path.read_text() + key.line())
        reload_vault(deployment)
        wait_until(lambda: status(deployment, key.sign(claims(deployment))) == 404,
                   "the vault believes the test's key")
        yield deployment, key


def reload_vault(deployment):
    deployment.processes["vaultd"].send_signal(signal.SIGHUP)


def claims(deployment, **changes):
    return good_claims(**{"merchant": deployment.state()["merchant_id"], **changes})


def status(deployment, ticket):
    """404 with a ticket that is believed: the token is nobody's."""
    answer = doors.vaultd(deployment, ticket).post(b"", method="GET",
                                                   path="/v1/cards/tok_" + "a" * 26)
    return answer.status


def now():
    return int(time.time())


# Claims of a rightly signed ticket that must not count.
WRONG_CLAIMS = {
    "over": lambda: {"iat": now() - 61, "exp": now() - 1},
    "living too long": lambda: {"exp": now() + 61},
    "not begun": lambda: {"iat": now() + 30, "exp": now() + 60},
    "ending before it begins": lambda: {"iat": now(), "exp": now() - 5},
    "time as text": lambda: {"exp": str(now() + 60)},
    "time as a fraction": lambda: {"exp": now() + 60.5},
    "nobody": lambda: {"sub": ""},
    "an unknown claim": lambda: {"admin": True},
    "scopes as text": lambda: {"scopes": "tokens:read"},
}


@pytest.mark.parametrize("wrong", WRONG_CLAIMS)
def test_rightly_signed_ticket_with_wrong_claims_is_refused(believing, wrong):
    deployment, key = believing
    assert status(deployment, key.sign(claims(deployment))) == 404, "the control failed"
    assert status(deployment, key.sign(claims(deployment, **WRONG_CLAIMS[wrong]()))) == 403


@pytest.mark.parametrize("missing", ["sub", "merchant", "role", "scopes", "mfa", "iat", "exp"])
def test_ticket_without_a_claim_is_refused(believing, missing):
    deployment, key = believing
    rest = {name: value for name, value in claims(deployment).items() if name != missing}
    assert status(deployment, key.sign(rest)) == 403


HEADERS = {
    "none": {"alg": "none", "kid": "test", "typ": "JWT"},
    "HS256": {"alg": "HS256", "kid": "test", "typ": "JWT"},
    "ES256": {"alg": "ES256", "kid": "test", "typ": "JWT"},
    "small letters": {"alg": "eddsa", "kid": "test", "typ": "JWT"},
    "unknown kid": {"alg": "EdDSA", "kid": "other", "typ": "JWT"},
    "no kid": {"alg": "EdDSA", "typ": "JWT"},
    "a key of its own": {"alg": "EdDSA", "kid": "test", "typ": "JWT", "jwk": {}},
    "another order": {"kid": "test", "alg": "EdDSA", "typ": "JWT"},
}


@pytest.mark.parametrize("header", HEADERS)
def test_ticket_with_another_header_is_refused(believing, header):
    deployment, key = believing
    assert status(deployment, key.sign(claims(deployment), HEADERS[header])) == 403


def test_unsigned_ticket_is_refused(believing):
    deployment, key = believing
    parts = key.sign(claims(deployment), HEADERS["none"]).split(".")
    assert status(deployment, f"{parts[0]}.{parts[1]}.") == 403
    good = deployment.ticket().split(".")
    for forged in (f"{good[0]}.{good[1]}.", f"{good[0]}.{good[1]}", ".".join(good) + "."):
        assert status(deployment, forged) == 403


def test_ticket_signed_by_a_stranger_under_a_known_kid_is_refused(believing):
    deployment, _ = believing
    stranger = TicketKey("test")
    assert status(deployment, stranger.sign(claims(deployment))) == 403
    authds = json.loads(decode(deployment.ticket().split(".")[0]))["kid"]
    assert status(deployment, TicketKey(authds).sign(claims(deployment))) == 403


def test_changed_ticket_is_refused(believing):
    deployment, _ = believing
    head, body, signature = deployment.ticket().split(".")
    other = {**claims_of(f"{head}.{body}.{signature}"), "merchant": "mer_" + "a" * 26}
    changed = encode(json.dumps(other, separators=(",", ":")).encode())
    assert status(deployment, f"{head}.{changed}.{signature}") == 403
    flipped = encode(bytes([decode(signature)[0] ^ 1]) + decode(signature)[1:])
    assert status(deployment, f"{head}.{body}.{flipped}") == 403
    assert status(deployment, f"{head}.{body}.{signature}") == 404


@pytest.mark.parametrize("ticket", ["x", "a.b.c", ".." , "x" * 5000, "Bearer x"])
def test_what_is_no_ticket_is_refused(believing, ticket):
    assert status(believing[0], ticket) == 403


def test_another_deployments_ticket_is_refused(believing, deployment):
    assert status(believing[0], deployment.ticket()) == 403
    assert status(deployment, deployment.ticket()) == 404


def test_merchant_comes_from_the_ticket_alone(believing):
    deployment, key = believing
    other = deployment.new_merchant()
    door = doors.vaultd(deployment, key.sign(claims(deployment, merchant=other.id)))
    made = door.post({"card": card()}, extra=[("Strongroom-Merchant",
                                               deployment.state()["merchant_id"])])
    assert made.status == 201
    assert deployment.gateway(other.api_key).get(f"/v1/tokens/{made.body['id']}").status == 200
    assert deployment.gateway().get(f"/v1/tokens/{made.body['id']}").status == 404


@pytest.mark.parametrize("scopes", [[], ["tokens:read"], ["tokens:write "], ["*"]])
def test_right_to_add_cards_is_needed(believing, scopes):
    deployment, key = believing
    door = doors.vaultd(deployment, key.sign(claims(deployment, scopes=scopes)))
    assert door.post({"card": card()}).status == 403


def test_withdrawn_key_counts_no_longer_even_for_tickets_in_use(believing):
    deployment, _ = believing
    path = deployment.dir / "public/tickets.pub"
    before = path.read_text()
    key = TicketKey("leaving")
    ticket = key.sign(claims(deployment))
    path.write_text(before + key.line())
    reload_vault(deployment)
    wait_until(lambda: status(deployment, ticket) == 404, "the new key is believed")
    path.write_text(before)
    reload_vault(deployment)
    wait_until(lambda: status(deployment, ticket) == 403, "the key is withdrawn")


def test_unreadable_key_file_leaves_the_keys_as_they_are(believing):
    deployment, key = believing
    path = deployment.dir / "public/tickets.pub"
    before = path.read_text()
    try:
        path.write_text("this is no key\n")
        reload_vault(deployment)
        wait_until(lambda: "ticket keys not taken over" in
                   deployment.log_path("vaultd").read_text(), "vaultd says so")
        assert status(deployment, key.sign(claims(deployment))) == 404
    finally:
        path.write_text(before)


def card():
    return {"number": leak_scan.generate_pan(), "exp_month": 12,
            "exp_year": datetime.date.today().year + 1}
