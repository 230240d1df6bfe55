"""What is no card request leaves the CDE, to authd. A card number in it must not go along.

authd is frozen, so whatever is answered was answered without it.
"""
import contextlib
import json
import os
import signal

import pytest

import api
import leak_scan
from running_deployment import running

PATIENCE_SECONDS = 2


@contextlib.contextmanager
def frozen(process):
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def edge():
    """A client of edged, behind which nobody answers."""
    with running("sqlite") as deployment:
        state = deployment.state()
        client = api.Api(state["gateway_url"], state["ca_cert"], state["api_key"],
                         timeout=PATIENCE_SECONDS)
        with frozen(deployment.processes["authd"]):
            yield client
        client.close()


def misplaced(pan):
    """(method, path, headers, body, status)"""
    body = json.dumps({"name": f"till {pan}"})
    yield "POST", "/v1/api-keys", {}, body, 422
    yield "POST", "/v1/api-keys", {}, body.replace(pan[:4], pan[:4] + " "), 422
    yield "POST", "/v1/api-keys", {"Idempotency-Key": pan}, "{}", 422
    yield "POST", "/v1/api-keys", {"Content-Type": f"text/{pan}"}, "{}", 422
    yield "GET", "/v1/api-keys", {"Accept": pan}, None, 422
    yield "GET", f"/v1/api-keys?after={pan}", {}, None, 422
    yield "DELETE", f"/v1/api-keys/key_{pan}", {}, None, 422
    yield "GET", "/v1/api-keys", {"Authorization": f"Bearer {pan}"}, None, 401
    yield "GET", "/v1/tokens/tok_a", {"Authorization": f"Bearer sk_test_{pan}"}, None, 401


@pytest.mark.parametrize("case", range(len(list(misplaced("")))))
def test_misplaced_card_number_is_refused_before_authd(edge, case):
    method, path, headers, body, expected = list(misplaced(leak_scan.generate_pan()))[case]
    status, answer, _ = edge.call(method, path, body, headers)
    assert status == expected, answer
    assert answer["type"].endswith("looks-like-card-data" if status == 422 else "api-key-invalid")


def test_request_without_a_card_number_waits_for_authd(edge):
    """The control: edged does ask authd about everything else."""
    with pytest.raises(TimeoutError):
        edge.call("POST", "/v1/api-keys", {"name": "till 4"})
