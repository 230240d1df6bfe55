"""Somebody edits the key registry, or destroys keys in the HSM: it shows, and harms no card."""
import contextlib

import pytest

import leak_scan
from card_load import card_body
from running_deployment import running, wait_until
from vault_keys import KEK, change, dek_versions, token_files, tool, wait_closed

SEEN_SECONDS = 15
ROW = "name = 'pan-encryption' AND version = 1"
# A hand in the registry: what it does, and which key's row is named (None: which rows there are).
COLUMNS = ("check_value, state, created_at, activated_at, state_since, state_revision,"
           " cryptoperiod_us, emptied_at, uses, mac")
HANDS = {
    "uses": (["UPDATE keys SET uses = 0 WHERE " + ROW], f"strongroom/{KEK}/1"),
    "cryptoperiod": (["UPDATE keys SET cryptoperiod_us = cryptoperiod_us * 9 WHERE " + ROW],
                     f"strongroom/{KEK}/1"),
    "state": (["UPDATE keys SET state = 'retired' WHERE " + ROW], f"strongroom/{KEK}/1"),
    "check value": (["UPDATE keys SET check_value = '000000' WHERE " + ROW],
                    f"strongroom/{KEK}/1"),
    "no sense": (["UPDATE keys SET state = 'nonsense' WHERE " + ROW], f"strongroom/{KEK}/1"),
    "swapped names": (["UPDATE keys SET name = 'x' WHERE name = 'pan-fingerprint'",
                       "UPDATE keys SET name = 'pan-fingerprint' WHERE name = 'blind-index'",
                       "UPDATE keys SET name = 'blind-index' WHERE name = 'x'"],
                      "strongroom/blind-index/1"),
    "deleted row": (["DELETE FROM keys WHERE name = 'blind-index'"], None),
    "added row": ([f"INSERT INTO keys(name, version, {COLUMNS}) SELECT name, 7, {COLUMNS}"
                   " FROM keys WHERE " + ROW], f"strongroom/{KEK}/7"),
    "floor": (["UPDATE keys_seal SET kek_floor = 9"], None),
    "emptied": (["DELETE FROM keys", "DELETE FROM keys_seal"], None),
    "no seal": (["DELETE FROM keys_seal"], None),
    "no rows": (["DELETE FROM keys"], None),
}
KEEP = ["CREATE TABLE kept_keys AS SELECT * FROM keys",
        "CREATE TABLE kept_seal AS SELECT * FROM keys_seal"]
PUT_BACK = ["DELETE FROM keys", "DELETE FROM keys_seal",
            "INSERT INTO keys SELECT * FROM kept_keys",
            "INSERT INTO keys_seal SELECT * FROM kept_seal"]
FORGET = ["DROP TABLE kept_keys", "DROP TABLE kept_seal"]


@pytest.fixture(scope="module", params=[("sqlite", "softhsm"), ("postgres", "softokn")],
                ids="-".join)
def altered(request):
    """Each test leaves it whole."""
    database, hsm = request.param
    with running(database, hsm=hsm) as deployment:
        yield deployment


def new_card(client):
    return client.post("/v1/tokens", card_body(leak_scan.generate_pan()))


@pytest.mark.parametrize("hand", HANDS)
def test_a_foreign_hand_in_the_registry_shows_and_stops_encryption(altered, hand):
    statements, label = HANDS[hand]
    client = altered.gateway()
    token = new_card(client).body["id"]
    change(altered, *KEEP)
    try:
        change(altered, *statements)
        wait_until(lambda: "keys" in altered.failing_checks("vaultd"), "/readyz says so",
                   SEEN_SECONDS)
        checked = tool(altered, "check")
        assert checked.returncode == 1
        expected = label or "the key registry"
        assert any(line.startswith(f"{expected}: ") for line in checked.stdout.splitlines()), (
            checked.stdout)
        refused = new_card(client)
        assert (refused.status, refused.problem) == (503, "sealed")
        assert client.get(f"/v1/tokens/{token}").status == 200, "what is there opens"
        rotated = tool(altered, "rotate", KEK)
        assert rotated.returncode == 3
        assert "strongroom keys check names the rows" in rotated.stderr
        assert "strongroom keys check" in tool(altered, "list").stderr
    finally:
        change(altered, *PUT_BACK, *FORGET)
    wait_until(lambda: altered.is_ready("vaultd"), "it is whole again", SEEN_SECONDS)
    assert new_card(client).status == 201
    assert tool(altered, "check").returncode == 0


def last_words(deployment):
    return deployment.log_path("vaultd").read_text().splitlines()[-1]


def test_a_start_with_an_altered_registry_is_refused(altered):
    assert altered.stop_one("vaultd") == 0
    change(altered, *KEEP)
    change(altered, "UPDATE keys SET uses = 0 WHERE " + ROW)
    altered.start_one("vaultd", ready=False)
    assert altered.processes["vaultd"].wait(20) == 2
    assert "the key registry was written to by somebody else" in last_words(altered)
    assert f'"strongroom/{KEK}/1"' in altered.log_path("vaultd").read_text()
    done = tool(altered, "check")
    assert done.returncode == 3 and "vaultd does not answer" in done.stderr
    change(altered, *PUT_BACK, *FORGET)
    altered.start_one("vaultd")
    assert new_card(altered.gateway()).status == 201


def rotate(deployment):
    """The file of the version that it makes."""
    before = token_files(deployment)
    deployment.strongroom("keys", "rotate", KEK)
    (made,) = token_files(deployment) - before
    return made


@contextlib.contextmanager
def destroyed(file):
    """As long as the context is entered."""
    content = file.read_bytes()
    file.unlink()
    yield
    file.write_bytes(content)


def restart(deployment):
    assert deployment.stop_one("vaultd") == 0
    deployment.start_one("vaultd")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_keys_destroyed_in_the_hsm_behind_vaultds_back(database):
    with running(database) as deployment:
        client = deployment.gateway()

        def found(token):
            answer = client.get(f"/v1/tokens/{token}")
            assert answer.status == 200 or answer.problem == "hsm-unavailable"
            return answer.status

        first = new_card(client).body["id"]
        retired_file = rotate(deployment)
        second = new_card(client).body["id"]
        active_file = rotate(deployment)
        third = new_card(client).body["id"]
        assert dek_versions(deployment) == {1: 1, 2: 1, 3: 1}

        with destroyed(retired_file):
            checked = tool(deployment, "check")
            assert (checked.returncode, checked.stdout) == (
                1, f"strongroom/{KEK}/2: is registered, but not in the HSM\n")
            restart(deployment)
            assert [found(token) for token in (first, second, third)] == [200, 503, 200]
            said = deployment.log_path("vaultd").read_text()
            assert "what is under it does not open" in said and f"strongroom/{KEK}/2" in said
            assert new_card(client).status == 201
        restart(deployment)
        assert found(second) == 200
        assert tool(deployment, "check").returncode == 0

        with destroyed(active_file):
            checked = tool(deployment, "check")
            assert (checked.returncode, checked.stdout) == (
                1, f"strongroom/{KEK}/3: is registered, but not in the HSM\n")
            assert new_card(client).status == 201, "it works with a copy in the HSM's memory"
            assert deployment.stop_one("vaultd") == 0
            deployment.start_one("vaultd", ready=False)
            assert deployment.processes["vaultd"].wait(20) == 2
            assert "no such key" in last_words(deployment)
            assert f"strongroom/{KEK}/3" in deployment.log_path("vaultd").read_text()
        deployment.start_one("vaultd")
        assert [found(token) for token in (first, second, third)] == [200, 200, 200]
        wait_closed(deployment)
