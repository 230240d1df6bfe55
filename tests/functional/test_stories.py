"""What a merchant does with cards, over HTTPS, on both databases."""
import concurrent.futures
import datetime
import hashlib

import pytest

import leak_scan
from running_deployment import wait_until

NEXT_YEAR = datetime.date.today().year + 1


def card(number=None, **members):
    return {"number": number or leak_scan.generate_pan(), "exp_month": 12, "exp_year": NEXT_YEAR,
            **members}


def gone(answer):
    return answer if answer.status == 410 else None


@pytest.fixture
def merchant(each_deployment):
    return each_deployment.new_merchant()


@pytest.fixture
def client(each_deployment, merchant):
    return each_deployment.gateway(merchant.api_key)


def test_new_card_gets_a_token(client):
    sent = card(cvc="737", name="Ada Lovelace")
    made = client.post("/v1/tokens", {"card": sent, "metadata": {"order": "A-1"}, "usage_limit": 3,
                                      "expires_at": f"{NEXT_YEAR}-01-02T03:04:05Z"})
    assert made.status == 201 and made.body["duplicate"] == "new"
    assert made.body["card"] == {"brand": "visa", "bin": sent["number"][:6],
                                 "last4": sent["number"][-4:], "exp_month": 12,
                                 "exp_year": NEXT_YEAR}
    assert made.body["metadata"] == {"order": "A-1"}
    assert (made.body["usage_count"], made.body["usage_limit"]) == (0, 3)
    assert made.body["expires_at"].startswith(f"{NEXT_YEAR}-01-02T03:04:05")


def test_same_card_gives_the_same_token_and_keeps_the_first_limits(client):
    sent = card()
    first = client.post("/v1/tokens", {"card": sent, "usage_limit": 3})
    again = client.post("/v1/tokens", {"card": sent, "usage_limit": 9, "metadata": {"new": "1"}})
    assert again.status == 200 and again.body["duplicate"] == "same"
    assert again.body == {**first.body, "duplicate": "same"}


@pytest.mark.parametrize("change", [{"exp_month": 11}, {"exp_year": NEXT_YEAR + 3},
                                    {"name": "Ada King"}])
def test_changed_card_keeps_its_token_and_takes_the_newer_data(client, change):
    sent = card(name="Ada Lovelace")
    first = client.post("/v1/tokens", {"card": sent})
    changed = client.post("/v1/tokens", {"card": {**sent, **change}})
    assert changed.status == 200 and changed.body["duplicate"] == "changed"
    assert changed.body["id"] == first.body["id"]
    again = client.post("/v1/tokens", {"card": {**sent, **change}})
    assert again.body["duplicate"] == "same", "the newer data were not kept"
    shown = client.get(f"/v1/tokens/{first.body['id']}").body["card"]
    assert shown == changed.body["card"]


def test_look_up_shows_what_is_known(client):
    made = client.post("/v1/tokens", {"card": card(), "metadata": {"k": "v"}})
    shown = client.get(f"/v1/tokens/{made.body['id']}")
    assert shown.status == 200
    assert shown.body == {**made.body, "duplicate": "same"}


def test_deleted_card_is_gone_for_good(client):
    sent = card()
    token = client.post("/v1/tokens", {"card": sent}).body["id"]
    assert client.delete(f"/v1/tokens/{token}").status == 204
    assert client.delete(f"/v1/tokens/{token}").status == 204, "deleting again changes nothing"
    gone = client.get(f"/v1/tokens/{token}")
    assert (gone.status, gone.problem) == (410, "token-deleted")
    anew = client.post("/v1/tokens", {"card": sent})
    assert anew.status == 201 and anew.body["id"] != token


def test_token_ends_at_its_time(client):
    sent = card()
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    made = client.post("/v1/tokens", {"card": sent, "expires_at": end.isoformat()})
    assert made.status == 201
    over = wait_until(lambda: gone(client.get(f"/v1/tokens/{made.body['id']}")), "the token's end")
    assert over.problem == "token-expired"
    assert datetime.datetime.now(datetime.timezone.utc) >= end
    anew = client.post("/v1/tokens", {"card": sent})
    assert anew.status == 201 and anew.body["id"] != made.body["id"]


def test_expired_card_is_erased_and_the_log_shows_it(each_deployment, client, merchant):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    body = {"card": card(name="Ada"), "expires_at": end.isoformat()}
    token = client.post("/v1/tokens", body).body["id"]

    def steps():
        return [(entry["unmapped"]["phase"], entry["unmapped"].get("outcome"))
                for entry in each_deployment.audit_entries(event_type="token.expire",
                                                           gateway_token=token)]
    wait_until(lambda: steps() == [("intent", None), ("outcome", "done")], "the card is erased")
    kept = each_deployment.vault_rows("SELECT token_hash FROM cards WHERE wrapped_dek IS NOT NULL")
    assert (hashlib.sha3_512(token.encode()).digest(),) not in kept
    assert client.get(f"/v1/tokens/{token}").problem == "token-expired"
    assert client.delete(f"/v1/tokens/{token}").status == 204
    assert client.get(f"/v1/tokens/{token}").problem == "token-expired"
    sums = wait_until(lambda: [entry for entry in each_deployment.audit_entries(
        event_type="token.expire", phase="single")], "the run is summed up")
    assert sum(entry["unmapped"]["count"] for entry in sums) >= 1
    assert all("merchant_id" not in entry["unmapped"] for entry in sums)


@pytest.mark.parametrize("rounds", [5])
def test_concurrent_first_adds_of_one_card_give_one_token(each_deployment, merchant, rounds):
    clients = [each_deployment.gateway(merchant.api_key) for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        for _ in range(rounds):
            sent = {"card": card()}
            answers = list(pool.map(lambda client: client.post("/v1/tokens", sent), clients))
            assert len({answer.body["id"] for answer in answers}) == 1
            kinds = sorted(answer.body["duplicate"] for answer in answers)
            assert kinds == ["new"] + ["same"] * (len(clients) - 1)


def test_concurrent_deletes_of_one_card_all_hold(each_deployment, merchant):
    clients = [each_deployment.gateway(merchant.api_key) for _ in range(4)]
    token = clients[0].post("/v1/tokens", {"card": card()}).body["id"]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda client: client.delete(f"/v1/tokens/{token}"), clients))
    assert [answer.status for answer in answers] == [204] * len(clients)
    assert clients[0].get(f"/v1/tokens/{token}").status == 410


def test_another_merchants_token_is_as_absent_as_none(each_deployment, client):
    token = client.post("/v1/tokens", {"card": card()}).body["id"]
    other = each_deployment.gateway(each_deployment.new_merchant().api_key)
    absent = other.get(f"/v1/tokens/{token}")
    never = other.get("/v1/tokens/tok_" + "a" * 26)
    assert (absent.status, never.status) == (404, 404)
    hide = {"request_id": ""}
    assert {**absent.body, **hide} == {**never.body, **hide}, "the answers tell them apart"
    assert other.delete(f"/v1/tokens/{token}").status == 404
    assert client.get(f"/v1/tokens/{token}").status == 200, "another merchant deleted it"


def test_one_card_is_two_tokens_of_two_merchants(each_deployment, client):
    sent = {"card": card()}
    mine = client.post("/v1/tokens", sent)
    other = each_deployment.gateway(each_deployment.new_merchant().api_key)
    theirs = other.post("/v1/tokens", sent)
    assert (mine.status, theirs.status) == (201, 201)
    assert mine.body["id"] != theirs.body["id"]
    assert client.delete(f"/v1/tokens/{mine.body['id']}").status == 204
    assert other.get(f"/v1/tokens/{theirs.body['id']}").status == 200


def test_read_only_key_looks_up_but_neither_adds_nor_deletes(each_deployment, merchant, client):
    token = client.post("/v1/tokens", {"card": card()}).body["id"]
    reader = each_deployment.gateway(
        each_deployment.new_key(merchant.id, role="merchant_user")["key"])
    assert reader.get(f"/v1/tokens/{token}").status == 200
    for refused in (reader.post("/v1/tokens", {"card": card()}),
                    reader.delete(f"/v1/tokens/{token}")):
        assert (refused.status, refused.problem) == (403, "not-allowed")


def test_vault_and_gateway_give_the_same_token(each_deployment, merchant, client):
    sent = {"card": card()}
    token = client.post("/v1/tokens", sent).body["id"]
    vault = each_deployment.vault(each_deployment.ticket(merchant.api_key))
    again = vault.post("/v1/cards", sent)
    assert again.status == 200 and again.body["id"] == token
    assert vault.get(f"/v1/cards/{token}").status == 200
    assert vault.delete(f"/v1/cards/{token}").status == 204
    assert client.get(f"/v1/tokens/{token}").status == 410


def test_every_brand_is_named(client):
    cases = {"visa": ("424242", 16), "mastercard": ("555555", 16),
             "american_express": ("378282", 15), "discover": ("601111", 16)}
    for brand, (bin_digits, length) in cases.items():
        made = client.post("/v1/tokens", {"card": card(leak_scan.generate_pan(bin_digits, length))})
        assert made.status == 201 and made.body["card"]["brand"] == brand
        assert made.body["card"]["bin"] == bin_digits[:length - 10]  # six stay hidden
