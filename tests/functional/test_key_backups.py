"""The ledger of backups: which copies of the keys there are and how they ended, as vaultd keeps it
and operators see and steer it."""
import os
import signal
import subprocess

import pytest

from backups import CHECK_FAILED, NOT_REACHABLE, OK, USAGE, Safe, fresh_copy_of, refused, restore_to
from deployment import BIN
from running_deployment import running, wait_until
from vault_keys import KEK, change, tool, wait_closed

LABELS = [f"strongroom/{name}/1" for name in
          ("blind-index", "key-registry", "pan-encryption", "pan-fingerprint")]


def ledger(deployment, *options):
    """{(id, kind): row}"""
    rows = deployment.strongroom("keys", "backups", "list", *options)
    return {(row["id"], row["kind"]): row for row in rows}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_backup_notes_itself_and_is_closed_by_hand(database, tmp_path):
    with running(database) as deployment:
        assert ledger(deployment) == {}
        safe = Safe(tmp_path)
        assert safe.create(deployment.dir).returncode == OK
        rows = ledger(deployment)
        assert sorted(kind for _, kind in rows) == ["data", "keys"]
        (backup,) = {id_ for id_, _ in rows}
        assert all(row["verified_at"] and not row["ending"] for row in rows.values())
        assert rows[backup, "keys"]["holds"] == rows[backup, "data"]["holds"] == LABELS

        added = deployment.strongroom("keys", "backups", "add", "two smart cards")
        assert (added["means"], added["holds"]) == ("two smart cards", LABELS)
        replaced = deployment.strongroom("keys", "backups", "close", backup,
                                         "--replaced-by", added["id"])
        assert (replaced["ending"], replaced["replaced_by"]) == ("replaced", added["id"])
        assert set(ledger(deployment)) == {(backup, "data"), (added["id"], "keys")}
        closed = tool(deployment, "backups", "close", added["id"], "--destroyed")
        assert (closed.returncode, closed.stdout) == (OK, f"{added['id']} is destroyed\n")
        assert set(ledger(deployment)) == {(backup, "data")}
        assert ledger(deployment, "--all")[added["id"], "keys"]["ended_by"] == f"uid:{os.getuid()}"
        shown = tool(deployment, "backups", "list", "--all").stdout
        assert f"replaced by {added['id']}" in shown and "two smart cards" in shown

        entries = deployment.audit_entries(event_type="key.ledger", phase="intent")
        assert [[one["uid"] for one in entry["resources"][1:]] for entry in entries] == [
            ["data", "begin"], ["keys", "begin"], ["data", "verified"], ["keys", "verified"],
            ["keys", "add"], ["keys", "replaced", f"backup {added['id']}"], ["keys", "destroyed"]]
        assert {entry["actor"]["user"]["uid"] for entry in entries} == {f"uid:{os.getuid()}"}
        wait_closed(deployment)
        assert deployment.stop_one("vaultd") == 0
        deployment.start_one("vaultd")
        assert len(ledger(deployment, "--all")) == 3

        change(deployment, "UPDATE backup_ledger SET ending = 'none' WHERE ending = 'destroyed'")
        found = tool(deployment, "check")
        assert found.returncode == 1
        assert "the key registry: its ledger of backups was changed by another hand" in found.stdout
        assert refused(tool(deployment, "backups", "list"), NOT_REACHABLE, "strongroom keys check")


@pytest.mark.parametrize("arguments, words", [
    (("close", "0" * 32, "--destroyed"), "no such backup is in the ledger"),
    (("close", "7", "--destroyed"), "32 hexadecimal digits"),
    (("close", "0" * 32), "say how it has ended"),
    (("close", "0" * 32, "--destroyed", "--replaced-by", "1" * 32), "say how it has ended"),
    (("add", "the card 4242424242424242"), "must not hold a card number"),
    (("add", "two\nlines"), "must be printable text"),
    (("add", "x" * 101), "has 1 to 100 characters"),
])
def test_what_cannot_be_noted_is_said_in_plain_words(deployment, arguments, words):
    before = ledger(deployment, "--all")
    done = tool(deployment, "backups", *arguments)
    assert refused(done, USAGE, words)
    assert done.stdout == "" and "4242" not in done.stderr
    assert ledger(deployment, "--all") == before


def test_without_vaultd_no_keys_are_copied(tmp_path):
    with running() as deployment:
        deployment.stop_one("vaultd")
        safe = Safe(tmp_path)
        assert refused(safe.create(deployment.dir), NOT_REACHABLE,
                       "vaultd does not note this backup of its keys")
        assert not safe.keys.exists() and not safe.data.exists()
        command = [BIN / "strongroom", "backup", "create", "--dir", deployment.dir,
                   "--out", safe.data, "--passphrase", safe.data_secret]
        alone = subprocess.run(command, capture_output=True, text=True)
        assert alone.returncode == OK
        assert "no key is destroyed on its strength" in alone.stderr
        assert safe.verify().returncode == OK
        deployment.start_one("vaultd")
        assert ledger(deployment, "--all") == {}


def test_what_failed_or_was_killed_is_told_apart(tmp_path):
    with running() as deployment:
        link = deployment.dir / "secrets/elsewhere"
        link.symlink_to("/etc/hostname")
        assert Safe(tmp_path).create(deployment.dir).returncode == USAGE
        link.unlink()
        rows = ledger(deployment, "--all")
        assert {kind: (row["ending"], bool(row["verified_at"])) for (_, kind), row in
                rows.items()} == {"data": (None, True), "keys": ("failed", False)}

        (tmp_path / "other").mkdir()
        other = Safe(tmp_path / "other")
        create = subprocess.Popen([str(word) for word in (
            BIN / "strongroom", *other.creating(deployment.dir))], stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)
        wait_until(lambda: [row for (_, kind), row in ledger(deployment).items()
                            if kind == "keys"], "the copy of the keys is noted")
        create.send_signal(signal.SIGKILL)
        create.wait()
        (row,) = [row for (_, kind), row in ledger(deployment).items() if kind == "keys"]
        if not row["verified_at"]:  # else it was faster than its killer
            shown = tool(deployment, "backups", "list").stdout
            assert "not verified" in shown and "any key" in shown
        deployment.strongroom("keys", "backups", "close", row["id"], "--destroyed")
        assert not [kind for _, kind in ledger(deployment) if kind == "keys"]
        wait_closed(deployment)


def started_to_copy_keys(deployment, tmp_path):
    """A backup that stands still before its keys are whole: process, folder, id."""
    for number in range(20):
        path = tmp_path / str(number)
        path.mkdir()
        safe = Safe(path)
        before = set(ledger(deployment, "--all"))
        create = subprocess.Popen([str(word) for word in (
            BIN / "strongroom", *safe.creating(deployment.dir))], stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True)
        wait_until(lambda: [kind for _, kind in set(ledger(deployment)) - before
                            if kind == "keys"], "the copy of the keys is noted")
        create.send_signal(signal.SIGSTOP)
        ((id_, row),) = [(key[0], row) for key, row in ledger(deployment).items()
                         if key not in before and key[1] == "keys"]
        if not row["verified_at"]:
            return create, safe, id_
        create.send_signal(signal.SIGCONT)  # it was faster
        create.communicate()
    raise AssertionError("no backup was slow enough")


def test_what_is_closed_while_it_is_made_is_no_backup(tmp_path):
    with running() as deployment:
        create, safe, backup = started_to_copy_keys(deployment, tmp_path)
        deployment.strongroom("keys", "backups", "close", backup, "--destroyed")
        create.send_signal(signal.SIGCONT)
        _, said = create.communicate(timeout=300)
        assert create.returncode == CHECK_FAILED
        assert f"somebody has closed {backup} meanwhile" in said
        assert "of the keys there is no backup; that of the data is whole" in said
        assert not safe.keys.exists() and safe.verify().returncode == OK
        row = ledger(deployment, "--all")[backup, "keys"]
        assert (row["ending"], row["verified_at"]) == ("destroyed", None)
        wait_closed(deployment)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_restored_ledger_knows_the_copy_of_its_keys(database, tmp_path):
    with running(database) as original:
        safe = Safe(tmp_path)
        assert safe.create(original.dir).returncode == OK
        (backup,) = [id_ for id_, kind in ledger(original) if kind == "keys"]
        original.supervisor.stop_all()
        copy, config = fresh_copy_of(original, tmp_path)
        done = restore_to(copy, safe, "--log", original.dir / "audit", "--log-is-final", *config)
        assert done.returncode == OK, done.stderr
        try:
            copy.supervisor.start_all()
            row = ledger(copy)[backup, "keys"]
            assert row["verified_at"] is None and row["ending"] is None
            assert copy.strongroom("keys", "check")["ok"]
            assert copy.strongroom("keys", "list")["trouble"] is None
            assert f"{KEK}/1" in tool(copy, "list").stdout
        finally:
            copy.supervisor.stop_all()
