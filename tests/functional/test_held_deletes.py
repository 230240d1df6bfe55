"""A burst of deletes beyond the budget waits until the operator releases or refuses it."""
import concurrent.futures
import datetime
import os
import threading
import time

import pytest

import leak_scan
from deployment import DeploymentError
from running_deployment import running, wait_until
from second_vaultd import two_vaultds

KEY_BUDGET = 30  # deletes_per_minute_key of the shared deployments (conftest.py)


def add_cards(client, count, path="/v1/tokens"):
    year = datetime.date.today().year + 1
    tokens = []
    for _ in range(count):
        card = {"number": leak_scan.generate_pan(), "exp_month": 12, "exp_year": year}
        tokens.append(client.post(path, {"card": card}).body["id"])
    return tokens


def delete_all(client, tokens, path="/v1/tokens"):
    """What is held of them; the others are erased."""
    held = []
    for token in tokens:
        answer = client.delete(f"{path}/{token}")
        assert answer.status in (202, 204), answer
        if answer.status == 202:
            assert (answer.body["id"], answer.body["deletion"]) == (token, "held")
            held.append(token)
    return held


def waiting(deployment, merchant):
    return [row for row in deployment.strongroom("deletes", "list")
            if row["merchant"] == merchant.id]


def steps(deployment, merchant, event_type):
    """(phase, outcome, who) of the merchant's entries of this type, oldest first."""
    return [(entry["unmapped"]["phase"], entry["unmapped"].get("outcome"),
             entry["actor"]["user"]["uid"])
            for entry in deployment.audit_entries(event_type=event_type,
                                                  merchant_id=merchant.id)]


@pytest.fixture
def burst(each_deployment):
    """(deployment, merchant, client, tokens whose deletion is held)"""
    merchant = each_deployment.new_merchant()
    client = each_deployment.gateway(merchant.api_key)
    held = delete_all(client, add_cards(client, KEY_BUDGET + 5))
    assert 1 <= len(held) <= 5  # a second or two that passed gave some back
    return each_deployment, merchant, client, held


def test_held_tokens_work_and_hold_up_nothing(burst):
    deployment, merchant, client, held = burst
    for token in held:
        assert client.get(f"/v1/tokens/{token}").status == 200
    again = client.delete(f"/v1/tokens/{held[0]}")
    assert again.status == 202
    assert client.delete(f"/v1/tokens/{held[0]}").body == again.body
    assert add_cards(client, 1)
    other = deployment.gateway(deployment.new_key(merchant.id)["key"])
    assert not delete_all(other, add_cards(other, 1)), "its other key has a budget left"
    assert client.delete("/v1/tokens/tok_" + "a" * 26).status == 404

    listed = waiting(deployment, merchant)
    assert [(row["key"], row["held"], row["released"]) for row in listed] == [
        (merchant.key_id, len(held), 0)]
    assert listed[0]["first_held_at"] == client.delete(f"/v1/tokens/{held[0]}").body["held_at"]
    told = steps(deployment, merchant, "delete.hold")
    assert told.count(("intent", None, merchant.key_id)) == len(held)
    assert told.count(("outcome", "done", merchant.key_id)) == len(held)
    wait_until(lambda: deployment.metrics("vaultd")["strongroom_deletes_held"] >= len(held),
               "the metric tells")
    _, report = deployment.admin("vaultd", "GET", "/readyz")
    assert any("strongroom deletes list" in warning for warning in report["warnings"])


def test_released_they_are_carried_out_in_the_operators_name(burst):
    deployment, merchant, client, held = burst
    operator = f"uid:{os.getuid()}"
    released = deployment.strongroom("deletes", "release", "--merchant", merchant.id)
    assert released == {"count": len(held)}
    for token in held:
        wait_until(lambda token=token: client.get(f"/v1/tokens/{token}").status == 410, "is erased")
        assert client.delete(f"/v1/tokens/{token}").status == 204
    assert waiting(deployment, merchant) == []
    assert steps(deployment, merchant, "delete.release") == [
        ("intent", None, operator), ("outcome", "done", operator)]
    erased = wait_until(lambda: [
        entry for entry in deployment.audit_entries(event_type="token.delete", phase="outcome",
                                                    merchant_id=merchant.id)
        if entry["actor"]["user"].get("uid") == operator], "it is in the log")
    assert {entry["unmapped"]["gateway_token"] for entry in erased} == set(held)
    assert all(entry["unmapped"]["outcome"] == "done" for entry in erased)
    with pytest.raises(DeploymentError, match="no such delete is held"):
        deployment.strongroom("deletes", "release", "--merchant", merchant.id)
    deployment.strongroom("audit", "verify")


def test_refused_their_cards_stay(burst):
    deployment, merchant, client, held = burst
    refused = deployment.strongroom("deletes", "refuse", "--merchant", merchant.id,
                                    "--key", merchant.key_id)
    assert refused == {"count": len(held)}
    assert waiting(deployment, merchant) == []
    time.sleep(2)  # two steps of the job that carries out
    assert all(client.get(f"/v1/tokens/{token}").status == 200 for token in held)
    other = deployment.gateway(deployment.new_key(merchant.id)["key"])
    assert other.delete(f"/v1/tokens/{held[0]}").status == 204


def set_budget(deployment, per_minute):
    deployment.configure("vaultd", f"deletes_per_minute = {per_minute}")
    assert deployment.stop_one("vaultd") == 0
    deployment.start_one("vaultd")


def test_two_vaultds_share_a_budget_and_the_operator_decides_at_either():
    budget = 20
    with two_vaultds() as both:
        first, second = both
        for deployment in both:
            set_budget(deployment, budget)
        merchant = first.new_merchant()
        ticket = first.ticket(merchant.api_key)
        vaults = [deployment.vault(ticket) for deployment in both]
        tokens = add_cards(vaults[0], 3 * budget, "/v1/cards")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            held = [token for some in pool.map(
                lambda vault, mine: delete_all(vault, mine, "/v1/cards"), vaults,
                (tokens[::2], tokens[1::2])) for token in some]
        assert 0 <= 2 * budget - len(held) <= 5, "what some seconds give back"
        assert waiting(second, merchant)[0]["held"] == len(held)
        second.strongroom("deletes", "release", "--merchant", merchant.id)
        for token in held:
            wait_until(lambda token=token: vaults[0].get(f"/v1/cards/{token}").status == 410,
                       "is erased")
        for deployment in both:
            deployment.strongroom("audit", "verify")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_killed_vaultd_goes_on_carrying_out(database):
    count = 700  # several transactions
    with running(database) as deployment:
        set_budget(deployment, 1)
        merchant = deployment.new_merchant()
        clients = [deployment.gateway(merchant.api_key) for _ in range(4)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            tokens = sum(pool.map(lambda client: add_cards(client, count // 4), clients), [])
            held = sum(pool.map(delete_all, clients, [tokens[i::4] for i in range(4)]), [])
        assert len(held) >= count - 5
        vaultd = deployment.processes["vaultd"]

        def live():
            return deployment.vault_rows(
                "SELECT count(*) FROM cards WHERE deleted_at IS NULL")[0][0]

        def kill_in_the_middle():
            while live() == len(held):
                time.sleep(0.002)
            vaultd.kill()

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        assert deployment.strongroom("deletes", "release", "--merchant", merchant.id)["count"] \
            == len(held)
        killer.join()
        vaultd.wait()
        assert live() > 0, "it was done before it was killed"
        assert deployment.vault_rows("SELECT count(*) FROM held_deletes")[0][0] == live()
        deployment.start_one("vaultd")
        wait_until(lambda: live() == 0, "all are erased")
        assert deployment.vault_rows("SELECT count(*) FROM held_deletes") == [(0,)]

        def operations():
            told = {}
            for entry in deployment.audit_entries(event_type="token.delete",
                                                  merchant_id=merchant.id):
                step = entry["unmapped"]
                told.setdefault(step["operation_id"], []).append(
                    (step["gateway_token"], step["phase"], step.get("outcome")))
            return told if all(len(steps) == 2 for steps in told.values()) else None
        outcomes = wait_until(operations, "no intent stays open")
        done = [steps[1][0] for steps in outcomes.values() if steps[1][2] == "done"]
        assert sorted(done) == sorted(tokens), "each is erased once"
        deployment.strongroom("audit", "verify")
