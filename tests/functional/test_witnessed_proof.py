"""A merchant proves an entry of its own log, witness included, with what the API alone gives it."""
import json
import subprocess
import sys

import pytest

from deployment import BIN, ROOT
from watched import WatchedShop, running_watched
from witness import NAME

PROVEN, NOT_PROVEN = 0, 1


@pytest.fixture(scope="module")
def watched():
    with running_watched() as (deployment, witness):
        yield deployment, witness


@pytest.fixture(scope="module")
def shop(watched):
    return WatchedShop(watched[0])


@pytest.fixture(scope="module")
def answer(shop):
    return shop.wait_witnessed().body


@pytest.fixture
def files(answer, tmp_path):
    """The four texts as files: proof and entry, proof and entry of the record."""
    def written(name, text):
        (tmp_path / name).write_bytes(text.encode())
        return tmp_path / name

    return [written("e.tlog-proof", answer["proof"]), written("e.json", answer["entry"]),
            written("r.tlog-proof", answer["record"]["proof"]),
            written("r.json", answer["record"]["entry"])]


def check(watched, files, tmp_path):
    """What the tool and the second verifier say of the files: exit status and output of each."""
    deployment, witness = watched
    key = tmp_path / "witness.vkey"
    key.write_text(witness.vkey + "\n")
    vkey = deployment.dir / "public/audit.vkey"
    proof, entry, *record = files
    commands = (
        [BIN / "strongroom", "audit", "check-proof", proof, entry, "--record", *record, "--vkey",
         vkey, "--witness", key, "--dir", "/nonexistent"],
        [sys.executable, ROOT / "tests/support/tlog.py", "proof", proof, entry, vkey, "--record",
         *record, "--witness", key])
    done = [subprocess.run(command, capture_output=True, text=True) for command in commands]
    return [(one.returncode, one.stdout + one.stderr) for one in done]


def test_answer_proves_the_entry_with_a_witness(watched, shop, answer, files, tmp_path):
    assert json.loads(answer["entry"]) == shop.entry["entry"]
    for status, said in check(watched, files, tmp_path):
        assert status == PROVEN, said
        assert said.count(f"{NAME} at ") == 1 and f"/{shop.log}" in said


@pytest.mark.parametrize("changed", range(4))
def test_flipped_byte_of_any_text_is_not_proven(watched, files, tmp_path, changed):
    data = bytearray(files[changed].read_bytes())
    data[data.rindex(b"\n\n") - 20 if changed % 2 == 0 else len(data) // 2] ^= 1
    files[changed].write_bytes(data)
    for status, said in check(watched, files, tmp_path):
        assert status == NOT_PROVEN, said


def test_another_merchants_record_does_not_stand_for_it(watched, shop, files, tmp_path):
    other = WatchedShop(shop.deployment)
    record = other.wait_witnessed().body["record"]
    files[2].write_text(record["proof"])
    files[3].write_text(record["entry"])
    for status, said in check(watched, files, tmp_path):
        assert status == NOT_PROVEN, said


def test_nothing_of_another_merchant_is_told(shop):
    other = WatchedShop(shop.deployment)
    other.wait_witnessed()
    answer = shop.wait_witnessed()
    record = json.loads(answer.body["record"]["entry"])
    assert [one["uid"].split("/")[2:] for one in record["resources"]] == [shop.log.split("/")]
    assert other.merchant.id not in json.dumps(answer.body)
    assert shop.ask(other.client).problem == "not-found"
    read, = shop.deployment.audit_entries(request_id=answer.headers["strongroom-request-id"])
    assert read["unmapped"]["event_type"] == "log.read"
    assert read["unmapped"]["merchant_id"] == shop.merchant.id


def test_until_a_witness_stands_for_it_it_is_refused(watched):
    deployment, witness = watched
    witness.stop()
    try:
        shop = WatchedShop(deployment)
        assert deployment.admin("auditd", "POST", "/v1/checkpoints")[0] == 200
        answer = shop.ask()
        assert (answer.status, answer.problem) == (409, "not-witnessed")
        assert int(answer.headers["retry-after"]) > 0
        assert shop.ask(index=10**6).problem == "not-found"
    finally:
        witness.start()
    shop.wait_witnessed()
