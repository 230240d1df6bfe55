"""The judge itself: what it must let pass and what it must find."""
import copy

import pytest

import stripe_contract
from stripe_contract import ContractBroken

INTENTS = "/v1/payment_intents"
SALE = "amount=1099&currency=usd&confirm=true&payment_method=pm_1&payment_method_types[0]=card"
REFUND = {"id": "re_1", "object": "refund", "amount": 1, "created": 1, "currency": "usd",
          "charge": "ch_1", "metadata": {"any": "thing"}, "status": "succeeded"}


@pytest.fixture(scope="module")
def contract():
    found = stripe_contract.load()
    if found is None:
        pytest.skip(f"no {stripe_contract.DOCUMENT}")
    return found


def refusal(contract, method, target, body=""):
    with pytest.raises(ContractBroken) as broken:
        contract.check_request(method, target, body)
    return str(broken.value)


def test_text_takes_the_schemas_types(contract):
    form = SALE + "&metadata[order]=1&expand[]=latest_charge&off_session=true"
    assert contract.check_request("POST", INTENTS, form) == {
        "amount": 1099, "currency": "usd", "confirm": True, "payment_method": "pm_1",
        "payment_method_types": ["card"], "metadata": {"order": "1"},
        "expand": ["latest_charge"], "off_session": True}
    target = INTENTS + "/search?query=metadata%5B%27a%27%5D%3A%27b%27&limit=3"
    assert contract.check_request("GET", target) == {"query": "metadata['a']:'b'", "limit": 3}


@pytest.mark.parametrize("parameter", [
    "amout=1", "payment_method_options[card][moto]=true", "payment_method_data[typ]=card",
    "automatic_payment_methods[enable]=true"])
def test_one_misspelt_parameter_is_found(contract, parameter):
    contract.check_request("POST", INTENTS, SALE)
    refusal(contract, "POST", INTENTS, f"{SALE}&{parameter}")


def test_a_misspelt_query_parameter_is_found(contract):
    assert "limits" in refusal(contract, "GET", "/v1/refunds?limits=1")


@pytest.mark.parametrize("missing", ["amount", "currency"])
def test_one_missing_parameter_is_found(contract, missing):
    form = "&".join(pair for pair in SALE.split("&") if not pair.startswith(missing))
    assert missing in refusal(contract, "POST", INTENTS, form)


def test_a_missing_query_parameter_is_found(contract):
    assert "query" in refusal(contract, "GET", INTENTS + "/search?limit=3")


@pytest.mark.parametrize("form", ["amount=ten&currency=usd", "amount=1&currency=usd&confirm=yes",
                                  "amount=1&currency=usd&capture_method=late",
                                  "amount=1&currency=usd&statement_descriptor=" + 23 * "x",
                                  "amount=1&amount=2&currency=usd"])
def test_wrong_values_are_found(contract, form):
    refusal(contract, "POST", INTENTS, form)


def test_unknown_methods_are_found(contract):
    refusal(contract, "POST", "/v1/payment_intent", SALE)
    refusal(contract, "DELETE", "/v1/refunds/re_1")


def test_answers_pass_as_they_are_described(contract):
    contract.check_answer("GET", "/v1/refunds/re_1", 200, REFUND)
    contract.check_answer("POST", INTENTS, 402, {"error": {"type": "card_error", "code": "x"}})


@pytest.mark.parametrize("missing", ["id", "object", "amount", "currency", "created"])
def test_one_missing_member_of_an_answer_is_found(contract, missing):
    answer = copy.deepcopy(REFUND)
    del answer[missing]
    with pytest.raises(ContractBroken):
        contract.check_answer("GET", "/v1/refunds/re_1", 200, answer)


@pytest.mark.parametrize("change", [{"amout": 1}, {"amount": "1"}, {"reason": "no reason"},
                                    {"destination_details": {"card": {"typ": "refund"}}}])
def test_one_wrong_member_of_an_answer_is_found(contract, change):
    with pytest.raises(ContractBroken):
        contract.check_answer("GET", "/v1/refunds/re_1", 200, {**REFUND, **change})


def test_errors_must_say_their_type(contract):
    for error in ({}, {"type": "problem"}, {"type": "card_error", "codes": "x"}):
        with pytest.raises(ContractBroken):
            contract.check_answer("POST", INTENTS, 402, {"error": error})


def test_statuses_below_400_are_the_described_ones(contract):
    with pytest.raises(ContractBroken):
        contract.check_answer("GET", "/v1/refunds/re_1", 201, REFUND)
