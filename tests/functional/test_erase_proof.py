"""`strongroom erase-proof`: what the log proves of a card's end at each point of it, with real
processes, and checked by the second verifier, which shares no code with the tool.
"""
import datetime
import json
import subprocess

import pytest

import leak_scan
import tlog
from deployment import BIN
from running_deployment import running, wait_until
from vault_keys import KEK, listed

REWRAP_SECONDS = 120
CHECK_FAILED, USAGE = 1, 2
STEPS_BEFORE_DESTRUCTION = ["created", "last_used", "deleted", "rotated", "rewrapped"]


def erase_proof(deployment, token, *arguments):
    """The tool's exit status, its JSON (None where it printed none), and what it complained of."""
    done = subprocess.run([BIN / "strongroom", "erase-proof", token, *map(str, arguments),
                           "--dir", deployment.dir, "--json"],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def missing(deployment, token):
    """Steps that keep the card from being erased, as (step, key); None: no entry is signed yet."""
    status, proof, _ = erase_proof(deployment, token)
    if proof is None:
        return None
    assert status == CHECK_FAILED and proof["verdict"] == "not_yet"
    assert proof["against"] == []
    return [(link["step"], link["key"]) for link in proof["chain"] if link["needed"]]


def sent():
    year = datetime.date.today().year + 1
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12, "exp_year": year}}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def life(request):
    """(deployment, token of a deleted card, token of one that stays): what the proof lacked at each
    point was judged on the way.
    """
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
        yield deployment, token, other


def test_everything_but_the_destruction_is_proven(life, tmp_path):
    deployment, token, _ = life
    not_destroyed = [("destroyed", f"{KEK}/1")]
    wait_until(lambda: missing(deployment, token) == not_destroyed, "the re-wrap is in the log")
    status, proof, complaint = erase_proof(deployment, token, "--out", tmp_path)
    assert (status, complaint) == (CHECK_FAILED, "")
    shown = [link for link in proof["chain"] if link["entry"]]
    assert [link["step"] for link in shown] == STEPS_BEFORE_DESTRUCTION
    assert [link["key"] for link in shown] == [None, None, None, f"{KEK}/2", f"{KEK}/1"]
    assert shown[1]["entry"]["event_type"] == "token.lookup"
    key = tlog.read_key(deployment.dir / "public/audit.vkey")
    for link in shown:
        entry = open(link["entry"]["files"]["entry"], "rb").read()
        file = open(link["entry"]["files"]["proof"], "rb").read()
        proven, checkpoint, _ = tlog.verify_proof(file, entry, key)
        assert (proven.index, checkpoint.size) == (link["entry"]["index"],
                                                   link["entry"]["tree_size"])
        assert json.loads(entry)["unmapped"]["event_type"] == link["entry"]["event_type"]
    assert len(proof["outside"]) >= 5


def test_a_card_that_lives_is_not_erased_by_a_rotation(life):
    deployment, _, other = life
    wait_until(lambda: missing(deployment, other) == [("deleted", None)], "it is in the log")


def test_people_read_what_is_missing_and_what_lies_outside(life):
    deployment, token, _ = life
    done = subprocess.run([BIN / "strongroom", "erase-proof", token, "--dir", deployment.dir],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (CHECK_FAILED, "")
    assert done.stdout.startswith(f"{token}: not yet\n")
    assert f"rotated to {KEK}/2" in done.stdout
    assert f"- {KEK}/1 is not destroyed" in done.stdout
    assert "outside of this proof:" in done.stdout


@pytest.mark.parametrize("token, status, words", [
    ("tok_" + "a" * 26, CHECK_FAILED, "no signed entry is about this token"),
    ("4242", USAGE, "takes a token, which begins with tok_")])
def test_what_is_no_card_is_not_judged(life, token, status, words):
    answered, proof, complaint = erase_proof(life[0], token)
    assert (answered, proof) == (status, None) and words in complaint


def test_the_reading_itself_is_in_the_log(life):
    deployment, token, _ = life
    erase_proof(deployment, token)
    wait_until(lambda: any(
        entry["api"]["operation"] == "strongroom erase-proof"
        and entry["resources"] == [{"uid": token}]
        for entry in deployment.audit_entries(event_type="log.read")), "who read is in the log")


def test_an_altered_entry_proves_nothing(life):
    deployment, token, _ = life
    for instance in ("audit-relay", "vaultd", "auditd"):
        deployment.stop_one(instance)
    [journal] = sorted((deployment.dir / "audit").glob("journal-*"))
    data = bytearray(journal.read_bytes())
    activated = data.index(b'"event_type":"key.activate","phase":"outcome"')
    data[data.rindex(f"{KEK}/2".encode(), 0, activated) + len(KEK) + 1] ^= 1
    journal.write_bytes(data)
    assert erase_proof(deployment, token)[:2] == (CHECK_FAILED, None)
