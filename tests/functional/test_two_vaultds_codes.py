"""Verification codes where two vaultd work on one database: whoever takes the card hands its code
to the one that is asked to pay, and when one dies only its codes are gone.
"""
import itertools

import pytest

import leak_scan
from running_deployment import wait_until
from second_vaultd import join_behind_one_door, two_vaultds
from shop import Shop

CARDS = 12


@pytest.fixture(scope="module")
def both():
    with two_vaultds() as pair:
        join_behind_one_door(*pair)
        yield pair


@pytest.fixture
def shop(both):
    first, _ = both
    shop = Shop(first)
    shop.number = itertools.count()
    return shop


def created(both):
    """How often each has put a card at the processor."""
    return [deployment.metrics("vaultd").get('strongroom_resolve_seconds_count{result="created"}', 0)
            for deployment in both if deployment.processes["vaultd"].poll() is None]


def held(deployment):
    return deployment.metrics("vaultd")["strongroom_codes_held"]


def paid_with_code(both, shop, token):
    """Pays; true when a code went along: the card was put at the processor anew."""
    before = sum(created(both))
    payment = shop.pay(token)
    assert payment.status == 201 and payment.body["status"] == "captured", payment
    return sum(created(both)) > before


def cards(shop, count=CARDS):
    """(number, token) of cards that the processor has, so that without a code it is not asked."""
    for _ in range(count):
        number = leak_scan.generate_pan()
        token = shop.token(number)
        assert shop.pay(token).body["status"] == "captured"
        yield number, token


def send_code(shop, number, client=None, path="/v1/tokens"):
    card = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "737"}
    assert (client or shop.client).post(path, {"card": card}).status == 200


def test_a_code_goes_along_whichever_took_it(both, shop):
    first, second = both
    known = list(cards(shop))
    before = created(both)
    ticket = first.ticket(shop.merchant.api_key)
    for (number, token), taker in zip(known, itertools.cycle(both)):
        send_code(shop, number, taker.vault(ticket), "/v1/cards")
        assert paid_with_code(both, shop, token)
        assert not paid_with_code(both, shop, token), "the code was used twice"
    shares = [now - then for now, then in zip(created(both), before)]
    assert sum(shares) == CARDS and min(shares) > 0, shares
    first.strongroom("audit", "verify")
    second.strongroom("audit", "verify")


def test_a_code_goes_when_its_card_is_erased_by_the_other(both, shop):
    first, second = both
    ticket = first.ticket(shop.merchant.api_key)
    known = list(cards(shop, 6))
    for number, _ in known:
        send_code(shop, number)
    wait_until(lambda: held(first) + held(second) == 6, "six codes are held")
    assert held(first) and held(second), "one has them all"
    for _, token in known:
        assert first.vault(ticket).delete(f"/v1/cards/{token}").status == 204
    wait_until(lambda: held(first) + held(second) == 0, "no code is left")


def test_when_one_dies_its_codes_are_gone_and_nothing_else(both, shop):
    first, second = both
    known = list(cards(shop))
    for number, _ in known:
        send_code(shop, number)
    wait_until(lambda: held(first) + held(second) == CARDS, "all codes are held")
    left = held(first)
    second.processes["vaultd"].kill()
    second.processes["vaultd"].wait()
    assert sum(paid_with_code(both, shop, token) for _, token in known) == left
    for number, token in known:
        send_code(shop, number)
        assert paid_with_code(both, shop, token), "who is left holds it"
    second.start_one("vaultd")

    def shared():
        number, token = next(cards(shop, 1))
        send_code(shop, number)
        return held(second) and paid_with_code(both, shop, token)
    wait_until(shared, "the one that is back holds codes again")
