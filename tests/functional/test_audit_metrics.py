"""What the metrics of the audit log say is so: each is held against what can be known without them.
The log lies on a disk of its own, which can be slow, and has a witness.
"""
import base64
import contextlib
import os
import threading
import time

import pytest

import frozen_disk
import leak_scan
import witness as witnesses
from aftermath import Aftermath
from card_load import CardLoad, card_body
from running_deployment import running, wait_until

DISK_MEGABYTES = 64
FILLER_BYTES = 16 << 20
CLIENTS = 8
PULSES = 8
PULSE_SECONDS = 0.25  # above what alarms (docs/operating.md), below what counts as absent
ALARM_SECONDS = 0.1
LOOK_SECONDS = 2      # audit-relay looks once a second


@contextlib.contextmanager
def on_own_disk_with_witness(deployment):
    with frozen_disk.under(deployment.dir / "audit", DISK_MEGABYTES), \
            witnesses.running(deployment.dir.parent) as witness:
        witness.know((deployment.dir / "public/audit.vkey").read_text().strip())
        deployment.configure("auditd", f'witnesses = ["{witness.vkey}"]')
        deployment.configure("audit-relay",
                             f'witnesses = {{ w1 = "127.0.0.1:{witness.port}" }}',
                             f'witness_ca = "{witness.ca_cert}"')
        deployment.witness = witness
        yield


@pytest.fixture(scope="module")
def deployment():
    with running(around=on_own_disk_with_witness) as made:
        yield made


def auditd(deployment, name):
    return deployment.metrics("auditd")[f"strongroom_audit_{name}"]


def relay(deployment, name):
    return deployment.metrics("audit-relay")[f"strongroom_audit_{name}"]


def quiet(deployment):
    """Waits until nothing is on its way into the log; (entries of it, metrics of auditd)."""
    def same():
        before = deployment.metrics("auditd")
        entries = len(deployment.audit_entries())
        time.sleep(0.3)
        after = deployment.metrics("auditd")
        return before == after and (entries, after)
    return wait_until(same, "quiet")


def add_cards(deployment, count):
    client = deployment.gateway()
    for _ in range(count):
        assert client.post("/v1/tokens", card_body(leak_scan.generate_pan())).status == 201


def grown(before, after, name):
    return after[f"strongroom_audit_{name}"] - before[f"strongroom_audit_{name}"]


def at_most(before, after, name, bound):
    """How many of a histogram's new values are no greater than a bound of its buckets."""
    return grown(before, after, f'{name}_bucket{{le="{bound:g}"}}')


def test_entries_and_groups_are_those_of_the_journal(deployment):
    entries, before = quiet(deployment)
    begin = time.monotonic()
    clients = [threading.Thread(target=add_cards, args=(deployment, 20)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seconds = time.monotonic() - begin
    entries_after, after = quiet(deployment)
    written = entries_after - entries
    assert written >= CLIENTS * 20 * 2  # each card's intent and outcome
    assert grown(before, after, "entries_total") == written
    assert grown(before, after, "group_entries_sum") == written
    assert after["strongroom_audit_sequence"] == entries_after
    groups = grown(before, after, "group_entries_count")
    assert groups == at_most(before, after, "group_entries", 1024)
    assert groups < written, "clients at once share groups"
    assert at_most(before, after, "group_entries", 1) < groups
    assert grown(before, after, "group_seconds_count") == groups
    assert 0 < grown(before, after, "group_seconds_sum") < seconds + 1, "one group after the other"
    assert after["strongroom_audit_open_intents"] == 0


def test_checkpoint_age_grows_until_something_is_signed(deployment):
    add_cards(deployment, 1)
    quiet(deployment)
    record = deployment.dir / "audit/last-signed"

    def true_age(earlier):
        """Whether it is as old; what is shown is its age in whole seconds when it was looked at."""
        shown = relay(deployment, "checkpoint_age_seconds")
        age = time.time() - record.stat().st_mtime
        assert age < LOOK_SECONDS or age - LOOK_SECONDS - 1 <= shown <= age, (shown, age)
        return age >= earlier

    wait_until(lambda: true_age(5), "it grows")
    add_cards(deployment, 1)
    wait_until(lambda: relay(deployment, "checkpoint_age_seconds") <= 1, "something is signed")


def grow_operators_log(deployment):
    """The one that is witnessed: it is told of who reads."""
    deployment.strongroom("audit", "search", "--limit", "1")


def cosigned_at(witness, origin):
    """The Unix time in the witness's cosignature of the newest checkpoint (C2SP tlog-cosignature):
    behind the key's four bytes.
    """
    _, _, note = witness.checkpoint(origin)
    line = next(line for line in note.splitlines() if line.startswith(f"\u2014 {witnesses.NAME} "))
    return int.from_bytes(base64.b64decode(line.rsplit(" ", 1)[1])[4:12], "big")


def test_witnessed_time_is_that_of_the_newest_cosignature(deployment):
    witness = deployment.witness
    (origin,) = witness.logs()
    begin = int(time.time())
    grow_operators_log(deployment)
    wait_until(lambda: cosigned_at(witness, origin) >= begin, "the new checkpoint is cosigned")
    wait_until(lambda: auditd(deployment, "witnessed_time_seconds") >= begin, "auditd knows")
    quiet(deployment)
    assert auditd(deployment, "witnessed_time_seconds") == cosigned_at(witness, origin)
    assert begin <= cosigned_at(witness, origin) <= time.time()
    failing = 'witness_failing{witness="w1"}'
    assert relay(deployment, failing) == 0
    witness.kill()
    grow_operators_log(deployment)
    wait_until(lambda: relay(deployment, failing) == 1, "it is away")
    witness.start()
    wait_until(lambda: relay(deployment, failing) == 0, "it is back")


def test_free_space_is_the_disks(deployment):
    def true_space():
        disk = os.statvfs(deployment.dir / "audit")
        return relay(deployment, "bytes_free") == disk.f_bavail * disk.f_frsize

    wait_until(true_space, "what the disk has")
    filler = deployment.dir / "audit/filler"
    before = relay(deployment, "bytes_free")
    filler.write_bytes(bytes(FILLER_BYTES))
    os.sync()
    wait_until(lambda: relay(deployment, "bytes_free") <= before - FILLER_BYTES, "less is free")
    wait_until(true_space, "what the disk has now")
    filler.unlink()
    wait_until(lambda: relay(deployment, "bytes_free") > before - FILLER_BYTES, "it is free again")


def test_a_slow_disk_is_told_and_no_failure(deployment):
    """What would wait for it with a card in memory for over 100 ms is shed; all else goes on."""
    _, before = quiet(deployment)
    folder = deployment.dir / "audit"
    with CardLoad(deployment) as load:
        for _ in range(PULSES):
            known = len(load.promised_cards)
            wait_until(lambda: len(load.promised_cards) > known, "it goes on")
            with frozen_disk.frozen(folder):
                time.sleep(PULSE_SECONDS)
    _, after = quiet(deployment)
    assert load.failures[1] == 0 and load.unexpected == []
    groups = grown(before, after, "group_seconds_count")
    slow = groups - at_most(before, after, "group_seconds", ALARM_SECONDS)
    assert slow >= PULSES, "each pulse met a group"
    assert groups - at_most(before, after, "group_seconds", 2) == 0
    assert grown(before, after, "group_seconds_sum") >= PULSES * ALARM_SECONDS
    assert deployment.failing_checks("auditd") == set()
    assert deployment.audit_entries(event_type="log.failure") == []
    Aftermath(deployment, load).assert_all()
