"""What edged lets through: a client's own claims never get further, and a revoked key dies."""
import datetime
import json
import time

import pytest
import yaml

import door as doors
import leak_scan
from checked_api import DOCUMENTS
from running_deployment import wait_until
from tickets import TicketKey, good_claims

REVOKED_WITHIN_SECONDS = 1.0


def card():
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                     "exp_year": datetime.date.today().year + 1}}


@pytest.fixture(scope="module")
def victim(deployment):
    return deployment.new_merchant()


CLAIMS = {
    "a ticket of another merchant": lambda d, v: ("Strongroom-Ticket", d.ticket(v.api_key)),
    "a forged ticket": lambda d, v: ("Strongroom-Ticket", TicketKey().sign(good_claims(v.id))),
    "another merchant": lambda d, v: ("Strongroom-Merchant", v.id),
    "an identity": lambda d, v: ("Strongroom-Identity", "edged"),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_claimed_merchant_has_no_effect(deployment, victim, claim):
    door = doors.edged(deployment)
    made = door.post(card(), extra=[CLAIMS[claim](deployment, victim)])
    assert made.status == 201
    path = f"/v1/tokens/{made.body['id']}"
    assert deployment.gateway().get(path).status == 200
    assert deployment.gateway(victim.api_key).get(path).status == 404


def test_ticket_is_no_credential_at_the_edge(deployment, victim):
    ticket = deployment.ticket(victim.api_key)
    door = doors.edged(deployment)
    for credential in ({"Strongroom-Ticket": ticket}, {"Authorization": f"Bearer {ticket}"}):
        door.credential = credential
        assert door.post(card()).status == 401


def test_scheme_of_a_credential_has_no_case(deployment):
    door = doors.edged(deployment)
    door.credential = {"Authorization": "bEARER " + deployment.state()["api_key"]}
    assert door.post(card()).status == 201


def test_two_credentials_are_not_chosen_between(deployment, victim):
    door = doors.edged(deployment)
    refused = door.post(card(), extra=[("Authorization", f"Bearer {victim.api_key}")])
    assert (refused.status, refused.problem) == (400, "malformed-request")


def test_claimed_source_and_request_id_have_no_effect(deployment):
    door = doors.edged(deployment)
    claimed = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"
    made = door.post(card(), extra=[("Strongroom-Source", "198.51.100.7"),
                                    ("X-Forwarded-For", "198.51.100.7"),
                                    ("Forwarded", "for=198.51.100.7"),
                                    ("Strongroom-Request-Id", claimed)])
    assert made.headers["strongroom-request-id"] != claimed
    entries = deployment.audit_entries(gateway_token=made.body["id"])
    assert entries and all(entry["src_endpoint"] == {"ip": "127.0.0.1"} for entry in entries)
    assert b"198.51.100.7" not in deployment.written()


def test_service_that_relays_for_nobody_cannot_claim_a_source(deployment):
    made = doors.vaultd(deployment).post(card(), extra=[("Strongroom-Source", "198.51.100.7")])
    entries = deployment.audit_entries(gateway_token=made.body["id"])
    assert entries and all(entry["src_endpoint"] == {"ip": "127.0.0.1"} for entry in entries)


def test_revoked_key_dies_within_a_second(each_deployment):
    merchant = each_deployment.new_merchant()
    client = each_deployment.gateway(merchant.api_key)
    path = "/v1/tokens/tok_" + "a" * 26
    assert client.get(path).status == 404
    each_deployment.strongroom("api-keys", "revoke", merchant.key_id)
    revoked = accepted = time.monotonic()

    def is_refused():
        nonlocal accepted
        sent = time.monotonic()
        if client.get(path).status == 401:
            return True
        accepted = sent
        return False

    wait_until(is_refused, "the key is refused", seconds=5)
    print(f"last taken {accepted - revoked:.3f} s after the revocation was acknowledged")
    assert accepted - revoked < REVOKED_WITHIN_SECONDS


def test_refusal_is_not_kept(each_deployment):
    """A key that is made after it was guessed works at once."""
    client = each_deployment.gateway("sk_test_" + "a" * 52)
    assert client.get("/v1/api-keys").status == 401
    merchant = each_deployment.new_merchant()
    assert each_deployment.gateway(merchant.api_key).get("/v1/api-keys").status == 200


def test_merchant_makes_lists_and_revokes_its_own_keys(each_deployment):
    merchant, stranger = each_deployment.new_merchant(), each_deployment.new_merchant()
    admin = each_deployment.gateway(merchant.api_key)
    made = admin.post("/v1/api-keys", {"name": "till", "role": "merchant_user"})
    assert made.status == 201
    listed = admin.get("/v1/api-keys")
    assert {key["id"] for key in listed.body["data"]} == {merchant.key_id, made.body["id"]}
    assert made.body["key"] not in str(listed.body)
    reader = each_deployment.gateway(made.body["key"])
    assert reader.post("/v1/api-keys", {"name": "more"}).status == 403
    other = each_deployment.gateway(stranger.api_key)
    assert other.delete(f"/v1/api-keys/{made.body['id']}").status == 404
    assert admin.delete(f"/v1/api-keys/{made.body['id']}").status == 200
    wait_until(lambda: reader.get("/v1/api-keys").status == 401, "the revoked key is refused")


def test_tokenizer_hands_in_cards_and_nothing_else(each_deployment):
    merchant = each_deployment.new_merchant()
    admin = each_deployment.gateway(merchant.api_key)
    made = admin.post("/v1/api-keys", {"name": "till", "role": "tokenizer"})
    assert (made.status, made.body["created_by"]) == (201, merchant.key_id)
    till = each_deployment.gateway(made.body["key"])
    token = till.post("/v1/tokens", card())
    assert token.status == 201
    path = f"/v1/tokens/{token.body['id']}"
    for refused in (till.get(path), till.delete(path), till.get("/v1/api-keys"),
                    till.post("/v1/api-keys", {"name": "more"}),
                    till.delete(f"/v1/api-keys/{merchant.key_id}")):
        assert (refused.status, refused.problem) == (403, "not-allowed")
    assert admin.get(path).status == 200


def test_health_needs_no_key(deployment):
    door = doors.edged(deployment)
    door.credential = {}
    answer = door.post(b"", method="GET", path="/healthz")
    assert answer.status == 200 and answer.body == {"status": "ok"}


def test_the_api_describes_itself_without_a_key(deployment):
    door = doors.edged(deployment)
    door.credential = {}
    answer = door.post(b"", method="GET", path="/openapi.json")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    written = yaml.safe_load((DOCUMENTS / "public.yaml").read_text())
    assert answer.body["paths"].keys() == written["paths"].keys()
    for reference in references(answer.body):
        value = answer.body
        for step in reference.removeprefix("#/").split("/"):
            value = value[step]
        assert value, reference


def references(value):
    """Every $ref in a JSON value."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = value.values()
    elif not isinstance(value, list):
        return
    for one in value:
        yield from references(one)


REFUSED = {400: {"extra": [("Host", "another")]}, 401: {}, 404: {"path": "/v1/nowhere"}}


@pytest.mark.parametrize("status", REFUSED)
def test_an_operator_finds_a_refused_request_by_its_id(deployment, status):
    """Asked again where the log has that second's lines already: other tests are refused, too."""
    door = doors.edged(deployment)
    if status == 401:
        door.credential = {}

    def found():
        answer = door.post(card(), **REFUSED[status])
        assert answer.status == status
        lines = [json.loads(line) for line in deployment.log_path("edged").read_text().splitlines()
                 if answer.headers["strongroom-request-id"] in line]
        return [(line["event"], line["status"], line["problem"]) for line in lines] == [
            ("request refused", status, answer.problem)]

    wait_until(found, "it is in the log")
