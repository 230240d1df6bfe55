"""vaultd hands cards to connectord: a token becomes a processor token that pays, once per account;
codes go along once; what is erased goes away at the processor too, also when that is late.
"""
import concurrent.futures
import signal

import pytest

import leak_scan
from checked_api import CheckedApi
from running_deployment import running, wait_until
from stripe_account import VISA, Stripe

SOFT_DECLINE = "4000000000009995"  # insufficient_funds, at Stripe
SCOPES = ["tokens:write", "tokens:read", "tokens:delete", "payments:write", "payments:read"]


class Payer(Stripe):
    """The account, and the vault beside it."""

    def vault(self, identity="gatewayd", ticket=None):
        ticket = ticket or self.ticket(scopes=SCOPES)
        self.client(identity)  # makes its certificate
        files = self._files[identity]
        listen = self.deployment.settings()["vaultd"]["listen"]
        return CheckedApi("vault", f"https://{listen}", self.deployment.dir / "tls/ca/ca.crt", None,
                          files.certificate, files.key, headers={"Strongroom-Ticket": ticket})

    def add(self, number=VISA, limits=None, **more):
        card = {"number": number, "exp_month": 12, "exp_year": 2040, **more}
        answer = self.vault("loadgen").post("/v1/cards", {"card": card, **(limits or {})})
        assert answer.status in (200, 201), answer.body
        return answer.body["id"]

    def resolve(self, token, payment=None, account=None, **client):
        body = {"account": account or self.account, "payment": payment or self.fresh("pay")}
        return self.vault(**client).post(f"/v1/cards/{token}/processor-tokens", body)

    def uses(self, token):
        return self.vault("loadgen").get(f"/v1/cards/{token}").body["usage_count"]

    def erase(self, token):
        assert self.vault("loadgen").delete(f"/v1/cards/{token}").status == 204

    def pays(self, processor_token):
        return self.sale(processor_token, self.fresh()).body["outcome"]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def payer(request):
    with running(request.param) as deployment:
        path = deployment.dir / "public/tickets.pub"
        payer = Payer(deployment)
        assert payer.key.line() in path.read_text()
        deployment.processes["vaultd"].send_signal(signal.SIGHUP)
        wait_until(lambda: payer.vault("loadgen").get("/v1/cards/tok_" + "a" * 26).status == 404,
                   "vaultd believes the test's key")
        yield payer


def fresh_card():
    return leak_scan.generate_pan()


def resolves(payer, token):
    """(phase, outcome) of every entry of the card's hand-overs."""
    return [(entry["unmapped"]["phase"], entry["unmapped"].get("outcome"))
            for entry in payer.deployment.audit_entries(gateway_token=token)
            if entry["unmapped"]["event_type"] == "processor_token.resolve"]


def test_a_token_pays_and_its_card_is_handed_over_once(payer):
    token = payer.add(fresh_card())
    first = payer.resolve(token)
    assert (first.status, first.body["created"]) == (200, True), first.body
    assert payer.pays(first.body["processor_token"]) == "approved"
    second = payer.resolve(token)
    assert second.body == {**first.body, "created": False}
    wait_until(lambda: payer.uses(token) == 2, "both are counted")


def test_the_same_payment_counts_once(payer):
    token = payer.add(fresh_card(), {"usage_limit": 9})
    payment = payer.fresh("pay")
    assert payer.resolve(token, payment).status == 200
    assert payer.resolve(token, payment).status == 200
    assert payer.uses(token) == 1


def test_a_limit_of_one_used_by_many_at_once_is_used_once(payer):
    token = payer.add(fresh_card(), {"usage_limit": 1})
    assert payer.resolve(token, payer.fresh("warm"), account="AAAA").status == 422  # no use
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: payer.resolve(token), range(32)))
    assert sorted(answer.status for answer in answers) == [200] + [410] * 31
    assert {answer.problem for answer in answers if answer.status == 410} == {"token-used-up"}
    assert payer.uses(token) == 1


def test_a_code_goes_along_once_and_replaces_what_was_there(payer):
    pan = fresh_card()
    token = payer.add(pan)
    old = payer.resolve(token).body["processor_token"]
    payer.add(pan, cvc="737")
    new = payer.resolve(token).body
    assert new["created"] and new["processor_token"] != old
    assert payer.pays(new["processor_token"]) == "approved"
    wait_until(lambda: payer.pays(old) != "approved", "the old one is removed at the processor")
    assert payer.resolve(token).body == {**new, "created": False}


def test_what_is_erased_is_removed_at_the_processor(payer):
    token = payer.add(fresh_card())
    processor_token = payer.resolve(token).body["processor_token"]
    payer.erase(token)
    assert payer.resolve(token).status == 410
    wait_until(lambda: payer.pays(processor_token) != "approved", "it is gone there")


def test_a_removal_waits_for_a_connector_that_is_away(payer):
    token = payer.add(fresh_card())
    processor_token = payer.resolve(token).body["processor_token"]
    payer.deployment.stop_one("connectord-stripe")
    payer.erase(token)
    payer.deployment.start_one("connectord-stripe")
    wait_until(lambda: payer.pays(processor_token) != "approved", "it is gone there", 40)


def test_a_processor_that_is_silent_gets_the_card_later(payer):
    token = payer.add(fresh_card())
    payer.fail_next("/v1/customers", "reset", when="after_effect")
    answer = payer.resolve(token)
    assert "processor_token" not in answer.body, answer.body
    assert answer.body["outcome"] == "unknown"
    wait_until(lambda: ("outcome", "unknown") in resolves(payer, token), "the entry says so")
    payment = payer.resolve(token)
    assert payment.body["created"], payment.body
    assert payer.pays(payment.body["processor_token"]) == "approved"


def test_a_refusal_of_the_processor_is_passed_on(payer):
    token = payer.add(SOFT_DECLINE)
    answer = payer.resolve(token)
    assert answer.status == 200
    assert answer.body["outcome"] == "declined" and answer.body["decline"]["class"] == "soft"
    wait_until(lambda: ("outcome", "not_done") in resolves(payer, token), "the entry says so")


def test_who_may_ask_and_for_whom(payer):
    token = payer.add(fresh_card())
    assert payer.resolve(token, identity="edged").status == 403
    assert payer.resolve(token, ticket=payer.ticket(scopes=["tokens:read"])).status == 403
    assert payer.resolve(token, ticket=payer.ticket(payer.other, scopes=SCOPES)).status == 404
    theirs = payer.add_account(merchant=payer.other)["account"]
    assert payer.resolve(token, account=theirs).status == 403
    assert payer.resolve(token, account="AAAA").status == 422
    assert payer.uses(token) <= 1


def test_every_hand_over_stands_in_the_log(payer):
    token = payer.add(fresh_card())
    payer.resolve(token)
    payer.resolve(token)
    wait_until(lambda: sorted(resolves(payer, token), key=str) == sorted(
        [("intent", None), ("outcome", "done"), ("single", "success")], key=str), "three entries")


def test_no_card_is_left_in_the_deployment(payer):
    pan = fresh_card()
    payer.resolve(payer.add(pan))
    assert not leak_scan.scan_folder(payer.deployment.dir, pan)
