"""What a deletion comes to: when the key is destroyed under which a card once stood, no copy of the
database gives it back, however old; every other card is there."""
import contextlib
import shutil
import signal

import pytest

from backups import CHECK_FAILED, OK, USAGE, Safe, added, fresh_copy_of, refused, restore_to
from deployment import DeploymentError
from immutable import remove_folder
from running_deployment import running, wait_until
from vault_keys import (KEK, active, change, listed, states, token_files, told_of_keys, tool,
                        wait_closed)

ERASED, FOUND = 410, 200
EMPTIED_SECONDS = 120
DESTROYED_SECONDS = 60
OLD = f"{KEK}/1"
CARD = ("wrapped_dek", "kek_version", "card_sealed", "token_sealed", "merchant_sealed",
        "details_sealed", "fingerprint_odd", "fingerprint_even", "deleted_at")


def statuses(client, tokens):
    return {client.get(f"/v1/tokens/{token}").status for token in tokens}


def assert_does_not_open(client, token):
    answer = client.get(f"/v1/tokens/{token}")
    assert (answer.status, answer.problem) == (503, "hsm-unavailable"), answer


def safe_in(path):
    path.mkdir()
    return Safe(path)


def rotated_and_empty(deployment):
    deployment.strongroom("keys", "rotate", KEK)
    wait_until(lambda: listed(deployment)[OLD]["emptied_at"], "no card is under the old key",
               EMPTIED_SECONDS)


def rows(deployment):
    return {row[0]: row[1:] for row in deployment.vault_rows(
        f"SELECT token_id, {', '.join(CARD)} FROM cards")}


def literal(value, sqlite):
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return f"X'{value.hex()}'" if sqlite else f"'\\x{value.hex()}'::bytea"


def put_back(deployment, token_id, row, sqlite):
    """As somebody could who has an older copy of the database, and writes to this one."""
    values = ", ".join(f"{name} = {literal(value, sqlite)}" for name, value in zip(CARD, row))
    change(deployment, f"UPDATE cards SET {values} WHERE token_id = {literal(token_id, sqlite)}")


def ids_of_keys(deployment):
    return [row["id"] for row in deployment.strongroom("keys", "backups", "list")
            if row["kind"] == "keys"]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_copy_of_the_database_gives_a_deleted_card_back(database, tmp_path):
    old, since, newest = (safe_in(tmp_path / name) for name in ("old", "since", "newest"))
    with running(database) as deployment:
        client = deployment.gateway()
        kept, (erased,) = added(client, 20), added(client, 1)
        assert old.create(deployment.dir).returncode == OK
        objects = token_files(deployment)
        before = rows(deployment)
        assert client.delete(f"/v1/tokens/{erased}").status == 204
        ((token_id, _),) = [item for item in rows(deployment).items() if item[1][-1] is not None]

        told = tool(deployment, "destroy", OLD)
        assert told.returncode == CHECK_FAILED and "it is active: rotate first" in told.stdout
        rotated_and_empty(deployment)
        (copy_of_keys,) = ids_of_keys(deployment)
        told = tool(deployment, "destroy", OLD)
        assert told.returncode == CHECK_FAILED
        assert "strongroom backup create" in told.stdout
        assert f"strongroom keys backups close {copy_of_keys} --destroyed" in told.stdout
        assert states(deployment) == {1: "retired", 2: "active"}

        assert since.create_data(deployment.dir).returncode == OK
        shutil.rmtree(old.keys)
        deployment.strongroom("keys", "backups", "close", copy_of_keys, "--destroyed")
        told = tool(deployment, "destroy", OLD)
        assert (told.returncode, told.stderr) == (OK, "")
        assert f"{OLD} is destroyed" in told.stdout
        assert deployment.strongroom("keys", "check")["ok"]
        assert states(deployment) == {1: "destroyed", 2: "active"}
        # The rotation has made one object, and this has removed one.
        assert len(token_files(deployment)) == len(objects)
        assert len(token_files(deployment) - objects) == 1

        assert statuses(client, kept) == {FOUND}
        put_back(deployment, token_id, before[token_id], database == "sqlite")
        assert_does_not_open(client, erased)
        assert deployment.stop_one("vaultd") == 0
        deployment.start_one("vaultd")
        assert_does_not_open(client, erased)
        assert statuses(client, kept) == {FOUND}
        put_back(deployment, token_id, [None] * (len(CARD) - 1) + [1], database == "sqlite")
        assert client.get(f"/v1/tokens/{erased}").status == ERASED
        assert newest.create(deployment.dir).returncode == OK
        wait_closed(deployment)
        deployment.supervisor.stop_all()

        for data, comes_back in ((old.data, False), (since.data, True)):
            with restored(deployment, tmp_path, data, newest) as copy:
                started = can_start(copy)
                assert started == comes_back
                if comes_back:
                    client = copy.gateway()
                    assert statuses(client, kept) == {FOUND}
                    assert client.get(f"/v1/tokens/{erased}").status == ERASED


@contextlib.contextmanager
def restored(original, tmp_path, data, keys):
    """The database of one backup beside the HSM of another."""
    copy, config = fresh_copy_of(original, tmp_path)
    done = restore_to(copy, keys, "--log", original.dir / "audit", "--log-is-final", *config,
                      data=data)
    assert done.returncode == OK, done.stderr
    try:
        yield copy
    finally:
        copy.supervisor.stop_all()
        remove_folder(copy.dir)


def can_start(copy):
    try:
        copy.supervisor.start_all()
    except DeploymentError:
        said = "".join(path.read_text() for path in (copy.dir / "log").glob("vaultd*"))
        assert "a key is not to be had in the HSM" in said
        return False
    return True


def test_killed_while_it_destroys_it_goes_on(tmp_path):
    with running() as deployment:
        client = deployment.gateway()
        tokens = added(client, 5)
        rotated_and_empty(deployment)
        safe = safe_in(tmp_path / "since")
        assert safe.create(deployment.dir).returncode == OK
        (copy_of_keys,) = ids_of_keys(deployment)
        shutil.rmtree(safe.keys)
        deployment.strongroom("keys", "backups", "close", copy_of_keys, "--destroyed")
        status, _ = deployment.admin("vaultd", "POST", f"/v1/keys/{OLD}/destroy")
        assert status == 200
        vaultd = deployment.processes["vaultd"]
        vaultd.send_signal(signal.SIGKILL)
        vaultd.wait()
        deployment.start_one("vaultd")
        wait_until(lambda: states(deployment)[1] == "destroyed", "it is destroyed",
                   DESTROYED_SECONDS)
        assert deployment.strongroom("keys", "check")["ok"]
        assert statuses(client, tokens) == {FOUND}
        assert tool(deployment, "destroy", OLD).returncode == OK, "it is done"
        wait_closed(deployment)


def test_what_is_not_trusted_goes_out_of_use_first():
    with running() as deployment:
        label = f"strongroom/{KEK}/"
        first = active(deployment)
        token = added(deployment.gateway(), 1)[0]
        done = tool(deployment, "mark-compromised", f"{KEK}/{first}")
        assert (done.returncode, done.stdout) == (OK, f"{KEK}/{first} is compromised\n")
        assert active(deployment) == first + 1
        assert deployment.gateway().get(f"/v1/tokens/{token}").status == FOUND
        wait_until(lambda: [one[:3] for one in told_of_keys(deployment, "key.compromise")] == [
            ("intent", None, [f"{label}{first}"]), ("outcome", "done", [f"{label}{first}"])],
            "the log tells of it")
        done = tool(deployment, "retire", f"{KEK}/{first + 1}")
        assert (done.returncode, done.stdout) == (OK, f"{KEK}/{first + 1} is retired\n")
        again = tool(deployment, "retire", f"{KEK}/{first + 1}")
        assert (again.returncode, again.stdout) == (OK, done.stdout), "it rotates once"
        assert active(deployment) == first + 2
        told = tool(deployment, "destroy", f"{KEK}/{first + 1}")
        assert told.returncode == CHECK_FAILED
        assert "live cards stand under it" in told.stdout


@pytest.mark.parametrize("command", ["retire", "mark-compromised", "destroy"])
@pytest.mark.parametrize("key, words", [
    ("pan-encryption", "takes NAME/VERSION, as pan-encryption/1"),
    ("pan-encryption/99", "no such version"),
    ("kek/1", "pan-encryption, pan-fingerprint, blind-index and key-registry"),
    ("kek?/1", "see strongroom keys list"),
])
def test_what_cannot_end_is_said_in_plain_words(deployment, command, key, words):
    assert refused(tool(deployment, command, key), USAGE, words)


@pytest.mark.parametrize("name", ["pan-fingerprint", "key-registry"])
def test_a_key_that_cannot_be_rotated_yet_does_not_end(deployment, name):
    for command in ("retire", "mark-compromised"):
        assert refused(tool(deployment, command, f"{name}/1"), USAGE, "can be rotated yet")
    told = tool(deployment, "destroy", f"{name}/1")
    assert told.returncode == CHECK_FAILED and "it is active" in told.stdout
