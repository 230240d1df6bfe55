"""`strongroom erase-proof`: what the log proves of a card's end at each point of it, with real
processes, and checked by the second verifier, which shares no code with the tool.
"""
import datetime
import json
import shutil
import subprocess
from dataclasses import dataclass

import pytest

import leak_scan
import tlog
from backups import CHECK_FAILED, OK, USAGE, Safe
from deployment import BIN
from running_deployment import RunningDeployment, running, wait_until
from vault_keys import KEK, listed

REWRAP_SECONDS = 120
CHAIN = [("created", None), ("last_used", None), ("deleted", None), ("rotated", f"{KEK}/2"),
         ("rewrapped", f"{KEK}/1"), ("destroyed", f"{KEK}/1")]


def erase_proof(directory, token, *arguments):
    """The tool's exit status, its JSON (None where it printed none), and what it complained of."""
    done = subprocess.run([BIN / "strongroom", "erase-proof", token, *map(str, arguments),
                           "--dir", directory, "--json"],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def missing(deployment, token):
    """Steps that keep the card from being erased, as (step, key); None: no entry is signed yet."""
    status, proof, _ = erase_proof(deployment.dir, token)
    if proof is None:
        return None
    assert status == CHECK_FAILED and proof["verdict"] == "not_yet"
    assert proof["against"] == []
    return [(link["step"], link["key"]) for link in proof["chain"] if link["needed"]]


def sent():
    year = datetime.date.today().year + 1
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12, "exp_year": year}}


def destroy(deployment, folder):
    """The first version of the key, once a backup is verified and no copy of the key is left."""
    folder.mkdir()
    safe = Safe(folder)
    assert safe.create(deployment.dir).returncode == OK
    shutil.rmtree(safe.keys)
    for copy in deployment.strongroom("keys", "backups", "list"):
        if copy["kind"] == "keys":
            deployment.strongroom("keys", "backups", "close", copy["id"], "--destroyed")
    assert deployment.strongroom("keys", "destroy", f"{KEK}/1")["state"] == "destroyed"


def copy_of_log(deployment, folder):
    """What the proof needs, without daemons."""
    assert deployment.stop_one("auditd") == 0
    for name in ("etc", "audit", "public"):
        shutil.copytree(deployment.dir / name, folder / name)
    deployment.start_one("auditd")
    return folder


def told_to_people(deployment, token):
    return subprocess.run([BIN / "strongroom", "erase-proof", token, "--dir", deployment.dir],
                          capture_output=True, text=True, timeout=60)


@dataclass
class Life:
    """A deleted card's, whose key is destroyed, and what was proven before that."""
    deployment: RunningDeployment
    token: str
    other: str  # of a card that stays
    told: subprocess.CompletedProcess  # to people, before the destruction


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def life(request, tmp_path_factory):
    """What the proof lacks is judged at each point on the way."""
    with running(request.param) as deployment:
        client = deployment.gateway()
        token, other = (client.post("/v1/tokens", sent()).body["id"] for _ in range(2))
        assert client.get(f"/v1/tokens/{token}").status == 200
        wait_until(lambda: missing(deployment, token) == [("deleted", None)], "it is in the log")
        assert client.delete(f"/v1/tokens/{token}").status == 204
        not_rotated = [("rotated", None), ("rewrapped", f"{KEK}/1"), ("destroyed", f"{KEK}/1")]
        wait_until(lambda: missing(deployment, token) == not_rotated, "the deletion is in the log")
        deployment.strongroom("keys", "rotate", KEK)
        wait_until(lambda: listed(deployment)[f"{KEK}/1"]["emptied_at"], "no card is under it",
                   REWRAP_SECONDS)
        not_destroyed = [("destroyed", f"{KEK}/1")]
        wait_until(lambda: missing(deployment, token) == not_destroyed, "the re-wrap is in the log")
        told = told_to_people(deployment, token)
        destroy(deployment, tmp_path_factory.mktemp("safe") / "in")
        yield Life(deployment, token, other, told)


def test_a_card_is_erased_when_its_key_is_destroyed(life, tmp_path):
    wait_until(lambda: erase_proof(life.deployment.dir, life.token)[0] == OK, "the log tells it")
    status, proof, complaint = erase_proof(life.deployment.dir, life.token, "--out", tmp_path)
    assert (status, complaint, proof["verdict"], proof["against"]) == (OK, "", "erased", [])
    assert [(link["step"], link["key"]) for link in proof["chain"]] == CHAIN
    assert proof["chain"][1]["entry"]["event_type"] == "token.lookup"
    key = tlog.read_key(life.deployment.dir / "public/audit.vkey")
    for link in proof["chain"]:
        shown = link["entry"]
        entry = open(shown["files"]["entry"], "rb").read()
        proven, checkpoint, _ = tlog.verify_proof(open(shown["files"]["proof"], "rb").read(),
                                                  entry, key)
        assert (proven.index, checkpoint.size) == (shown["index"], shown["tree_size"])
        assert json.loads(entry)["unmapped"]["event_type"] == shown["event_type"]
    assert len(proof["outside"]) >= 5


def test_a_card_that_lives_is_not_erased_by_that(life):
    wait_until(lambda: missing(life.deployment, life.other) == [("deleted", None)],
               "it is in the log")


def test_people_read_what_is_missing_and_what_lies_outside(life):
    assert (life.told.returncode, life.told.stderr) == (CHECK_FAILED, "")
    assert life.told.stdout.startswith(f"{life.token}: not yet\n")
    for words in (f"rotated to {KEK}/2", "outside of this proof:",
                  f"- {KEK}/1 is not destroyed: strongroom keys destroy {KEK}/1"):
        assert words in life.told.stdout
    done = told_to_people(life.deployment, life.token)
    assert done.returncode == OK and done.stdout.startswith(f"{life.token}: erased\n")
    assert "missing:" not in done.stdout and "outside of this proof:" in done.stdout


@pytest.mark.parametrize("token, status, words", [
    ("tok_" + "a" * 26, CHECK_FAILED, "no signed entry is about this token"),
    ("4242", USAGE, "takes a token, which begins with tok_")])
def test_what_is_no_card_is_not_judged(life, token, status, words):
    answered, proof, complaint = erase_proof(life.deployment.dir, token)
    assert (answered, proof) == (status, None) and words in complaint


def test_the_reading_itself_is_in_the_log(life):
    erase_proof(life.deployment.dir, life.token)
    wait_until(lambda: any(
        entry["api"]["operation"] == "strongroom erase-proof"
        and entry["resources"] == [{"uid": life.token}]
        for entry in life.deployment.audit_entries(event_type="log.read")), "who read is there")


def test_an_altered_entry_proves_nothing(life, tmp_path):
    copy = copy_of_log(life.deployment, tmp_path)
    [journal] = sorted((copy / "audit").glob("journal-*"))
    data = bytearray(journal.read_bytes())
    activated = data.index(b'"event_type":"key.activate","phase":"outcome"')
    data[data.rindex(f"{KEK}/2".encode(), 0, activated) + len(KEK) + 1] ^= 1
    journal.write_bytes(data)
    assert erase_proof(copy, life.token)[:2] == (CHECK_FAILED, None)
