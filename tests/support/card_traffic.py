"""Sends one card through a deployment in every way that works and in many that do not."""
import json
import socket
import ssl

import api


def _clients(deployment):
    """One connection to edged as a merchant, one to vaultd as a service."""
    state = deployment.state()
    edge = api.Api(state["gateway_url"], state["ca_cert"], state["api_key"])
    vault = api.Api(state["vault_url"], state["ca_cert"], None, state["client_cert"],
                    state["client_key"])
    return edge, vault


def good(deployment, canary, delete):
    """New, the same, changed, paid with, looked up, at both doors; returns the connections, still
    open."""
    edge, vault = _clients(deployment)
    ticket = {"Strongroom-Ticket": deployment.ticket()}
    status, token, _ = edge.call("POST", "/v1/tokens", canary.request)
    assert status == 201, token
    assert edge.call("POST", "/v1/tokens", canary.request)[0] == 200
    changed = {**canary.card, "exp_month": 11}
    assert edge.call("POST", "/v1/tokens", {"card": changed})[1]["duplicate"] == "changed"
    _pay(edge, token["id"])
    assert vault.call("POST", "/v1/cards", canary.request, ticket)[0] == 200
    assert edge.call("GET", f"/v1/tokens/{token['id']}")[0] == 200
    assert vault.call("GET", f"/v1/cards/{token['id']}", None, ticket)[0] == 200
    if delete:
        assert edge.call("DELETE", f"/v1/tokens/{token['id']}")[0] == 204
    return edge, vault


def _pay(edge, token):
    """The card goes to the processor, with its code, and pays there."""
    def post(path, body, key):
        status, answer, _ = edge.call("POST", path, body, {"Idempotency-Key": f"{key}-{token}"})
        assert status in (200, 201), answer
        return answer

    body = {"amount": 1099, "currency": "USD", "token": token, "capture": False}
    payment = post("/v1/payments", body, "pay")
    assert payment["status"] == "authorized", payment
    post(f"/v1/payments/{payment['id']}/capture", {}, "capture")
    post(f"/v1/payments/{payment['id']}/refunds", {}, "refund")


def _wrong_payments(canary):
    """(members, Idempotency-Key) of payments that carry the card."""
    pan = canary.pan
    yield {"token": pan}, "k"
    yield {"token": f"tok_{pan}"}, "k"
    yield {"reference": f"{canary.name} {pan}"}, "k"
    yield {"metadata": {"order": pan}}, "k"
    yield {"metadata": {pan: canary.name}}, "k"
    yield {"connector": pan}, "k"
    yield {"amount": int(pan), "token": "none"}, "k"
    yield {"card": canary.card}, "k"
    yield {"cvc": canary.cvc}, "k"
    yield {}, pan


def _wrong_bodies(canary):
    pan, request = canary.pan, json.dumps(canary.request)
    yield request[:-1]
    yield request.replace('"card"', '"card":null,"card"')
    yield json.dumps({**canary.request, "note": pan})
    yield json.dumps({**canary.request, "metadata": {"order": pan, "more": canary.cvc}})
    yield json.dumps({**canary.request, "metadata": {pan: canary.metadata["order"]}})
    yield json.dumps({"card": {**canary.card, "name": f"{canary.name} {pan}"}})
    yield json.dumps({"card": {**canary.card, "number": int(pan)}})
    yield json.dumps({"card": {**canary.card, "number": pan + "00000"}})
    yield json.dumps({"card": {**canary.card, "cvc": canary.cvc + "0"}})
    yield json.dumps({"card": {**canary.card, "exp_year": 2001}})
    yield json.dumps({**canary.request, "expires_at": pan})
    yield request + " " * 16_384 + request
    yield json.dumps(canary.card)
    yield pan
    yield f"number={pan}&cvc={canary.cvc}&name={canary.name}"


def _wrong_requests(canary):
    """(method, path, headers) that carry the card where none belongs."""
    pan = canary.pan
    yield "GET", f"/v1/tokens/{pan}", {}
    yield "DELETE", f"/v1/tokens/tok_{pan}", {}
    yield "GET", f"/v1/{pan}", {}
    yield "GET", f"/v1/tokens?card={pan}&cvc={canary.cvc}", {}
    yield "POST", "/v1/tokens", {"Idempotency-Key": pan}
    yield "POST", "/v1/tokens", {"Content-Type": pan}
    yield "POST", "/v1/tokens", {"Accept": f"text/{pan}"}
    yield "POST", "/v1/tokens", {"Authorization": f"Bearer {pan}"}
    yield "POST", "/v1/tokens", {"Authorization": f"Bearer sk_test_{pan}"}
    yield "GET", f"/v1/payments/{pan}", {}
    yield "GET", f"/v1/payments?after={pan}", {}
    yield "POST", f"/v1/payments/pay_{pan}/refunds", {"Idempotency-Key": "k"}
    yield "GET", "/v1/api-keys", {"Strongroom-Source": pan, "Strongroom-Request-Id": pan * 2}
    yield "GET", "/v1/api-keys", {"X-Card": pan, "traceparent": f"00-{pan * 2}-{pan}-01"}
    yield "POST", "/v1/api-keys", {"X-Name": canary.name}


def _wrong_bytes(canary):
    """What is no HTTP at all, or only its beginning."""
    body = json.dumps(canary.request)
    head = f"POST /v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    yield f"{canary.pan} {canary.pan} {canary.pan}\r\n\r\n"
    yield f"{body}\r\n\r\n"
    yield f"{head}{canary.pan}\r\n\r\n{body}"
    yield f"{head}\r\n{body[:-9]}"  # and then the client is gone


def connect(deployment):
    """A raw TLS connection to edged."""
    state = deployment.state()
    host, port = state["gateway_url"].removeprefix("https://").rsplit(":", 1)
    context = ssl.create_default_context(cafile=state["ca_cert"])
    return context.wrap_socket(socket.create_connection((host, int(port)), timeout=20),
                               server_hostname=host)


def bad(deployment, canary):
    """Everything that is wrong; returns the connections that are still open."""
    edge, vault = _clients(deployment)
    ticket = {"Strongroom-Ticket": deployment.ticket()}
    for body in _wrong_bodies(canary):
        for client, path, headers in ((edge, "/v1/tokens", {}), (vault, "/v1/cards", ticket)):
            _not_taken(client, "POST", path, body, {"Content-Type": "application/json", **headers})
    for members, key in _wrong_payments(canary):
        body = {"amount": 1, "currency": "USD", "token": "tok_" + "a" * 26, **members}
        _not_taken(edge, "POST", "/v1/payments", body, {"Idempotency-Key": key})
    for method, path, headers in _wrong_requests(canary):
        body = json.dumps(canary.card) if method == "POST" else None
        _not_taken(edge, method, path, body, headers)
        _not_taken(vault, method, path.replace("/tokens", "/cards"), body, {**ticket, **headers})
    for text in _wrong_bytes(canary):
        with connect(deployment) as raw:
            raw.sendall(text.encode())
    return edge, vault


def _not_taken(client, method, path, body, headers):
    """A header that is nobody's business may be ignored; a card may be neither taken nor fatal."""
    status, answer, _ = client.call(method, path, body, headers)
    ignored = method == "GET" and status == 200
    assert ignored or 400 <= status < 500, f"{method}: {status} {answer}"
