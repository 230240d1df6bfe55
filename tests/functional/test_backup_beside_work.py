"""Backups of a deployment that works on meanwhile: what they hold fits together all the same."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from backups import CHECK_FAILED, OK, USAGE, Safe, added, refused, told_of_backups
from card_load import CardLoad
from deployment import BIN
from running_deployment import RunningDeployment, running, wait_until

COPIES = 3
BLOCK_BYTES, BLOCK_SECONDS = 1 << 14, 0.02
TURN_SECONDS, REST_SECONDS = 0.00005, 1.2


@pytest.fixture
def safe(tmp_path):
    return Safe(tmp_path)


@pytest.fixture(scope="module")
def busy():
    with running() as deployment:
        for _ in range(30):
            deployment.new_merchant()  # each has a log of its own to be copied first
        yield deployment


@contextlib.contextmanager
def stopped_before_copying(process, part):
    """The backup has chosen what goes into `part`, and has yet to copy it. It runs for a moment at
    a time, on the processor that looks."""
    chosen, anywhere = False, os.sched_getaffinity(0)
    for pid in (0, process.pid):
        os.sched_setaffinity(pid, {min(anywhere)})
    while not chosen and process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        chosen = part.exists()
        if chosen:
            yield
        process.send_signal(signal.SIGCONT)
        time.sleep(TURN_SECONDS)
    for pid in (0, process.pid):
        os.sched_setaffinity(pid, anywhere)
    assert chosen


def creating_up_to_the_log(directory, safe):
    command = [BIN / "strongroom", *safe.creating(directory), "--json"]
    create = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    while create.stderr.readline() not in ("strongroom: audit log\n", ""):
        pass
    return create


def test_a_slow_backup_of_a_busy_deployment_fits_together(busy, safe):
    client = busy.gateway()
    create = creating_up_to_the_log(busy.dir, safe)
    with stopped_before_copying(create, safe.data / "log.part"):
        signed = (busy.dir / "audit/last-signed").read_text()
        added(client, 20)
        wait_until(lambda: (busy.dir / "audit/last-signed").read_text() != signed, "it is replaced")
        time.sleep(REST_SECONDS)
    _, reason = create.communicate()
    assert create.returncode == OK, reason
    assert safe.verify().returncode == OK


def test_what_is_no_file_is_named_and_a_whole_backup_is_kept(busy, safe, tmp_path_factory):
    added(busy.gateway(), 1)
    link = busy.dir / "secrets/elsewhere"
    link.symlink_to("/etc/hostname")
    try:
        done = safe.create(busy.dir)
    finally:
        link.unlink()
    assert refused(done, USAGE, f"{link}: neither a file nor a folder",
                   "of the keys there is no backup")
    (data,) = json.loads(done.stdout)
    assert data["kind"] == "data" and safe.verify().returncode == OK
    assert not safe.keys.exists()
    outcomes = {kind: [entry["unmapped"]["outcome"] for entry in
                       told_of_backups(busy, kind)][-1]
                for kind in ("backup.create", "key.backup")}
    assert outcomes == {"backup.create": "success", "key.backup": "failed"}

    other = Safe(tmp_path_factory.mktemp("other"))
    link = busy.dir / "public/elsewhere"
    link.symlink_to("/etc")
    try:
        assert refused(other.create(busy.dir), USAGE,
                       f"{link}: neither a file nor a folder")
    finally:
        link.unlink()


def takes_nothing(deployment):
    try:
        return deployment.failing_checks("auditd") == {"journal", "history"}
    except OSError:  # it does not answer yet
        return False


def copy_in_order(log, copy):
    """As docs/operating.md says; the journal as over a slow line, block by block."""
    def take(*paths):
        for path in paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    target = copy / file.relative_to(log)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, target)

    take(*log.glob("snapshot"), log / "checkpoints")
    take(log / "last-signed")
    take(log / "trees")
    for segment in sorted(log.glob("journal-*.log")):
        with open(segment, "rb") as source, open(copy / segment.name, "wb") as target:
            while block := source.read(BLOCK_BYTES):
                target.write(block)
                time.sleep(BLOCK_SECONDS if b"\0" * 64 in block else 0)
    take(*log.glob("archive"))


def end_of(restored):
    report = json.loads(restored.stdout)
    return report["log_end"], report["log_end_at"]


def test_a_copy_that_was_made_under_load_is_taken_and_may_go_back(safe, tmp_path):
    with running() as original:
        client = original.gateway()
        erased, kept, late = added(client, 5), added(client, 5), added(client, 1)
        assert safe.create(original.dir).returncode == OK
        for token in erased:
            assert client.delete(f"/v1/tokens/{token}").status == 204
        copies = [tmp_path / f"copy {n}" for n in range(COPIES)]
        with CardLoad(original, workers=2):
            for copy in copies:
                copy_in_order(original.dir / "audit", copy)
        assert original.gateway().delete(f"/v1/tokens/{late[0]}").status == 204
        original.supervisor.stop_all()

        for number, copy in enumerate(copies):
            target = RunningDeployment(original.dir.parent / f"restored {number}")
            done = safe.restore(target.dir, "--log", copy)
            assert done.returncode == OK, done.stderr
            end, at = end_of(done)
            assert f"{copy}: ends with entry {end} of {at}" in done.stderr
            assert json.loads(done.stdout)["due_erasures"] >= len(erased)
        try:
            target.start_one("auditd", ready=False)
            wait_until(lambda: takes_nothing(target), "nothing is taken before the break is told")
            target.strongroom("audit", "open-shard", "--reason", "the last copy")
            assert target.stop_one("auditd") == 0
            target.supervisor.start_all()
            client = target.gateway()
            assert {client.get(f"/v1/tokens/{token}").status for token in erased} == {410}
            assert {client.get(f"/v1/tokens/{token}").status for token in [*kept, *late]} == {200}
            assert target.strongroom("audit", "verify")["ok"]
        finally:
            target.supervisor.stop_all()


def test_a_final_log_lacks_nothing_that_was_signed_for(tmp_path):
    safe = Safe(tmp_path)
    with running() as original:
        assert safe.create(original.dir).returncode == OK
        added(original.gateway(), 3)
        original.supervisor.stop_all()
        log = original.dir / "audit"
        journal = max(log.glob("journal-*.log"))
        whole = journal.read_bytes()
        end = len(whole.rstrip(b"\0"))
        last = whole.rindex(b'"log.stop"')
        target = original.dir.parent / "restored"
        # Torn or cut, what was signed for is gone; a torn end behind it never was anything.
        for damaged in (whole[:last] + bytes(len(whole) - last), whole[:end - 1] + b"?"):
            journal.write_bytes(damaged)
            for final in ([], ["--log-is-final"]):
                assert refused(safe.restore(target, "--log", log, *final), CHECK_FAILED,
                               "not intact")
        journal.write_bytes(whole[:end] + b"torn")
        assert safe.restore(target, "--log", log, "--log-is-final").returncode == OK
        (log / "trees/link").symlink_to("/etc")
        assert refused(safe.restore(target.with_name("two"), "--log", log), USAGE,
                       f"{log}/trees/link: neither a file nor a folder")


def test_a_backup_that_is_not_what_the_log_names_is_refused(safe):
    with running() as original:
        create = creating_up_to_the_log(original.dir, safe)
        with stopped_before_copying(create, safe.data / "log.part"):
            (begun,) = told_of_backups(original, "backup.create")
            said = {"id": begun["resources"][0]["uid"].removeprefix("backup "), "kind": "data",
                    "act": "end", "parts": [], "sha256": "ab" * 32}
            assert original.admin("auditd", "POST", "/v1/backups", said)[0] == 200
        _, reason = create.communicate()
        assert create.returncode == OK, reason
        original.supervisor.stop_all()
        done = safe.restore(original.dir.parent / "restored", "--log", original.dir / "audit")
        assert refused(done, CHECK_FAILED, f"{safe.data}/manifest: not what the log says")


def test_what_was_archived_since_is_put_back_for_a_restore(tmp_path):
    def archives_at_once(deployment):
        text = deployment.config.read_text()
        deployment.config.write_text(
            text.replace("archive_key =", "at_hand_days = 0\nkeep_days = 0\narchive_key =", 1))
        return contextlib.nullcontext()

    safe = Safe(tmp_path)
    with running(around=archives_at_once) as original:
        client = original.gateway()
        (erased,) = added(client, 1)
        assert safe.create(original.dir).returncode == OK
        assert client.delete(f"/v1/tokens/{erased}").status == 204
        assert original.strongroom("audit", "archive")["archived"] == 1
        original.supervisor.stop_all()
        log, target = original.dir / "audit", original.dir.parent / "restored"
        done = safe.restore(target, "--log", log, "--log-is-final")
        assert refused(done, USAGE, f"{log}: what was erased right after the backup is in archives",
                       "open-archive")
        for archive in (log / "archive").iterdir():
            opened = original.strongroom(
                "audit", "open-archive", archive, "--key",
                original.dir / "data/auditd/archive.sealed", "--passphrase",
                original.dir / "secrets/auditd.passphrase", "--out", tmp_path / archive.name)
            shutil.copy(opened["file"], log)
        done = safe.restore(target, "--log", log, "--log-is-final")
        assert done.returncode == OK, done.stderr
        assert json.loads(done.stdout)["due_erasures"] == 1


def test_a_vaultd_with_peers_is_not_backed_up_alone(busy, tmp_path):
    before = busy.config.read_text()
    busy.configure("vaultd", 'name = "a"', 'peers = { b = "127.0.0.1:1" }')
    try:
        assert refused(Safe(tmp_path).create(busy.dir), USAGE, "[vaultd] has peers")
    finally:
        busy.config.write_text(before)
