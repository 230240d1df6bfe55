"""Requests that must be refused, at both listeners that take cards. The answer says what is wrong
and where; neither it nor any log repeats what was sent.
"""
import datetime
import json
import random

import pytest

import door as doors
import leak_scan

YEAR = datetime.date.today().year
NOTHING = "no card data was sent"
LIVE_BIN = "453914"  # in no processor's list of test cards


@pytest.fixture(params=["edged", "vaultd"])
def door(request, deployment):
    return getattr(doors, request.param)(deployment)


def card(**members):
    return {"number": leak_scan.generate_pan(), "exp_month": 12, "exp_year": YEAR + 1, **members}


def bad_check_digit():
    pan = leak_scan.generate_pan()
    return pan[:-1] + str((int(pan[-1]) + 1) % 10)


def digits(count):
    """`count` digits with a good check digit."""
    return leak_scan.generate_pan("424242", count)


def grouped(pan):
    return " ".join(pan[i:i + 4] for i in range(0, 16, 4))


def refusal(door, body, canary, **request):
    answer = door.post(body, **request)
    door.assert_unrepeated(canary, answer)
    return answer


# Each builds (body, canary); the body is dict or bytes.
def malformed(template):
    def build():
        pan = leak_scan.generate_pan()
        return template.replace(b"PAN", pan.encode()), pan
    return build


TEXTS = {
    "cut off": b'{"card":{"number":"PAN"',
    "trailing text": b'{"card":{"number":"PAN","exp_month":1,"exp_year":2090}} PAN',
    "two documents": b'{"card":{}}{"card":"PAN"}',
    "not JSON": b"number=PAN&exp_month=12",
    "a comment": b'{"card":{} /* PAN */}',
    "single quotes": b"{'card':'PAN'}",
    "a NaN": b'{"card":{"number":"PAN","exp_month":NaN}}',
    "an infinite number": b'{"card":{"number":"PAN","exp_month":1e999}}',
    "bad UTF-8": b'{"card":{"number":"PAN","name":"\xff\xfe"}}',
    "a lone surrogate": b'{"card":{"number":"PAN","name":"\\ud800"}}',
    "a control character": b'{"card":{"number":"PAN","name":"\x01"}}',
    "a byte order mark": b'\xef\xbb\xbf{"card":{"number":"PAN"}}',
    "too deep": b'{"metadata":' + b"[" * 40 + b'"PAN"' + b"]" * 40 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("text", TEXTS)
def test_malformed_json_is_refused(door, text):
    body, canary = malformed(TEXTS[text])()
    answer = refusal(door, body, canary)
    assert (answer.status, answer.problem) == (400, "malformed-json")


@pytest.mark.parametrize("text", [
    b'{"card":{"number":"PAN"},"card":{"number":"PAN"}}',
    b'{"card":{"number":"PAN","number":"PAN","exp_month":1,"exp_year":2090}}',
    b'{"card":{"number":"PAN","numb\\u0065r":"x"}}',
    b'{"card":{},"metadata":{"PAN":"1","PAN":"2"}}',
])
def test_duplicate_key_is_refused(door, text):
    body, canary = malformed(text)()
    answer = refusal(door, body, canary)
    assert (answer.status, answer.problem) == (400, "duplicate-key")


def members(change):
    """A request after `change` of its card, with the number as canary."""
    def build():
        good = card()
        return {"card": {**good, **change}}, good["number"]
    return build


def without(name):
    def build():
        good = card()
        return {"card": {k: v for k, v in good.items() if k != name}}, good["number"]
    return build


def beside(**more):
    def build():
        good = card()
        return {"card": good, **more}, good["number"]
    return build


def number(make):
    def build():
        pan = make()
        return {"card": card(number=pan)}, pan
    return build


def carrying(place):
    """A good request with another card's number where none belongs."""
    def build():
        stray = leak_scan.generate_pan()
        return place(stray), stray
    return build


CASES = {
    # what is wrong: (build, status, problem, pointer)
    "an array": (lambda: ([leak_scan.generate_pan()], NOTHING), "wrong-type", "#"),
    "no card": (lambda: ({}, NOTHING), "missing-field", "#/card"),
    "card is text": (carrying(lambda pan: {"card": pan}), "wrong-type", "#/card"),
    "card is null": (lambda: ({"card": None}, NOTHING), "missing-field", "#/card"),
    "no number": (without("number"), "missing-field", "#/card/number"),
    "null number": (members({"number": None}), "missing-field", "#/card/number"),
    "no month": (without("exp_month"), "missing-field", "#/card/exp_month"),
    "no year": (without("exp_year"), "missing-field", "#/card/exp_year"),
    "number is an integer": (carrying(lambda pan: {"card": card(number=int(pan))}),
                             "wrong-type", "#/card/number"),
    "month is text": (members({"exp_month": "12"}), "wrong-type", "#/card/exp_month"),
    "month is a fraction": (members({"exp_month": 1.5}), "wrong-type", "#/card/exp_month"),
    "year is a list": (members({"exp_year": [YEAR]}), "wrong-type", "#/card/exp_year"),
    "code is a number": (members({"cvc": 737}), "wrong-type", "#/card/cvc"),
    "name is an object": (members({"name": {}}), "wrong-type", "#/card/name"),
    "metadata is a list": (beside(metadata=[]), "wrong-type", "#/metadata"),
    "metadata holds a number": (beside(metadata={"n": 1}), "wrong-type", "#/metadata"),
    "limit is a boolean": (beside(usage_limit=True), "wrong-type", "#/usage_limit"),
    "end is a number": (beside(expires_at=4102444800), "wrong-type", "#/expires_at"),
    "unknown member": (carrying(lambda pan: {"card": card(), "pan": pan}), "unknown-field", None),
    "number as a member": (carrying(lambda pan: {"card": card(), pan: 1}), "unknown-field", None),
    "unknown card member": (carrying(lambda pan: {"card": card(track2=pan)}),
                            "unknown-field", None),
    "11 digits": (number(lambda: digits(11)), "card-number-length", "#/card/number"),
    "20 digits": (number(lambda: digits(20)), "card-number-length", "#/card/number"),
    "no digits": (number(lambda: ""), None, "#/card/number"),
    "letters": (number(lambda: "4242abcd" + "".join(random.choices("efgh", k=8))),
                "invalid-value", "#/card/number"),
    "blanks": (number(lambda: grouped(leak_scan.generate_pan())), "invalid-value",
               "#/card/number"),
    "other scripts' digits": (number(lambda: leak_scan.generate_pan().translate(
        {48 + n: 0x660 + n for n in range(10)})), "invalid-value", "#/card/number"),
    "check digit": (number(bad_check_digit), "card-number-check-digit", "#/card/number"),
    "live card": (number(lambda: leak_scan.generate_pan(LIVE_BIN)), "invalid-value",
                  "#/card/number"),
    "month 0": (members({"exp_month": 0}), "invalid-value", "#/card/exp_month"),
    "month 13": (members({"exp_month": 13}), "invalid-value", "#/card/exp_month"),
    "year of two digits": (members({"exp_year": YEAR % 100}), "invalid-value", "#/card/exp_year"),
    "huge year": (members({"exp_year": 10 ** 30}), None, "#/card/exp_year"),
    "expired": (members({"exp_year": YEAR - 1}), "card-expired", "#/card/exp_year"),
    "code of 2": (members({"cvc": "73"}), "invalid-value", "#/card/cvc"),
    "code of 5": (members({"cvc": "73737"}), "invalid-value", "#/card/cvc"),
    "code of letters": (members({"cvc": "73a"}), "invalid-value", "#/card/cvc"),
    "empty name": (members({"name": ""}), "invalid-value", "#/card/name"),
    "long name": (members({"name": "x" * 129}), "invalid-value", "#/card/name"),
    "limit 0": (beside(usage_limit=0), "invalid-value", "#/usage_limit"),
    "limit below 0": (beside(usage_limit=-1), "invalid-value", "#/usage_limit"),
    "limit above a billion": (beside(usage_limit=10 ** 9 + 1), "invalid-value", "#/usage_limit"),
    "limit beyond 63 bits": (beside(usage_limit=2 ** 63), "invalid-value", "#/usage_limit"),
    "limit beyond 64 bits": (beside(usage_limit=2 ** 64), None, "#/usage_limit"),
    "end in the past": (beside(expires_at="2020-01-01T00:00:00Z"), "invalid-value",
                        "#/expires_at"),
    "end without a zone": (beside(expires_at=f"{YEAR + 1}-01-01T00:00:00"), "invalid-value",
                           "#/expires_at"),
    "21 metadata": (beside(metadata={str(n): "" for n in range(21)}), "invalid-value",
                    "#/metadata"),
    "long metadata": (beside(metadata={"k": "x" * 501}), "invalid-value", "#/metadata"),
    "long key in metadata": (beside(metadata={"k" * 41: ""}), "invalid-value", "#/metadata"),
    "empty key in metadata": (beside(metadata={"": "v"}), "invalid-value", "#/metadata"),
    "deep metadata": (beside(metadata={"k": {"deeper": "v"}}), "wrong-type", "#/metadata"),
    "number in the name": (carrying(lambda pan: {"card": card(name=f"Ada {pan}")}),
                           "looks-like-card-data", "#/card/name"),
    "number in metadata": (carrying(lambda pan: {"card": card(), "metadata": {"note": pan}}),
                           "looks-like-card-data", "#/metadata"),
    "grouped in metadata": (carrying(lambda pan: {"card": card(),
                                                  "metadata": {"note": grouped(pan)}}),
                            "looks-like-card-data", "#/metadata"),
    "number as a key": (carrying(lambda pan: {"card": card(), "metadata": {pan: "1"}}),
                        "looks-like-card-data", "#/metadata"),
}


@pytest.mark.parametrize("wrong", CASES)
def test_wrong_member_is_refused_and_named(door, wrong):
    build, problem, pointer = CASES[wrong]
    body, canary = build()
    answer = refusal(door, body, canary or NOTHING)
    assert answer.status == 422
    assert problem in (None, answer.problem)
    if pointer:
        assert answer.pointer == pointer


def test_digits_in_escapes_are_read_as_digits(door):
    pan = bad_check_digit()
    escaped = "".join(f"\\u{ord(digit):04x}" for digit in pan)
    body = json.dumps({"card": card(number="PAN")}).replace("PAN", escaped).encode()
    answer = refusal(door, body, pan)
    assert answer.problem == "card-number-check-digit"


def test_number_in_the_path_is_refused(door):
    pan = leak_scan.generate_pan()
    path = f"{door.path}/{pan}"
    for method in ("GET", "DELETE"):
        answer = refusal(door, b"", pan, method=method, path=path)
        assert (answer.status, answer.problem) == (422, "looks-like-card-data")
        assert answer.pointer == "path"


def test_number_in_an_unknown_path_is_not_repeated(door):
    pan = leak_scan.generate_pan()
    answer = refusal(door, b"", pan, method="GET", path=f"/v1/{pan}")
    assert answer.status == 404


@pytest.mark.parametrize("key", ["{}", "order-{}", '"{}"'])
def test_number_in_the_idempotency_key_is_refused(door, key):
    pan = leak_scan.generate_pan()
    answer = refusal(door, {"card": card()}, pan, extra=[("Idempotency-Key", key.format(pan))])
    assert (answer.status, answer.problem) == (422, "looks-like-card-data")
    assert answer.pointer == "Idempotency-Key"


def test_number_in_the_query_is_refused(door):
    pan = leak_scan.generate_pan()
    answer = refusal(door, {"card": card()}, pan, path=f"{door.path}?number={pan}")
    assert (answer.status, answer.problem) == (422, "looks-like-card-data")
    assert answer.pointer == "query"


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "", None,
                                   "application/json-patch+json"])
def test_body_of_another_media_type_is_refused(door, media):
    door.headers = {} if media is None else {"Content-Type": media}
    sent = card()
    answer = refusal(door, {"card": sent}, sent["number"])
    assert (answer.status, answer.problem) == (415, "unsupported-media-type")
    door.headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert door.post({"card": sent}).status == 201


def test_number_in_other_headers_is_not_repeated(door):
    pan = leak_scan.generate_pan()
    answer = refusal(door, {"card": card()}, pan,
                     extra=[("User-Agent", pan), ("traceparent", pan), ("X-Card", pan),
                            ("Strongroom-Request-Id", pan), ("Accept", pan)])
    assert answer.status == 201


@pytest.mark.parametrize("key", ["", "Basic dXNlcjpwYXNz", "Bearer", "Bearer sk_test_unknown",
                                 "Bearer CANARY", "Bearer " + "x" * 300])
def test_wrong_api_key_is_refused(deployment, key):
    pan = leak_scan.generate_pan()
    edged = doors.edged(deployment)
    edged.credential = {"Authorization": key.replace("CANARY", pan)} if key else {}
    answer = refusal(edged, {"card": card(number=pan)}, pan)
    assert (answer.status, answer.problem) == (401, "api-key-invalid")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_good_request_passes_so_that_the_refusals_mean_something(door):
    pan = leak_scan.generate_pan()
    answer = refusal(door, {"card": card(number=pan, cvc="737", name="Ada Lovelace"),
                            "metadata": {"k" * 40: "x" * 500}}, pan)
    assert answer.status == 201
