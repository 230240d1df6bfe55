"""An export of a log that a witness watches, checked by the second verifier, which is told the
witness's key: what an assessor does."""
import base64
import dataclasses
import datetime
import subprocess
import sys

import pytest

import leak_scan
from deployment import BIN, ROOT
from running_deployment import wait_until
from tlog_note import COSIGNATURE, parse_note, parse_vkey
from watched import running_watched
from witness import NAME

INTACT, NOT_INTACT = 0, 1


@dataclasses.dataclass(frozen=True)
class Exported:
    folder: object   # of the export
    stderr: str      # of the command that made it

    @property
    def checkpoint(self):
        """The file of the operator's newest checkpoint."""
        return max(self.folder.glob("operator/*/checkpoint"))


def export(deployment, out):
    done = subprocess.run([BIN / "strongroom", "audit", "export", "--all", "--out", out, "--dir",
                           deployment.dir], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Exported(out, done.stderr)


def verify(deployment, exported, witness_vkey, tmp_path, *more):
    """Exit status of `tlog.py export`, and what it says."""
    key = tmp_path / "witness.vkey"
    key.write_text(witness_vkey + "\n")
    done = subprocess.run([sys.executable, ROOT / "tests/support/tlog.py", "export",
                           exported.folder, deployment.dir / "public/audit.vkey",
                           "--witness", key, *more], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def audit_tool(deployment, *arguments):
    return subprocess.run([BIN / "strongroom", "audit", *arguments, "--dir", deployment.dir],
                          capture_output=True).returncode


def use(deployment):
    """Entries in the operator's log and in a new merchant's."""
    merchant = deployment.new_merchant()
    card = {"number": leak_scan.generate_pan(), "exp_month": 12,
            "exp_year": datetime.date.today().year + 1}
    assert deployment.gateway(merchant.api_key).post("/v1/tokens", {"card": card}).status == 201
    wait_until(lambda: len(deployment.audit_entries(merchant_id=merchant.id,
                                                    event_type="token.create")) == 2,
               "intent and outcome")
    return merchant


@pytest.fixture(scope="module")
def watched():
    with running_watched() as (deployment, witness):
        use(deployment)
        yield deployment, witness


def test_export_ends_with_what_a_witness_stands_for(watched, tmp_path):
    deployment, witness = watched
    merchant = use(deployment)
    exported = export(deployment, tmp_path / "out")
    assert exported.stderr == ""
    status, said = verify(deployment, exported, witness.vkey, tmp_path)
    assert status == INTACT, said
    assert f"cosigned by {NAME} at " in said
    assert f"/{merchant.id}/" in said
    assert "no witness stands for" not in said, "the export waited for the witness"
    told = deployment.strongroom("audit", "verify", "--export", exported.folder)
    assert told["ok"] and told["complete"]


def test_without_its_cosignature_it_does_not_pass(watched, tmp_path):
    deployment, witness = watched
    exported = export(deployment, tmp_path / "out")
    note = exported.checkpoint.read_text()
    ours, line = note[:note.index(f"\u2014 {NAME} ")], note[note.index(f"\u2014 {NAME} "):]
    exported.checkpoint.write_text(ours)
    status, said = verify(deployment, exported, witness.vkey, tmp_path)
    assert (status, "no cosignature by" in said) == (NOT_INTACT, True), said

    blob = bytearray(base64.b64decode(line.split(" ")[2]))
    blob[-1] ^= 1
    exported.checkpoint.write_text(f"{ours}\u2014 {NAME} {base64.b64encode(blob).decode()}\n")
    status, said = verify(deployment, exported, witness.vkey, tmp_path)
    assert (status, "does not verify" in said) == (NOT_INTACT, True), said

    exported.checkpoint.write_text(note)
    assert verify(deployment, exported, witness.vkey, tmp_path)[0] == INTACT
    another = dataclasses.replace(parse_vkey(witness.vkey, COSIGNATURE), public=bytes(31) + b"\1")
    status, said = verify(deployment, exported, another.text, tmp_path)
    assert (status, "no cosignature by" in said) == (NOT_INTACT, True), said


def test_witness_stands_for_no_log_without_the_operators(watched, tmp_path):
    deployment, witness = watched
    merchant = use(deployment)
    year = datetime.datetime.now(datetime.timezone.utc).year
    out = tmp_path / "out"
    deployment.strongroom("audit", "export", "--log", f"{merchant.id}-{year}", "--out", out)
    status, said = verify(deployment, Exported(out, ""), witness.vkey, tmp_path)
    assert (status, "the only ones that witnesses cosign" in said) == (NOT_INTACT, True), said


def test_export_must_continue_what_somebody_kept(watched, tmp_path):
    deployment, witness = watched
    exported = export(deployment, tmp_path / "out")
    kept = tmp_path / "kept"
    shard = exported.checkpoint.parent.name

    def continues(origin):
        _, _, note = witness.checkpoint(origin)
        kept.write_text(note)
        return verify(deployment, exported, witness.vkey, tmp_path, "--continues", kept)

    origin = exported.checkpoint.read_text().split("\n")[0]
    status, said = continues(origin)
    assert status == INTACT and "is the operator's newest log here" in said, said
    use(deployment)
    assert deployment.admin("auditd", "POST", "/v1/checkpoints")[0] == 200
    size = int(exported.checkpoint.read_text().split("\n")[1])
    wait_until(lambda: witness.logs()[origin] > size, "the witness has seen more")
    status, said = continues(origin)
    assert (status, "has only" in said) == (NOT_INTACT, True), said

    assert audit_tool(deployment, "open-shard", "--reason", "a lawful restore") == 0
    wait_until(lambda: len(witness.logs()) == 2, "it has cosigned the new shard")
    status, said = continues(max(witness.logs()))
    assert (status, "is missing, though a checkpoint" in said) == (NOT_INTACT, True), said
    exported = export(deployment, tmp_path / "out")
    status, said = continues(max(witness.logs()))
    assert status == INTACT, said
    assert f"operator/{shard}b" in said


def test_export_while_the_witness_is_away_ends_where_it_stood(watched, tmp_path):
    deployment, witness = watched
    witness.kill()
    use(deployment)
    exported = export(deployment, tmp_path / "out")
    assert "left out its newest entries" in exported.stderr
    status, said = verify(deployment, exported, witness.vkey, tmp_path)
    assert status == INTACT and "no witness stands for the last " in said, said
    assert len(parse_note(exported.checkpoint.read_bytes()).signatures) == 2
    witness.start()
    # The relay's pause has grown meanwhile; what there is goes into the same folder.
    again = export(deployment, tmp_path / "out")
    assert verify(deployment, again, witness.vkey, tmp_path)[0] == INTACT
