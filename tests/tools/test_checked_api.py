"""The client that holds answers to api/ notices every kind of difference."""
import copy

import pytest

from checked_api import Answer, Contract, ContractBroken

TOKEN = {"id": "tok_" + "a" * 26, "object": "token",
         "card": {"brand": "visa", "bin": "424242", "last4": "4242", "exp_month": 12,
                  "exp_year": 2040},
         "created_at": "2040-01-02T03:04:05.123Z", "expires_at": None, "usage_count": 0,
         "usage_limit": None, "metadata": {}, "duplicate": "new"}
REQUEST_ID = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"
HEADERS = {"content-type": "application/json", "strongroom-request-id": REQUEST_ID,
           "cache-control": "no-store"}
PROBLEM = {"type": "urn:strongroom:problem:not-found", "title": "t", "status": 404,
           "request_id": REQUEST_ID}
PROBLEM_HEADERS = {**HEADERS, "content-type": "application/problem+json"}


def check(status=201, body=None, headers=None, method="POST", target="/v1/tokens", sent=None):
    Contract("public").check(method, target, Answer(status, TOKEN if body is None else body,
                                                    HEADERS if headers is None else headers), sent)


def changed(**members):
    return {**copy.deepcopy(TOKEN), **members}


def test_promised_answers_pass():
    check()
    check(sent={"card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2040}})
    check(204, b"", {**HEADERS, "content-type": ""}, "DELETE", "/v1/tokens/tok_x?y=z")
    check(404, PROBLEM, PROBLEM_HEADERS, "GET", "/nothing")
    check(405, {**PROBLEM, "status": 405}, PROBLEM_HEADERS, "PUT")


@pytest.mark.parametrize("answer", [
    {"status": 202},
    {"status": 500, "body": {**PROBLEM, "status": 500}, "headers": PROBLEM_HEADERS},
    {"body": changed(pan="4242424242424242")},
    {"body": {k: v for k, v in TOKEN.items() if k != "usage_count"}},
    {"body": changed(usage_count="0")},
    {"body": changed(id="tok_short")},
    {"body": changed(created_at="2040-01-02")},
    {"body": changed(created_at="2040-01-02T03:04:05")},
    {"headers": {**HEADERS, "content-type": "text/plain"}},
    {"headers": {**HEADERS, "cache-control": "public"}},
    {"headers": {**HEADERS, "strongroom-request-id": "x"}},
    {"sent": {"card": {"number": "42", "exp_month": 1, "exp_year": 2040}}},
    {"status": 404, "body": PROBLEM, "headers": PROBLEM_HEADERS},
    {"status": 422, "body": PROBLEM, "headers": PROBLEM_HEADERS},
    {"status": 422, "headers": PROBLEM_HEADERS,
     "body": {**PROBLEM, "status": 422, "type": "urn:strongroom:problem:unheard-of"}},
    {"status": 422, "headers": PROBLEM_HEADERS,
     "body": {**PROBLEM, "status": 422, "request_id": "1" + REQUEST_ID[1:]}},
    {"status": 503, "body": {**PROBLEM, "status": 503},
     "headers": {**PROBLEM_HEADERS, "retry-after": "soon"}},
    {"status": 204, "body": b"x", "method": "DELETE", "target": "/v1/tokens/tok_x"},
])
def test_anything_else_is_noticed(answer):
    with pytest.raises((ContractBroken, ValueError)):
        check(**answer)
