"""Backup and restore with real processes: what was there comes back, what was erased stays erased,
and what is not whole, not this deployment's or not this program's is refused."""
import contextlib
import datetime
import json
import os
import shutil
import subprocess
import time

import pytest

import small_disk
from backups import (CHECK_FAILED, DATABASES, NOT_REACHABLE, OK, USAGE, Safe, added, card,
                     fresh_copy_of, refused, restore_to, told_of_backups)
from card_load import CardLoad
from deployment import BIN
from running_deployment import RunningDeployment, folder, running, wait_until

ERASED, FOUND, UNKNOWN = 410, 200, 404
GONE, HELD = 204, 202
DELETES = 6  # in a minute, of one key


@pytest.fixture
def safe(tmp_path):
    return Safe(tmp_path)


def statuses(client, tokens):
    return {client.get(f"/v1/tokens/{token}").status for token in tokens}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_was_there_is_back_and_what_was_erased_is_not(database, safe, tmp_path):
    with running(database) as original:
        client = original.gateway()
        shop = original.new_merchant()
        dead_key = original.new_key(shop.id)
        kept, erased_before, erased_after = (added(client, n) for n in (40, 3, 20))
        for token in erased_before:
            assert client.delete(f"/v1/tokens/{token}").status == 204
        with CardLoad(original) as load:
            time.sleep(0.5)
            made = safe.create(original.dir)
        assert made.returncode == OK, made.stderr
        assert load.unexpected == []
        for token in erased_after:
            assert client.delete(f"/v1/tokens/{token}").status == 204
        added_after = added(client, 5)
        original.strongroom("api-keys", "revoke", dead_key["id"])
        told = [(entry["unmapped"]["event_type"], entry["api"]["operation"],
                 entry["unmapped"]["outcome"], entry["actor"]["user"]["uid"].split(":")[0])
                for kind in ("backup.create", "key.backup")
                for entry in told_of_backups(original, kind)]
        assert told == [(kind, act, "success", "uid") for kind in ("backup.create", "key.backup")
                        for act in ("begin", "end")]
        loaded = [(min(one.tokens), one.delete_sent) for one in load.promised_cards]
        found_after = statuses(client, [token for token, sent in loaded if not sent])
        assert found_after <= {FOUND}
        original.supervisor.stop_all()

        data, keys = json.loads(made.stdout)
        assert (data["kind"], keys["kind"]) == ("data", "keys") and data["id"] == keys["id"]
        assert {part["name"] for part in data["parts"]} == {*DATABASES, "files", "log"}
        assert safe.verify().returncode == OK

        copy, config = fresh_copy_of(original, tmp_path)
        done = restore_to(copy, safe, "--log", original.dir / "audit", "--log-is-final",
                          *config)
        assert done.returncode == OK, done.stderr
        report = json.loads(done.stdout)
        assert report["due_erasures"] >= len(erased_after)
        assert (report["revocations"], report["lost_holds"]) == (1, 0)
        try:
            copy.supervisor.start_all()
            assert copy.gateway(dead_key["key"]).get("/v1/api-keys").status == 401
            assert copy.gateway(shop.api_key).get("/v1/api-keys").status == 200
            client = copy.gateway()
            assert statuses(client, kept) == {FOUND}
            assert statuses(client, erased_before) == statuses(client, erased_after) == {ERASED}
            assert statuses(client, added_after) == {UNKNOWN}
            # Cards that came while the databases were dumped: there or not, but never back.
            assert statuses(client, [token for token, sent in loaded if not sent]) <= {FOUND,
                                                                                      UNKNOWN}
            assert statuses(client, [token for token, sent in loaded if sent]) <= {ERASED, UNKNOWN}
            assert copy.vault_rows("SELECT COUNT(*) FROM due_erasures") == [(0,)]
            assert client.post("/v1/tokens", card()).status == 201
            assert copy.strongroom("audit", "verify")["ok"]
            again = {entry["unmapped"]["gateway_token"]
                     for entry in copy.audit_entries(event_type="token.delete", outcome="done")
                     if entry["api"]["operation"] == "restore"}
            assert again >= set(erased_after) and not again & set(kept)
            restores = copy.audit_entries(event_type="backup.restore")
            assert {entry["actor"]["app_uid"] for entry in restores} == {
                "auditd", *DATABASES.values()}
        finally:
            copy.supervisor.stop_all()


@contextlib.contextmanager
def few_deletes(deployment):
    deployment.configure("vaultd", f"deletes_per_minute_key = {DELETES}",
                         "purge_expired_after_hours = 0")
    yield


def test_what_was_purged_and_released_since_is_gone_again(safe):
    with running(around=few_deletes) as original:
        client = original.gateway()
        over = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=40)
        purged = [client.post("/v1/tokens", card() | {
            "expires_at": over.strftime("%Y-%m-%dT%H:%M:%SZ")}).body["id"] for _ in range(3)]
        deleted = added(client, DELETES + 4)
        made = safe.create(original.dir)
        assert made.returncode == OK, made.stderr
        assert statuses(client, [*purged, *deleted]) == {FOUND}, "all of it is after the backup"

        answers = {token: client.delete(f"/v1/tokens/{token}").status for token in deleted}
        released = [token for token, status in answers.items() if status == HELD]
        assert released and set(answers.values()) == {HELD, GONE}
        (row,) = original.strongroom("deletes", "list")
        original.strongroom("deletes", "release", "--merchant", row["merchant"])
        wait_until(lambda: statuses(client, released) == {ERASED}, "the released ones are erased")
        wait_until(lambda: statuses(client, purged) == {ERASED} and original.vault_rows(
            "SELECT count(*) FROM cards WHERE deleted_at IS NOT NULL") == [
                (len(deleted) + len(purged),)], "the expired ones are purged", seconds=60)
        lost = added(client, DELETES + 3)
        held = [token for token in lost if client.delete(f"/v1/tokens/{token}").status == HELD]
        assert held
        original.supervisor.stop_all()

        copy = RunningDeployment(original.dir.parent / "restored")
        done = safe.restore(copy.dir, "--log", original.dir / "audit", "--log-is-final")
        assert done.returncode == OK, done.stderr
        report = json.loads(done.stdout)
        assert report["lost_holds"] == len(held)
        assert report["due_erasures"] == len(purged) + len(deleted) + len(lost) - len(held)
        try:
            copy.supervisor.start_all()
            assert statuses(copy.gateway(), [*purged, *deleted]) == {ERASED}
            assert copy.vault_rows("SELECT count(*) FROM cards WHERE deleted_at IS NULL") == [(0,)]
            for kind, tokens in (("token.expire", purged), ("token.delete", deleted)):
                again = {entry["unmapped"]["gateway_token"]
                         for entry in copy.audit_entries(event_type=kind, outcome="done")
                         if entry["api"]["operation"] == "restore"}
                assert again == set(tokens)
        finally:
            copy.supervisor.stop_all()


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory):
    """A deployment at rest, and a backup of it."""
    safe = Safe(tmp_path_factory.mktemp("safe"))
    with running() as deployment:
        added(deployment.gateway(), 3)
        made = safe.create(deployment.dir)
        assert made.returncode == OK, made.stderr
        deployment.supervisor.stop_all()
        yield deployment, safe


@pytest.fixture
def target():
    with folder() as path:
        yield path / "target"


@pytest.mark.parametrize("name", ["vault.part", "log.part", "key", "manifest"])
def test_half_a_backup_is_refused_by_the_name_of_what_is_missing(backed_up, tmp_path, target, name):
    _, safe = backed_up
    half = tmp_path / "half"
    shutil.copytree(safe.data, half)
    (half / name).unlink()
    assert refused(safe.verify(half), CHECK_FAILED, f"{half}/{name}: missing")
    assert refused(safe.restore(target, "--log-is-lost", data=half), CHECK_FAILED, name)
    assert not target.exists()


@pytest.mark.parametrize("name", ["auth.part", "core.part", "vault.part", "files.part", "log.part",
                                  "manifest"])
def test_a_byte_that_was_changed_is_found_in_its_part(backed_up, tmp_path, target, name):
    _, safe = backed_up
    changed = tmp_path / "changed"
    shutil.copytree(safe.data, changed)
    part = changed / name
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    assert refused(safe.verify(changed), CHECK_FAILED, f"{changed}/{name}: altered")
    assert refused(safe.restore(target, "--log-is-lost", data=changed), CHECK_FAILED, name)
    assert not target.exists()


def test_parts_of_two_backups_are_not_mixed(backed_up, tmp_path):
    deployment, safe = backed_up
    deployment.supervisor.start_all()
    other = Safe(tmp_path)
    try:
        assert other.create(deployment.dir).returncode == OK
    finally:
        deployment.supervisor.stop_all()
    shutil.copy(safe.data / "vault.part", other.data / "vault.part")
    assert refused(other.verify(), CHECK_FAILED, f"{other.data}/vault.part: altered")


def test_another_deployments_keys_and_log_are_refused(backed_up, tmp_path, target):
    _, safe = backed_up
    other = Safe(tmp_path)
    with running() as stranger:
        assert other.create(stranger.dir).returncode == OK
        stranger.supervisor.stop_all()
        assert refused(safe.restore(target, "--log-is-lost", keys=other.keys), CHECK_FAILED,
                       "of another deployment")
        assert refused(safe.restore(target, "--log", stranger.dir / "audit"), CHECK_FAILED,
                       "not this deployment's log")
    assert refused(safe.restore(target, "--log-is-lost", keys=safe.data), USAGE, "does not open it")
    assert not target.exists()


def test_a_log_that_is_still_written_is_refused(backed_up, target):
    deployment, safe = backed_up
    log = deployment.dir / "audit"
    deployment.start_one("auditd")
    try:
        assert refused(safe.restore(target, "--log", log), USAGE, f"{log}: auditd runs on it")
    finally:
        assert deployment.stop_one("auditd") == 0
    assert not target.exists()


def test_a_log_older_than_the_backups_is_refused(backed_up, tmp_path, target):
    deployment, safe = backed_up
    shutil.copytree(deployment.dir / "audit", tmp_path / "older")
    other = Safe(tmp_path)
    deployment.supervisor.start_all()
    try:
        added(deployment.gateway(), 3)
        assert other.create(deployment.dir).returncode == OK
    finally:
        deployment.supervisor.stop_all()
    assert refused(other.restore(target, "--log", tmp_path / "older"), CHECK_FAILED,
                   "before the backup's own log")
    assert not target.exists()
    assert refused(other.restore(target), USAGE), "which log it is must be said"


def test_a_schema_newer_than_the_daemon_is_refused(backed_up, target):
    deployment, safe = backed_up
    command = [str(BIN / "vaultd"), "--config", str(deployment.config)]
    deployment.start_one("auditd")
    try:
        dump = subprocess.run([*command, "--dump"], capture_output=True, timeout=60,
                              check=True).stdout
    finally:
        assert deployment.stop_one("auditd") == 0
    assert dump[:8] == b"SRDUMP01"
    newer = dump[:8] + (99).to_bytes(8, "big") + dump[16:]
    (deployment.dir / "data/vaultd").rename(deployment.dir / "data/kept")
    (deployment.dir / "data/vaultd").mkdir(mode=0o700)
    try:
        for content, reason in ((newer, b"dump's schema is newer than this program"),
                                (dump, b"not followed by what was erased since"),
                                (dump[:-40], b"cut short")):
            loaded = subprocess.run([*command, "--load"], input=content, capture_output=True,
                                    timeout=60)
            assert loaded.returncode == USAGE and reason in loaded.stderr, loaded.stderr
    finally:
        shutil.rmtree(deployment.dir / "data/vaultd")
        (deployment.dir / "data/kept").rename(deployment.dir / "data/vaultd")


def test_a_folder_that_is_not_empty_is_left_as_it_is(backed_up, target):
    deployment, safe = backed_up
    before = sorted(path.name for path in deployment.dir.iterdir())
    assert refused(safe.restore(deployment.dir, "--log-is-lost"), USAGE, "is not an empty folder")
    assert sorted(path.name for path in deployment.dir.iterdir()) == before
    assert refused(safe.create(deployment.dir), USAGE, "is not an empty folder")


def test_a_restore_that_is_killed_serves_nothing_and_says_what_to_do(backed_up, target):
    deployment, safe = backed_up
    command = [str(BIN / "strongroom"), *map(str, safe.restoring(target, "--log-is-lost"))]
    restore = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (target / "restoring").exists() and restore.poll() is None:
        time.sleep(0.001)
    restore.kill()
    assert restore.wait() != OK
    time.sleep(0.5)  # a daemon that was filling its database sees the end of its input
    assert not (target / "etc/strongroom.toml").exists()
    assert refused(safe.restore(target, "--log-is-lost"), USAGE,
                   "a restore runs here, or was cut off", f"remove all of {target}")
    shutil.rmtree(target)
    assert safe.restore(target, "--log-is-lost").returncode == OK


def takes_nothing(deployment):
    try:
        return deployment.failing_checks("auditd") == {"journal", "history"}
    except OSError:  # it does not answer yet
        return False


def test_a_log_that_goes_back_takes_nothing_before_the_break_is_recorded(backed_up, target,
                                                                         tmp_path):
    deployment, safe = backed_up
    assert safe.restore(target, "--log-is-lost").returncode == OK
    copy = RunningDeployment(target)
    before = copy.audit_entries()
    try:
        for _ in range(2):
            copy.start_one("auditd", ready=False)
            wait_until(lambda: takes_nothing(copy), "auditd refuses")
            assert copy.audit_entries() == before, "nothing is signed again, not even log.start"
            assert copy.stop_one("auditd") == 0
        copy.start_one("auditd", ready=False)
        wait_until(lambda: takes_nothing(copy), "auditd refuses")
        copy.strongroom("audit", "open-shard", "--reason", "disk lost")
        assert copy.stop_one("auditd") == 0
        copy.supervisor.start_all()
        assert copy.gateway().post("/v1/tokens", card()).status == 201
        assert copy.strongroom("audit", "verify")["ok"]
        (broken,) = copy.audit_entries(event_type="log.break")
        assert broken["unmapped"]["reason"] == "disk lost"
        assert {entry["actor"]["app_uid"] for entry in
                copy.audit_entries(event_type="backup.restore")} == {"auditd", *DATABASES.values()}
        added(copy.gateway(), 40)  # longer than the log that it has left
    finally:
        copy.supervisor.stop_all()
    other = Safe(tmp_path)
    deployment.supervisor.start_all()
    try:
        assert other.create(deployment.dir).returncode == OK
    finally:
        deployment.supervisor.stop_all()
    third = target.parent / "third"
    assert refused(other.restore(third, "--log", target / "audit"), CHECK_FAILED,
                   f"{target}/audit: does not go on from the backup's log")
    assert not third.exists()


def test_nothing_is_backed_up_that_is_not_recorded(backed_up, safe):
    deployment, _ = backed_up
    assert refused(safe.create(deployment.dir), NOT_REACHABLE, "vaultd does not note")
    assert refused(safe.create_data(deployment.dir), NOT_REACHABLE, "auditd does not record")
    assert not safe.data.exists() and not safe.keys.exists()
    safe.keys_secret.write_text(safe.data_secret.read_text())
    assert refused(safe.create(deployment.dir), USAGE, "the same passphrase")


def leave_room(place, size_bytes):
    """Fills the disk under `place` but for so much."""
    with contextlib.suppress(OSError), open(place / "filler", "wb", buffering=0) as filler:
        while filler.write(bytes(4096)) == 4096:
            pass
    os.truncate(place / "filler", (place / "filler").stat().st_size - size_bytes)


def test_a_disk_that_fills_ends_in_no_backup_and_is_told(backed_up, tmp_path):
    deployment, _ = backed_up
    place = tmp_path / "disk"
    place.mkdir()
    with small_disk.under(place, megabytes=1):
        full = Safe(place)
        leave_room(place, 32 << 10)
        deployment.supervisor.start_all()
        try:
            assert refused(full.create(deployment.dir), USAGE, f"{full.data}")
        finally:
            deployment.supervisor.stop_all()
        assert not full.data.exists() and not full.keys.exists()
    begun, ended = told_of_backups(deployment, "backup.create")[-2:]
    assert (begun["api"]["operation"], begun["unmapped"]["outcome"]) == ("begin", "success")
    assert (ended["api"]["operation"], ended["unmapped"]["outcome"]) == ("end", "failed")
    assert begun["resources"][0] == ended["resources"][0]


def test_a_backup_tells_nothing_to_who_lacks_its_passphrase(backed_up):
    _, safe = backed_up
    content = b"".join(path.read_bytes() for path in
                       (*safe.data.iterdir(), *safe.keys.iterdir()))
    for word in (b"strongroom.local", b"token.create", b"SRJOURN", b"SRDUMP", b"mer_", b"uid:"):
        assert word not in content
