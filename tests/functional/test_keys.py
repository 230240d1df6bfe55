"""The life of vaultd's keys as operators see and steer it: list, show, check, rotate."""
import os
import signal
import threading
import time

import pytest

import leak_scan
from card_load import CardLoad, card_body
from deployment import DeploymentError
from held import frozen
from running_deployment import running, wait_until
from second_vaultd import restart, set_lines, two_vaultds
from shop import Shop
from vault_keys import (KEK, NAMES, active, dek_versions, listed, states, told_of_keys, tool,
                        wait_closed)

DEAD_AFTER_SECONDS = 60  # KeyKeeper's, and up to a beat of 20 s less when it was killed
KILLS = 8
FLOOR_SECONDS = 40


def test_every_key_is_listed_with_its_age_and_uses(each_hsm):
    keys = listed(each_hsm)
    assert {key["name"] for key in keys.values()} == set(NAMES)
    kek = keys[f"{KEK}/1"]
    assert (kek["algorithm"], kek["cryptoperiod_days"]) == ("AES-256", 90)
    assert 0 <= kek["cryptoperiod_used"] < 0.01
    assert kek["uses_rotate_at"] == 2**30 and kek["uses_max"] == 2**31
    assert kek["uses"] >= 1 << 17, "uses are reserved before they are made"
    assert keys["key-registry/1"]["uses"] is None
    assert all(key["vaultds"] == ["vaultd"] for key in keys.values())
    shown = tool(each_hsm, "list")
    assert shown.returncode == 0 and shown.stderr == ""
    lines = [line for line in shown.stdout.splitlines() if " is to be destroyed by " not in line]
    assert len(lines) == 1 + len(keys) + 1
    assert "registry at revision" in lines[-1]


def test_one_version_is_shown_with_its_check_value(each_hsm):
    key = each_hsm.strongroom("keys", "show", f"{KEK}/1")
    listed_key = listed(each_hsm)[f"{KEK}/1"]
    assert {name: value for name, value in key.items() if name != "cryptoperiod_used"} == {
        name: value for name, value in listed_key.items() if name != "cryptoperiod_used"}
    shown = tool(each_hsm, "show", f"{KEK}/1")
    assert shown.returncode == 0
    assert f"check_value   {key['check_value']}" in shown.stdout


@pytest.mark.parametrize("arguments, words", [
    (("show", "pan-encryption"), "takes NAME/VERSION, as pan-encryption/1"),
    (("show", "pan-encryption/99"), "no such version"),
    (("show", "pan-encryption/-1"), "no such version"),
    (("show", "kek/1"), "pan-encryption, pan-fingerprint, blind-index and key-registry"),
    (("rotate", "kek"), "pan-encryption, pan-fingerprint, blind-index and key-registry"),
    (("rotate", "kek?x"), "see strongroom keys list"),
    (("rotate", "pan-fingerprint"), "only pan-encryption can be rotated yet"),
    (("rotate", "key-registry"), "only pan-encryption can be rotated yet"),
    (("rotate",), "required"),
])
def test_what_cannot_be_is_said_in_plain_words(deployment, arguments, words):
    done = tool(deployment, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_check_finds_nothing_amiss(each_hsm):
    report = each_hsm.strongroom("keys", "check")
    assert (report["ok"], report["findings"]) == (True, [])
    shown = tool(each_hsm, "check")
    assert (shown.returncode, shown.stderr) == (0, "")


@pytest.mark.parametrize("database, hsm", [("sqlite", "softokn"), ("postgres", "softhsm")])
def test_a_rotation_loses_no_card_and_no_request(database, hsm):
    with running(database, hsm=hsm) as deployment:
        shop = Shop(deployment)
        client = shop.client
        pan = leak_scan.generate_pan()
        before = client.post("/v1/tokens", card_body(pan)).body["id"]
        pid = deployment.processes["vaultd"].pid
        with CardLoad(deployment, workers=1) as load:
            wait_until(lambda: load.in_a_row >= 10, "load")
            rotated = deployment.strongroom("keys", "rotate", KEK)
            assert (rotated["version"], rotated["state"]) == (2, "active")
            under_new = len(load.cards) + 10
            wait_until(lambda: len(load.cards) > under_new, "load after it")
        assert load.unexpected == [] and load.failures == (0, 0)
        assert deployment.processes["vaultd"].pid == pid
        assert deployment.processes["vaultd"].poll() is None
        assert states(deployment) == {1: "retired", 2: "active"}
        assert set(dek_versions(deployment)) <= {1, 2}

        after = shop.token()
        assert client.get(f"/v1/tokens/{before}").status == 200
        again = client.post("/v1/tokens", card_body(pan))
        assert (again.status, again.body["id"]) == (200, before), "it is found again"
        for token in (before, after):
            assert shop.pay(token).body["status"] == "captured"

        operator = f"uid:{os.getuid()}"
        label = f"strongroom/{KEK}/2"
        assert ("intent", None, [label], operator) in told_of_keys(deployment, "key.generate")
        assert ("outcome", "done", [label], operator) in told_of_keys(deployment, "key.generate")
        activated = [one for one in told_of_keys(deployment, "key.activate") if label in one[2]]
        assert [one[:2] for one in activated] == [("intent", None), ("outcome", "done")]
        wait_until(lambda: any(outcome == "done" for _, outcome, _, _ in
                               told_of_keys(deployment, "key.retire")),
                   "nothing new can come under the old version", FLOOR_SECONDS)
        wait_closed(deployment)
        assert deployment.strongroom("keys", "check")["ok"]

        assert deployment.stop_one("vaultd") == 0
        deployment.start_one("vaultd")
        for token in (before, after):
            assert client.get(f"/v1/tokens/{token}").status == 200
        told = tool(deployment, "rotate", KEK)
        assert told.returncode == 0 and f"{KEK}/3 is active" in told.stdout


@pytest.fixture(scope="module")
def both():
    """Two vaultd on one PostgreSQL; by name, a leads."""
    with two_vaultds() as pair:
        for deployment, name in zip(pair, ("a", "b")):
            set_lines(deployment, "vaultd", {"name": f'"{name}"'})
            restart(deployment, "vaultd")
        first, second = pair
        wait_until(lambda: {one["name"] for one in
                            first.strongroom("keys", "list")["vaultds"]} >= {"a", "b"}, "both")
        yield pair


def vaults(both):
    first, _ = both
    merchant = first.new_merchant()
    ticket = first.ticket(merchant.api_key)
    return [deployment.vault(ticket) for deployment in both]


def test_a_version_is_active_when_every_vaultd_has_it(both):
    first, second = both
    at_first, at_second = vaults(both)
    old = at_second.post("/v1/cards", card_body(leak_scan.generate_pan())).body["id"]
    version = active(first) + 1
    with frozen(second, "vaultd"):
        begun = first.strongroom("keys", "rotate", KEK, "--no-wait")
        assert (begun["version"], begun["state"]) == (version, "pre-active")
        time.sleep(3)  # three steps
        key = listed(first)[f"{KEK}/{version}"]
        assert (key["state"], key["vaultds"]) == ("pre-active", ["a"])
        with pytest.raises(DeploymentError, match="a rotation of this key is under way"):
            first.strongroom("keys", "rotate", KEK)
        assert at_first.post("/v1/cards", card_body(leak_scan.generate_pan())).status == 201
        assert version not in dek_versions(first)
    for one in both:
        wait_until(lambda one=one: states(one)[version] == "active", "it is active")
    wait_until(lambda: listed(second)[f"{KEK}/{version}"]["vaultds"] == ["a", "b"], "both know")
    new = at_second.post("/v1/cards", card_body(leak_scan.generate_pan())).body["id"]
    assert version in dek_versions(first)
    for vault in (at_first, at_second):
        for token in (old, new):
            assert vault.get(f"/v1/cards/{token}").status == 200
    wait_closed(*both)


def test_a_dead_vaultd_is_not_waited_for(both, record_property):
    """The one that leads dies, and the other takes over."""
    first, second = both
    version = active(first) + 1
    first.processes["vaultd"].kill()
    first.processes["vaultd"].wait()
    begin = time.monotonic()
    rotated = second.strongroom("keys", "rotate", KEK)
    seconds = time.monotonic() - begin
    record_property("rotation after a death", {"seconds": round(seconds, 1)})
    assert (rotated["version"], rotated["state"]) == (version, "active")
    assert seconds <= DEAD_AFTER_SECONDS + 5
    assert rotated["vaultds"] == ["b"]
    first.start_one("vaultd")
    at_first, at_second = vaults(both)
    token = at_second.post("/v1/cards", card_body(leak_scan.generate_pan())).body["id"]
    assert at_first.get(f"/v1/cards/{token}").status == 200
    wait_closed(*both)


@pytest.mark.parametrize("database, hsm", [("sqlite", "softhsm"), ("postgres", "softokn")])
def test_a_rotation_goes_on_or_was_never_begun_after_a_kill(database, hsm, record_property):
    with running(database, hsm=hsm) as deployment:
        client = deployment.gateway()
        tokens, ends = [], {"begun": 0, "not begun": 0}
        for kill in range(KILLS):
            tokens.append(client.post("/v1/tokens", card_body(leak_scan.generate_pan())).body["id"])
            before = states(deployment)
            rotating = threading.Thread(target=tool, args=(deployment, "rotate", KEK, "--no-wait"))
            rotating.start()
            time.sleep(0.02 + kill * 0.02 if kill % 2 == 0 else kill * 0.3)
            os.kill(deployment.processes["vaultd"].pid, signal.SIGKILL)
            deployment.processes["vaultd"].wait()
            rotating.join()
            deployment.start_one("vaultd")
            wait_until(lambda: "pre-active" not in states(deployment).values(), "it goes on", 100)
            after = states(deployment)
            assert list(after.values()).count("active") == 1
            begun = len(after) - len(before)
            assert begun in (0, 1)
            ends["begun" if begun else "not begun"] += 1
            if begun:
                assert max(after) == active(deployment)
            report = deployment.strongroom("keys", "check") if tool(
                deployment, "check").returncode == 0 else None
            if report is None:  # made in the HSM, and killed before it was registered
                found = tool(deployment, "check")
                assert found.returncode == 1 and found.stdout.strip().endswith(
                    "is in the HSM, but not registered"), found.stdout
            for token in tokens:
                assert client.get(f"/v1/tokens/{token}").status == 200
        record_property("kill -9 in a rotation", ends)
        wait_closed(deployment)
