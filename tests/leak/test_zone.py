"""What is no card request leaves the CDE, to authd. A card number in it must not go along.

authd is frozen, so whatever is answered was answered without it.
"""
import contextlib
import json
import os
import signal

import pytest

import leak_scan
from checked_api import CheckedApi
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
        client = CheckedApi("public", state["gateway_url"], state["ca_cert"], state["api_key"],
                            timeout=PATIENCE_SECONDS)
        with frozen(deployment.processes["authd"]):
            yield client
        client.close()


def misplaced(pan):
    """(method, path, headers, body, what is said to be at fault). A credential is no such place:
    edged has authd write down that one was refused, without its text; test_leak.py looks for that
    in authd.
    """
    body = json.dumps({"name": f"till {pan}"})
    yield "POST", "/v1/api-keys", {}, body, "body"
    yield "POST", "/v1/api-keys", {}, body.replace(pan[:4], pan[:4] + " "), "body"
    yield "POST", "/v1/api-keys", {"Idempotency-Key": pan}, "{}", "Idempotency-Key"
    yield "POST", "/v1/api-keys", {"Content-Type": f"text/{pan}"}, "{}", None
    yield "GET", "/v1/api-keys", {"Accept": pan}, None, None
    yield "GET", f"/v1/api-keys?after={pan}", {}, None, "query"
    yield "DELETE", f"/v1/api-keys/key_{pan}", {}, None, "path"
    yield "POST", f"/v1/payments/{pan}/capture", {}, "{}", "path"


@pytest.mark.parametrize("case", range(len(list(misplaced("")))))
def test_misplaced_card_number_is_refused_before_authd(edge, case):
    method, path, headers, body, at_fault = list(misplaced(leak_scan.generate_pan()))[case]
    answer = edge.call(method, path, body, headers)
    assert (answer.status, answer.problem) == (422, "looks-like-card-data")
    assert (answer.pointer if "errors" in answer.body else None) == at_fault


def test_request_without_a_card_number_waits_for_authd(edge):
    """The control: edged does ask authd about everything else."""
    with pytest.raises(TimeoutError):
        edge.call("POST", "/v1/api-keys", {"name": "till 4"})
