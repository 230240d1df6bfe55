"""The audit log tells who did what to which card, when, from where, and how it ended."""
import collections
import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import door as doors
import leak_scan
from backups import Safe, fresh_copy_of, restore_to
from deployment import BIN
from running_deployment import folder, running, wait_until
from shop import Shop
from test_audit_quota import flood, small_quota
from vault_keys import KEK, listed, tool

ROOT = pathlib.Path(__file__).resolve().parents[2]
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
BEGUN = datetime.datetime.now(datetime.timezone.utc)  # the run: deployments are made after it


# They concern the instance that writes, or what was denied (`api.operation`).
WITHOUT_RESOURCES = ("access.denied", "config.reload", "log.start", "service.start", "log.stop",
                     "service.stop")


def card(**members):
    return {"number": leak_scan.generate_pan(), "exp_month": 12,
            "exp_year": datetime.date.today().year + 1, **members}


def kinds(entries):
    return [(entry["unmapped"]["event_type"], entry["unmapped"]["phase"],
             entry["unmapped"].get("outcome")) for entry in entries]


def entries_of(deployment, token, count):
    """Entries about a token; its outcomes are written soon after the answer."""
    return wait_until(lambda: len(found := deployment.audit_entries(gateway_token=token)) >= count
                      and found, f"{count} entries about {token}")


def assert_has_six_fields(entry):
    """PCI DSS 4.0.1, 10.2.2: user, type of event, date and time, success or failure, origination,
    and the identity of what was affected."""
    assert entry["actor"]["user"]["uid"] and entry["actor"]["app_uid"]
    assert entry["unmapped"]["event_type"] and entry["type_uid"] // 100 == entry["class_uid"]
    told = datetime.datetime.fromisoformat(entry["unmapped"]["timestamp"])
    assert told.timestamp() * 1000 == pytest.approx(entry["time"], abs=1)
    assert BEGUN < told <= datetime.datetime.now(datetime.timezone.utc)
    assert entry["status_id"] in (0, 1, 2)
    assert (entry["status_id"] == 0) == (entry["unmapped"].get("outcome") in (None, "unknown"))
    assert entry["src_endpoint"].get("ip") or entry["src_endpoint"].get("name")
    assert entry["resources"] or entry["unmapped"]["event_type"] in WITHOUT_RESOURCES
    assert UUID.fullmatch(entry["metadata"]["uid"])


@pytest.fixture(scope="module")
def life(each_module_deployment):
    """A card's whole life: (deployment, merchant, card, token)."""
    deployment = each_module_deployment
    merchant = deployment.new_merchant()
    client = deployment.gateway(merchant.api_key)
    sent = card(cvc="737", name="Ada Lovelace")
    token = client.post("/v1/tokens", {"card": sent}).body["id"]
    client.post("/v1/tokens", {"card": sent})
    client.post("/v1/tokens", {"card": {**sent, "exp_month": 11}})
    client.get(f"/v1/tokens/{token}")
    client.delete(f"/v1/tokens/{token}")
    client.get(f"/v1/tokens/{token}")
    client.delete(f"/v1/tokens/{token}")
    return deployment, merchant, sent, token


@pytest.fixture(scope="module", params=["deployment", "postgres_deployment"])
def each_module_deployment(request):
    return request.getfixturevalue(request.param)


def test_every_action_on_a_card_is_told_in_order(life):
    deployment, _, _, token = life
    assert kinds(entries_of(deployment, token, 11)) == [
        ("token.create", "intent", None), ("token.create", "outcome", "done"),
        ("token.lookup", "single", "success"),                                  # the same card
        ("token.lookup", "single", "success"),                                  # changed
        ("token.update", "intent", None), ("token.update", "outcome", "done"),
        ("token.lookup", "single", "success"),
        ("token.delete", "intent", None), ("token.delete", "outcome", "done"),
        ("token.lookup", "single", "failed"),                                   # it is gone
        ("token.delete", "single", "success"),                                  # again
    ]


def test_every_entry_has_the_six_fields(life):
    deployment, merchant, sent, token = life
    for entry in entries_of(deployment, token, 11):
        assert_has_six_fields(entry)
        assert entry["actor"] == {"user": {"uid": merchant.key_id}, "app_uid": "vaultd"}
        assert entry["unmapped"]["merchant_id"] == merchant.id
        assert entry["src_endpoint"] == {"ip": "127.0.0.1"}
        assert entry["resources"] == [{"uid": token}]
    created = deployment.audit_entries(gateway_token=token, event_type="token.create")
    assert {(entry["unmapped"]["bin"], entry["unmapped"]["last4"]) for entry in created} == {
        (sent["number"][:6], sent["number"][-4:])}


def test_intent_and_outcome_share_their_operation(life):
    deployment, _, _, token = life
    by_operation = {}
    for entry in entries_of(deployment, token, 11):
        if entry["unmapped"]["phase"] != "single":
            by_operation.setdefault(entry["unmapped"]["operation_id"], []).append(
                entry["unmapped"]["phase"])
    assert list(by_operation.values()) == [["intent", "outcome"]] * 3


def test_whole_log_has_the_six_fields_and_no_open_intent(life):
    deployment = life[0]
    entries = deployment.audit_entries()
    for entry in entries:
        assert_has_six_fields(entry)
    uids = [entry["metadata"]["uid"] for entry in entries]
    assert len(set(uids)) == len(uids)
    wait_until(lambda: deployment.strongroom("audit", "verify")["open_intent_count"] == 0,
               "every intent has its outcome")


def test_log_verifies_and_holds_no_card_number_and_no_fingerprint(life):
    deployment, _, sent, _ = life
    report = deployment.strongroom("audit", "verify")
    assert report["ok"] and report["entries"] > 0
    assert leak_scan.scan_folder(deployment.dir / "audit", sent["number"]) == []
    data = b"".join(path.read_bytes() for path in (deployment.dir / "audit").rglob("*")
                    if path.is_file())
    assert b"Ada Lovelace" not in data and b'"737"' not in data
    assert deployment.gateway().post("/v1/tokens", {"card": card()}).status == 201
    fingerprints = [value for row in deployment.vault_rows(
        "SELECT fingerprint_odd, fingerprint_even FROM cards") for value in row if value]
    assert fingerprints
    data = deployment.written()
    for fingerprint in fingerprints:
        assert fingerprint not in data and fingerprint.hex().encode() not in data


def test_operators_acts_are_told_with_their_user(each_deployment):
    merchant = each_deployment.new_merchant()
    each_deployment.strongroom("api-keys", "revoke", merchant.key_id)
    for event, resource in (("merchant.create", merchant.id), ("api_key.create", merchant.key_id),
                            ("api_key.revoke", merchant.key_id)):
        def told():
            return [entry for entry in each_deployment.audit_entries(event_type=event)
                    if entry["resources"] == [{"uid": resource}]]
        wait_until(lambda: [entry["unmapped"]["phase"] for entry in told()] ==
                   ["intent", "outcome"], "the outcome, which nobody waits for, is written")
        assert all(entry["actor"]["user"]["uid"].startswith("uid:") for entry in told())


REQUIREMENTS = [(cells[1].strip(), re.findall(r"`([a-z_.]+)`", cells[3])) for cells in (
    line.split("|") for line in (ROOT / "docs/formats/audit-entry.md").read_text().splitlines()
    if line.startswith("| 10.2.1."))]


# Where the operator who did it is the actor.
ADMINISTRATORS_ACTS = dict(REQUIREMENTS)["10.2.1.2"]


DELETES_PER_MINUTE = 6


@contextlib.contextmanager
def small_limits(deployment):
    deployment.configure("vaultd", f"deletes_per_minute = {DELETES_PER_MINUTE}")
    with small_quota(deployment):
        yield


def touch_cards(deployment, shop):
    """10.2.1.1"""
    sent = card()
    token = shop.client.post("/v1/tokens", {"card": sent}).body["id"]
    shop.client.post("/v1/tokens", {"card": {**sent, "exp_month": 11}})
    assert shop.client.get(f"/v1/tokens/{token}").status == 200
    assert shop.pay(token).body["status"] == "captured"
    assert shop.client.delete(f"/v1/tokens/{token}").status == 204
    entries_of(deployment, token, 10)


def administer(deployment, shop):
    """10.2.1.2 to 10.2.1.5, but for what the shop's making has told."""
    till = deployment.new_merchant("merchant_user")
    assert deployment.gateway(till.api_key).post("/v1/tokens", {"card": card()}).status == 403
    deployment.strongroom("api-keys", "revoke", till.key_id)
    deployment.strongroom("audit", "search", "--merchant", shop.merchant.id)
    with folder() as parent:
        deployment.strongroom("audit", "export", "--all", "--out", parent / "out")
    for instance in ("vaultd", "auditd"):
        deployment.processes[instance].send_signal(signal.SIGHUP)
    wait_until(lambda: len(deployment.audit_entries(event_type="config.reload")) == 2,
               "both read it again")
    carry_a_witnesss_word(deployment)
    deployment.strongroom("audit", "archive")
    decide_about_deletes(deployment)
    deployment.strongroom("keys", "rotate", "pan-encryption")


def decide_about_deletes(deployment):
    """Those of a burst beyond the budget: once they may happen, once they may not."""
    merchant = deployment.new_merchant()
    client = deployment.gateway(merchant.api_key)
    for decision in ("refuse", "release"):
        tokens = [client.post("/v1/tokens", {"card": card()}).body["id"]
                  for _ in range(DELETES_PER_MINUTE + 2)]
        assert 202 in [client.delete(f"/v1/tokens/{token}").status for token in tokens]
        deployment.strongroom("deletes", decision, "--merchant", merchant.id)


def carry_a_witnesss_word(deployment):
    """By hand: a checkpoint without cosignatures, which is no witness's word; so the act fails."""
    with folder() as parent:
        request, answer = parent / "request", parent / "answer"
        deployment.strongroom("audit", "witness-export", "--out", request)
        answer.write_text(request.read_text().partition("\n\n")[2])
        done = subprocess.run([BIN / "strongroom", "audit", "witness-import", request, answer,
                               "--dir", deployment.dir], capture_output=True, text=True)
        assert done.returncode == 2 and "may not do this" in done.stderr
    assert kinds(deployment.audit_entries(event_type="log.witness")) == [
        ("log.witness", "intent", None), ("log.witness", "outcome", "failed")]


def disturb_the_log(deployment):
    """10.2.1.6: the log fails, breaks, stops, and starts behind a torn end."""
    flood(deployment)
    wait_until(lambda: deployment.audit_entries(event_type="log.failure"), "the failure is told")
    deployment.strongroom("audit", "open-shard", "--reason", "a copy was restored")
    assert deployment.stop_one("auditd") == 0
    with open(sorted((deployment.dir / "audit").glob("journal-*"))[-1], "ab") as journal:
        journal.write(b"torn")
    deployment.start_one("auditd")


def end_the_old_key(deployment, folder):
    """10.2.1.7: a version of a key is not trusted any more, and destroyed."""
    old = f"{KEK}/1"
    wait_until(lambda: listed(deployment)[old]["emptied_at"], "no card is under the old key", 120)
    folder.mkdir()
    safe = Safe(folder)
    assert safe.create(deployment.dir).returncode == 0
    shutil.rmtree(safe.keys)
    for row in deployment.strongroom("keys", "backups", "list"):
        if row["kind"] == "keys":
            deployment.strongroom("keys", "backups", "close", row["id"], "--destroyed")
    for command in ("mark-compromised", "destroy"):
        done = tool(deployment, command, old)
        assert done.returncode == 0, done.stdout + done.stderr


def entries_after_a_restore(deployment, tmp_path):
    """10.2.1.7: the log goes on in what is restored from a backup."""
    end_the_old_key(deployment, tmp_path / "before")
    safe = Safe(tmp_path)
    assert safe.create(deployment.dir).returncode == 0
    deployment.supervisor.stop_all()
    copy, config = fresh_copy_of(deployment, tmp_path)
    done = restore_to(copy, safe, "--log", deployment.dir / "audit", "--log-is-final",
                      *config)
    assert done.returncode == 0, done.stderr
    try:
        copy.supervisor.start_all()
        return copy.audit_entries()
    finally:
        copy.supervisor.stop_all()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_every_event_of_requirement_10_2_1_is_logged_with_the_six_facts(database, tmp_path):
    """Each that the format's description names, in the row for which it stands there."""
    assert [number for number, _ in REQUIREMENTS] == [f"10.2.1.{row}" for row in range(1, 8)]
    with running(database, small_limits) as deployment:
        shop = Shop(deployment)
        touch_cards(deployment, shop)
        administer(deployment, shop)
        disturb_the_log(deployment)
        assert deployment.stop_one("gatewayd") == 0  # 10.2.1.7; what was made is told at the start
        assert deployment.strongroom("audit", "verify")["ok"]
        entries = entries_after_a_restore(deployment, tmp_path)
    told = collections.Counter(entry["unmapped"]["event_type"] for entry in entries)
    assert {number: missing for number, events in REQUIREMENTS
            if (missing := [event for event in events if not told[event]])} == {}
    for entry in entries:
        assert_has_six_fields(entry)

    def actors(*events):
        return {entry["actor"]["user"]["uid"] for entry in entries
                if entry["unmapped"]["event_type"] in events}
    assert actors("token.lookup", "token.update") == {shop.merchant.key_id}
    assert {entry["actor"]["user"]["uid"] for entry in entries
            if entry["unmapped"].get("merchant_id") == shop.merchant.id
            and entry["unmapped"]["event_type"] == "token.delete"} == {shop.merchant.key_id}
    assert actors(*ADMINISTRATORS_ACTS) == {f"uid:{os.getuid()}"}


def test_denial_of_a_known_user_is_told_each_time(each_deployment):
    merchant = each_deployment.new_merchant("merchant_user")
    client = each_deployment.gateway(merchant.api_key)
    for _ in range(3):
        assert client.post("/v1/tokens", {"card": card()}).status == 403
    told = each_deployment.audit_entries(event_type="access.denied", merchant_id=merchant.id)
    assert [entry["actor"]["user"]["uid"] for entry in told] == [merchant.key_id] * 3


NO_CREDENTIALS = [{"Authorization": "Bearer sk_test_" + "a" * 52}, {},
                  {"Authorization": "Basic c2s6"}, {"Authorization": "Bearer " + "a" * 300},
                  {"Authorization": "Bearer 4242424242424242"}]


def test_unknown_callers_denials_are_one_entry_per_source_and_minute_with_a_count():
    guesses = 5 * len(NO_CREDENTIALS)
    with running() as deployment:
        edge = doors.edged(deployment)
        for guess in range(guesses):
            edge.credential = NO_CREDENTIALS[guess % len(NO_CREDENTIALS)]
            assert edge.post({"card": card()}).status == 401
        first = deployment.audit_entries(event_type="access.denied")
        assert [entry["unmapped"]["count"] for entry in first] == [1]
        assert first[0]["src_endpoint"] == {"ip": "127.0.0.1"}
        assert deployment.stop_one("authd") == 0  # its windows end with it
        told = deployment.audit_entries(event_type="access.denied")
        assert [entry["unmapped"]["count"] for entry in told] == [1, guesses - 1]
        for entry in told:
            assert_has_six_fields(entry)


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_flipped_byte_is_named(deployment, place):
    """On a copy: auditd need not stop for it."""
    with folder() as parent:
        copy = parent / "copy"
        copy.mkdir()
        for name in ("etc", "audit", "public"):
            source = deployment.dir / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
        journal = next((copy / "audit").glob("journal-*"))
        data = journal.read_bytes()
        frames = [match.start() for match in re.finditer(rb'\{"metadata"', data)]
        index = {"first": 0, "middle": len(frames) // 2, "last": len(frames) - 1}[place]
        verify = [BIN / "strongroom", "audit", "verify", "--dir", copy, "--json"]
        assert subprocess.run(verify, capture_output=True).returncode == 0, "the control failed"
        flip(journal, frames[index] + 40)
        done = subprocess.run(verify, capture_output=True, text=True)
        assert done.returncode == 1
        bad = json.loads(done.stdout)["bad"]
        assert (bad["file"], bad["sequence"]) == (journal.name, index + 1)
        assert bad["offset_bytes"] <= frames[index] + 40 < bad["offset_bytes"] + 20_000
