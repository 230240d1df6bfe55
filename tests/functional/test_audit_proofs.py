"""Evidence from a real run: proof files and exports, checked by the tool and by the second
verifier, which shares no code with it.
"""
import collections
import datetime
import json
import shutil
import subprocess
import xml.etree.ElementTree

import pytest

import leak_scan
import tlog
from deployment import BIN
from running_deployment import folder, wait_until


def audit(deployment, *arguments):
    """The tool's exit status and its JSON, None where it printed none."""
    done = subprocess.run([BIN / "strongroom", "audit", *map(str, arguments), "--dir",
                           deployment if isinstance(deployment, str) else deployment.dir, "--json"],
                          capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def run(deployment):
    """(deployment, merchant, token) of a card whose life is over and signed for."""
    merchant = deployment.new_merchant()
    client = deployment.gateway(merchant.api_key)
    card = {"number": leak_scan.generate_pan(), "exp_month": 12,
            "exp_year": datetime.date.today().year + 1}
    token = client.post("/v1/tokens", {"card": card}).body["id"]
    client.get(f"/v1/tokens/{token}")
    client.delete(f"/v1/tokens/{token}")
    wait_until(lambda: len(deployment.audit_entries(gateway_token=token)) == 5, "its five entries")
    entries = deployment.audit_entries(merchant_id=merchant.id)
    log = f"{merchant.id}-{entries[0]['unmapped']['timestamp'][:4]}"
    wait_until(lambda: deployment.signed_size(log) == len(entries), "a checkpoint of all entries")
    wait_until(lambda: log in str(deployment.admin("audit-relay", "GET", "/v1/index")[1]),
               "audit-relay, which records readings in the logs that it knows")
    return deployment, merchant, token, log


@pytest.fixture(scope="module")
def key(run):
    return tlog.read_key(run[0].dir / "public/audit.vkey")


@pytest.fixture(scope="module")
def proofs(run, tmp_path_factory):
    deployment, _, token, _ = run
    status, written = audit(deployment, "prove", "--token", token, "--out",
                            tmp_path_factory.mktemp("proofs"))
    assert status == 0
    return written


@pytest.fixture
def proof(proofs, tmp_path):
    """Copies of a proof file and its entry."""
    return [shutil.copy(proofs[-1][name], tmp_path) for name in ("proof", "entry")]


def test_every_entry_of_a_token_is_proven(run, proofs, key):
    deployment, _, token, log = run
    told = [entry["unmapped"]["event_type"]
            for entry in deployment.audit_entries(gateway_token=token)]
    assert {one["log"] for one in proofs} == {log}
    for one, event in zip(proofs, told, strict=True):
        entry = open(one["entry"], "rb").read()
        assert json.loads(entry)["unmapped"]["gateway_token"] == token
        assert json.loads(entry)["unmapped"]["event_type"] == event
        shown, checkpoint, _ = tlog.verify_proof(open(one["proof"], "rb").read(), entry, key)
        assert (shown.index, checkpoint.size) == (one["index"], one["tree_size"])
        status, report = audit(deployment, "check-proof", one["proof"], one["entry"])
        assert (status, report["ok"], report["index"]) == (0, True, one["index"])


def test_operators_log_stands_for_a_merchants_entry(run, proofs, proof, key):
    deployment = run[0]
    record = proofs[-1]["record"]
    shown, recorded, _ = tlog.verify_proof(open(proof[0], "rb").read(),
                                           open(proof[1], "rb").read(), key)
    entry = open(record["entry"], "rb").read()
    second, operators, _ = tlog.verify_proof(open(record["proof"], "rb").read(), entry, key)
    assert tlog.recorded_checkpoint(entry) == recorded and shown.index < recorded.size
    assert (f"{record['log']}", record["index"]) == (
        "-".join(operators.origin.rsplit("/", 2)[1:]), second.index)
    arguments = ("check-proof", *proof, "--record", record["proof"])
    status, report = audit(deployment, *arguments, record["entry"])
    assert (status, report["record"]["log"]) == (0, operators.origin)
    assert audit(deployment, *arguments, proof[1])[0] == 1
    swapped = ("check-proof", record["proof"], record["entry"], "--record", *proof)
    assert audit(deployment, *swapped)[0] == 1


def test_one_entry_is_proven_by_log_and_index(run, tmp_path):
    status, [one] = audit(run[0], "prove", "--log", run[3], "--index", 0, "--out", tmp_path)
    assert (status, one["index"]) == (0, 0)
    assert {path.name for path in tmp_path.iterdir()} >= {f"{run[3]}-0.json",
                                                          f"{run[3]}-0.tlog-proof"}


@pytest.mark.parametrize("arguments, expected", [
    (("--token", "tok_" + "a" * 26), 1), (("--log", "operator-2000", "--index", 0), 1),
    (("--log", "LOG", "--index", 10**9), 1), (("--log", "../LOG", "--index", 0), 1),
    ((), 2), (("--log", "LOG"), 2), (("--token", "tok_a", "--log", "LOG", "--index", 0), 2)])
def test_what_is_not_there_is_not_proven(run, tmp_path, arguments, expected):
    arguments = [run[3] if argument == "LOG" else argument for argument in arguments]
    assert audit(run[0], "prove", *arguments, "--out", tmp_path) == (expected, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damaged", ["proof", "entry"])
def test_flipped_byte_is_not_proven(run, proof, damaged):
    path = proof[damaged == "entry"]
    place = open(path, "rb").read().index(b"index" if damaged == "proof" else b"token.") + 8
    flip(type(run[0].dir)(path), place)
    status, report = audit(run[0], "check-proof", *proof)
    assert (status, report["ok"]) == (1, False) and report["why"]


def test_proof_is_checked_without_a_deployment(run, proof):
    vkey = run[0].dir / "public/audit.vkey"
    assert audit("/nonexistent", "check-proof", *proof, "--vkey", vkey)[0] == 0
    assert audit("/nonexistent", "check-proof", *proof) == (2, None)


def test_witness_that_is_asked_for_must_have_cosigned(run, proof):
    status, report = audit(run[0], "check-proof", *proof, "--witness",
                           "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X")
    assert (status, report["why"]) == (1, "a witness has not cosigned it")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "out"
    status, report = audit(run[0], "export", "--all", "--out", out)
    assert status == 0 and len(report["logs"]) >= 2
    return out


def test_export_is_recorded_in_each_log(run, exported):
    deployment, merchant, _, log = run
    told = deployment.audit_entries(event_type="log.export", merchant_id=merchant.id)
    assert told and all(entry["resources"] == [{"uid": log}] for entry in told)
    assert told[0]["actor"]["user"]["uid"].startswith("uid:")


def test_second_verifier_finds_the_export_intact(run, exported, key):
    checkpoints = [checkpoint for checkpoint, _ in tlog.verify_export(exported, key)]
    status, report = audit(run[0], "verify", "--export", exported)
    assert status == 0
    assert [(log["origin"], log["size"]) for log in report["logs"]] == [
        (checkpoint.origin, checkpoint.size) for checkpoint in checkpoints]


def test_export_holds_the_merchants_entries_exactly(run, exported):
    deployment, merchant, _, log = run
    owner, shard = log.rsplit("-", 1)
    checkpoint = (exported / owner / shard / "checkpoint").read_text()
    tree = tlog.Tree(exported / owner / shard, int(checkpoint.split("\n")[1]))
    entries = []
    tree.root(lambda _, entry: entries.append(json.loads(entry)))
    assert entries == deployment.audit_entries(merchant_id=merchant.id)[:len(entries)]
    assert entries[-1]["unmapped"]["event_type"] == "log.export"


def test_flipped_byte_in_any_exported_file_is_found(run, exported, key):
    for name in sorted(tlog.files_below(exported)):
        size = (exported / name).stat().st_size
        for place in (0, size // 2, size - 1):
            flip(exported / name, place)
            with pytest.raises(tlog.Refused):
                tlog.verify_export(exported, key)
                pytest.fail(f"byte {place} of {name}")
            flip(exported / name, place)
        flip(exported / name, size // 2)
        status, report = audit(run[0], "verify", "--export", exported)
        assert status == 1 and report["bad"]["file"].split("/tile")[0] == name.split("/tile")[0]
        flip(exported / name, size // 2)
    tlog.verify_export(exported, key)


def test_log_that_was_left_out_is_named(run, exported, tmp_path, key):
    _, merchant, _, log = run
    out = shutil.copytree(exported, tmp_path / "out")
    shutil.rmtree(out / merchant.id)
    name = "/".join(log.rsplit("-", 1))
    with pytest.raises(tlog.Refused, match=f"{name}: is missing, though operator/"):
        tlog.verify_export(out, key)
    status, report = audit(run[0], "verify", "--export", out)
    assert (status, report["bad"]["file"], report["bad"]["what"]) == (1, name, "is missing")
    assert report["bad"]["record"].startswith("operator/") and report["bad"]["tree_size"] > 0


def test_file_that_belongs_to_no_checkpoint_is_found(run, exported, key):
    (exported / "operator" / "more").write_text("")
    with pytest.raises(tlog.Refused, match="operator/more"):
        tlog.verify_export(exported, key)
    status, report = audit(run[0], "verify", "--export", exported)
    assert (status, report["bad"]["file"]) == (1, "operator/more")
    (exported / "operator" / "more").unlink()


@pytest.fixture
def copy(run):
    """The log as it is now, which no daemon writes any more."""
    with folder() as parent:
        for name in ("etc", "audit", "public"):
            shutil.copytree(run[0].dir / name, parent / name)
        yield str(parent)


def test_export_that_was_interrupted_is_none_and_goes_on(run, copy, tmp_path, key):
    log = run[3]
    out = tmp_path / "out"
    assert audit(copy, "export", "--log", log, "--out", out)[0] == 0
    place = out.joinpath(*log.rsplit("-", 1))
    (place / "checkpoint").unlink()
    partial = next(path for path in (place / "tile/0").rglob("*") if path.is_file())
    partial.rename(partial.with_name(partial.name + ".part"))
    bundle = next(path for path in (place / "tile/entries").rglob("*") if path.is_file())
    kept = bundle.stat().st_ino
    assert audit(copy, "verify", "--export", out)[0] == 1
    with pytest.raises(tlog.Refused, match="not finished"):
        tlog.verify_export(out, key)
    assert audit(copy, "export", "--log", log, "--out", out)[0] == 0
    assert len(tlog.verify_export(out, key)) == 1
    assert audit(copy, "verify", "--export", out)[1]["complete"] is False
    assert bundle.stat().st_ino == kept


def test_export_that_could_not_be_ended_says_so_until_it_is(run, copy, tmp_path, key):
    log = run[3]
    out = tmp_path / "out"
    place = out.joinpath(*log.rsplit("-", 1))
    place.mkdir(parents=True)
    (place / "tile").write_text("where a folder must be")
    assert audit(copy, "export", "--all", "--out", out) == (3, None)
    (place / "tile").unlink()
    said = "unfinished export: run strongroom audit export again"
    for others in ([], ["--log", log]):  # one log more is not all of them
        if others:
            assert audit(copy, "export", *others, "--out", out)[0] == 0
        status, report = audit(copy, "verify", "--export", out)
        assert (status, report["bad"]) == (1, {"file": "unfinished", "what": said})
        with pytest.raises(tlog.Refused, match=said):
            tlog.verify_export(out, key)
    assert audit(copy, "export", "--all", "--out", out)[0] == 0
    assert audit(copy, "verify", "--export", out)[0] == 0
    assert tlog.verify_export(out, key)


def test_each_export_that_could_not_be_ended_is_remembered(run, copy, tmp_path, key):
    logs = [run[3], f"operator-{run[3].rsplit('-', 1)[1]}"]
    out = tmp_path / "out"
    before = [f"mer_{number:032x}-2026" for number in range(40)]
    out.mkdir()

    def left():
        text = (out / "unfinished").read_text()
        return [line.removeprefix("--log ") for line in text.split("\n")]
    (out / "unfinished").write_text("".join(f"--log {log}\n" for log in before))
    for log in logs:
        blocked = out.joinpath(*log.rsplit("-", 1), "tile")
        blocked.parent.mkdir(parents=True)
        blocked.write_text("where a folder must be")
        assert audit(copy, "export", "--log", log, "--out", out) == (3, None)
        blocked.unlink()
    assert left() == [*before, *logs, ""]
    assert audit(copy, "export", "--log", logs[1], "--out", out)[0] == 0
    assert left() == [*before, logs[0], ""]
    assert audit(copy, "export", "--log", logs[0], "--out", out)[0] == 0
    assert left() == [*before, ""]
    assert audit(copy, "export", "--all", "--out", out)[0] == 0
    assert not (out / "unfinished").exists()


def test_export_grows_with_its_log_and_never_takes_another_history(run, copy, tmp_path, key):
    deployment, _, _, log = run
    out = tmp_path / "out"
    assert audit(copy, "export", "--log", log, "--out", out)[0] == 0
    [(before, _)] = tlog.verify_export(out, key)
    assert audit(deployment, "export", "--log", log, "--out", out)[0] == 0
    [(checkpoint, _)] = tlog.verify_export(out, key)
    assert checkpoint.size > before.size  # by what tells of the export, at least
    assert audit(copy, "export", "--log", log, "--out", out) == (1, None)
    assert tlog.verify_export(out, key)[0][0] == checkpoint


def test_report_counts_who_touched_which_card(run, tmp_path):
    deployment, merchant, token, _ = run
    day = deployment.audit_entries(gateway_token=token)[0]["unmapped"]["timestamp"][:10]
    plot = tmp_path / "plot.svg"
    status, report = audit(deployment, "report", "--from", day, "--merchant", merchant.id, "--plot",
                           plot)
    assert status == 0 and report["complete"]
    rows = report["rows"]
    assert [row for row in rows if row["token"] == token] == [
        {"day": day, "actor": merchant.key_id, "token": token, "operation": operation,
         "outcome": outcome, "count": 1}
        for operation, outcome in (("token.create", "done"), ("token.delete", "done"),
                                   ("token.lookup", "success"))]
    titles = [title.text for title in xml.etree.ElementTree.parse(plot).iter(
        "{http://www.w3.org/2000/svg}title")]
    assert f"{day}, {merchant.key_id}: {sum(row['count'] for row in rows)}" in titles


def test_report_without_a_merchant_has_all_of_them(run):
    deployment, merchant, _, _ = run

    def report(*more):
        return audit(deployment, "report", "--from", "2020-01-01", *more)[1]["rows"]

    def touches():
        return collections.Counter(
            entry["unmapped"]["event_type"] for entry in deployment.audit_entries()
            if entry["unmapped"].get("gateway_token") and entry["unmapped"]["phase"] != "intent")

    def reported():
        counted = collections.Counter()
        for row in report():
            counted[row["operation"]] += row["count"] * (row["outcome"] != "open")
        return +counted

    wait_until(lambda: reported() == touches(), "the same counts, once all outcomes are told")
    own = report("--merchant", merchant.id)
    assert own and all(row in report() for row in own)


NOTHING = {"complete": True, "rows": [], "archived": []}


@pytest.mark.parametrize("arguments, expected", [
    (("--day", "2020-01-01"), (0, NOTHING)), (("--to", "2020-01-01"), (0, NOTHING)),
    (("--day", "2020-02-30"), (2, None)), (("--from", "today"), (2, None)),
    (("--day", "2020-01-01", "--to", "2020-01-02"), (2, None))])
def test_report_is_of_the_days_asked_for(run, arguments, expected):
    assert audit(run[0], "report", *arguments) == expected
