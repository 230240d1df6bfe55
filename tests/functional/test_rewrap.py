"""After a rotation the keys of all cards come under the new version by themselves, beside requests,
and also where vaultd is killed meanwhile.
"""
import datetime
import itertools

import pytest

import leak_scan
from running_deployment import running, wait_until

CARDS = 200
REWRAP_SECONDS = 120


@pytest.fixture(params=[("sqlite", "softokn"), ("postgres", "softhsm")], ids="-".join)
def own_deployment(request):
    database, hsm = request.param
    with running(database, hsm=hsm) as deployment:
        yield deployment


def sent():
    year = datetime.date.today().year + 1
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12, "exp_year": year}}


def under(deployment, version):
    [[count]] = deployment.vault_rows(
        f"SELECT count(*) FROM cards WHERE kek_version = {version}")
    return count


def entries(deployment, phase):
    return deployment.audit_entries(event_type="key.rewrap", phase=phase)


def test_killed_beside_requests_it_goes_on(own_deployment):
    deployment = own_deployment
    client = deployment.gateway(deployment.new_merchant().api_key)
    tokens = [client.post("/v1/tokens", sent()).body["id"] for _ in range(CARDS)]
    status, _ = deployment.admin("vaultd", "POST", "/v1/keys/pan-encryption/rotate")
    assert status == 200

    asked = itertools.cycle(tokens)

    def some_moved():
        assert client.get(f"/v1/tokens/{next(asked)}").status == 200
        return under(deployment, 2) > 0

    wait_until(some_moved, "the first keys of cards are moved", REWRAP_SECONDS)
    assert under(deployment, 1) > 0, "the job takes no heed of requests"
    assert deployment.strongroom("keys", "list")["rewrap"]["moved"] > 0
    vaultd = deployment.processes["vaultd"]
    vaultd.kill()
    vaultd.wait()
    deployment.start_one("vaultd")
    wait_until(lambda: [entry for entry in entries(deployment, "single")
                        if entry["unmapped"]["count"] == 0], "none is left", REWRAP_SECONDS)
    assert deployment.strongroom("keys", "list")["rewrap"] is None
    assert under(deployment, 1) == 0
    assert under(deployment, 2) == CARDS
    for token in tokens:
        assert client.get(f"/v1/tokens/{token}").status == 200

    begun, ended = entries(deployment, "intent"), entries(deployment, "outcome")
    old, new = ("strongroom/pan-encryption/1", "strongroom/pan-encryption/2")
    assert all([one["uid"] for one in entry["resources"]] == [old, new] for entry in begun)
    assert [entry["unmapped"]["outcome"] for entry in ended] == ["not_done", "done"]
    assert ended[1]["unmapped"]["count"] < CARDS
    wait_until(lambda: deployment.metrics("auditd")["strongroom_audit_open_intents"] == 0,
               "no intent stays open")
