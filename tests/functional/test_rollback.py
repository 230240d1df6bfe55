"""A store that was rolled back as a whole agrees with itself; what a witness keeps elsewhere tells.
auditd alone runs, and files are carried between it and the witness."""
import os
import shutil

import pytest

import audit_journal
import tlog
from children import stop
from running_deployment import folder, wait_until
from watched import WatchedDeployment

OK, CHECK_FAILED, USAGE = 0, 1, 2


@pytest.fixture
def watched():
    with folder() as parent:
        deployment = WatchedDeployment(parent)
        yield deployment
        deployment.stop_all()


def test_without_a_witness_it_says_that_nobody_could_tell(watched):
    watched.start_auditd()
    assert watched.warnings() == ["no witness is set"]
    assert watched.readyz()[0] == 200


def test_cosignature_since_the_start_lifts_the_warning(watched):
    watched.configure_witness()
    watched.start_auditd()
    assert watched.warnings()[0].startswith("unwitnessed since 2")
    watched.be_witnessed()
    assert watched.warnings() == []
    earlier = watched.answer.read_text()
    assert stop(watched.process) == 0
    watched.start_auditd()
    watched.answer.write_text(earlier)
    told = watched.tool("witness-import", watched.request, watched.answer)
    assert (told.returncode, told.stdout) == (OK, "consistent\n")
    assert watched.warnings()[0].startswith("unwitnessed since 2"), "an old answer is no news"
    watched.be_witnessed()
    assert watched.warnings() == []


def test_store_that_was_rolled_back_is_refused_from_then_on(watched, tmp_path):
    watched.configure_witness()
    watched.start_auditd()
    watched.be_witnessed()
    assert stop(watched.process) == 0
    shutil.copytree(watched.audit, tmp_path / "older")
    watched.start_auditd()
    watched.be_witnessed()
    assert stop(watched.process) == 0
    shutil.copytree(watched.audit, tmp_path / "newer")

    watched.put_back(tmp_path / "older")
    watched.start_auditd()
    assert watched.readyz()[0] == 200, "it agrees with itself"
    watched.export()
    assert watched.carry() == (CHECK_FAILED, CHECK_FAILED)
    assert watched.readyz()[0] == 503
    assert {name for name, ok in watched.checks().items() if not ok} == {"journal", "history"}
    assert stop(watched.process) == 0
    refused = watched.entries()
    watched.start_auditd()
    assert not watched.checks()["history"], "also at the next start"
    assert stop(watched.process) == 0
    assert watched.entries() == refused, "not even log.start"

    watched.start_auditd()
    assert watched.tool("open-shard", "--reason", "disk lost, copy restored").returncode == OK
    assert watched.readyz()[0] == 200
    watched.be_witnessed()
    assert watched.warnings() == []
    assert stop(watched.process) == 0
    assert watched.strongroom("audit", "verify")["ok"]
    entries = audit_journal.entries(watched.audit)
    breaks = [entry for entry in entries if entry["unmapped"]["event_type"] == "log.break"]
    assert [entry["actor"]["user"]["uid"] for entry in breaks] == [f"uid:{os.getuid()}"]
    watched.start_auditd()
    assert watched.checks()["history"], "the break is settled at the next start, too"
    assert stop(watched.process) == 0

    # This copy is older than the break, and does not know the log that the break began.
    watched.put_back(tmp_path / "newer")
    watched.start_auditd()
    assert watched.readyz()[0] == 200
    watched.export()
    assert watched.carry() == (OK, CHECK_FAILED)
    assert not watched.checks()["history"]
    told = watched.tool("witness-import", watched.request, watched.answer)
    lost = max(watched.witness.logs())
    assert "b2" in lost and f"the audit log {lost} was rolled back" in told.stderr
    assert watched.tool("open-shard", "--reason", "only this copy is left").returncode == OK
    watched.be_witnessed()
    assert watched.warnings() == []
    watched.be_witnessed()
    assert watched.checks()["history"], "what that break gave up stops nothing"


def test_relay_has_each_start_witnessed_and_brings_what_contradicts_it(watched, tmp_path):
    watched.configure_witness()
    watched.connect_witness()
    for copy in ("older", "newer"):
        watched.start_both()
        wait_until(lambda: watched.warnings() == [], "a witness has seen this run")
        assert stop(watched.relay) == 0 and stop(watched.process) == 0
        shutil.copytree(watched.audit, tmp_path / copy)
    watched.put_back(tmp_path / "older")
    watched.start_both()
    wait_until(lambda: not watched.checks()["history"], "the store is refused")
    assert watched.readyz()[0] == 503
    assert stop(watched.relay) == 0 and stop(watched.process) == 0
    watched.put_back(tmp_path / "newer")
    watched.start_both()
    wait_until(lambda: watched.warnings() == [], "the newer copy is the log that was seen")
    assert watched.checks()["history"]


def test_witness_takes_the_shards_of_a_break_without_a_word_to_it(watched, tmp_path):
    watched.configure_witness()
    watched.connect_witness()
    watched.start_both()
    wait_until(lambda: watched.warnings() == [], "a witness has seen this run")
    assert watched.tool("open-shard", "--reason", "disk lost, copy restored").returncode == OK
    wait_until(lambda: len(watched.witness.logs()) == 2, "it has cosigned the new shard")
    wait_until(lambda: watched.warnings() == [], "auditd has heard of it")
    plain, broken = sorted(watched.witness.logs())
    assert broken.startswith(f"{plain}b2")

    done = watched.tool("export", "--all", "--out", tmp_path / "out")
    assert done.returncode == OK, done.stderr
    key = tlog.read_key(watched.dir / "public/audit.vkey")
    witness = tlog.parse_vkey(watched.witness.vkey, tlog.COSIGNATURE)
    export = tlog.Export(tmp_path / "out", key, [witness])
    export.verify()
    assert export.witnessed == {checkpoint.origin: checkpoint.size
                                for checkpoint, _ in export.checkpoints}
    assert [bool(times) for _, times in export.checkpoints] == [False, True]
    shutil.rmtree(tmp_path / "out/operator" / plain.rsplit("/", 1)[1])
    with pytest.raises(tlog.Refused, match="is missing, though"):
        tlog.verify_export(tmp_path / "out", key, [witness])


def test_relay_brings_a_log_that_is_missing_whole(watched, tmp_path):
    watched.configure_witness()
    watched.connect_witness()
    watched.start_both()
    wait_until(lambda: watched.warnings() == [], "a witness has seen this run")
    assert stop(watched.relay) == 0 and stop(watched.process) == 0
    shutil.copytree(watched.audit, tmp_path / "older")
    watched.start_both()
    assert watched.tool("open-shard", "--reason", "disk lost, copy restored").returncode == OK
    wait_until(lambda: len(watched.witness.logs()) == 2, "it has cosigned the break's log")
    assert stop(watched.relay) == 0 and stop(watched.process) == 0
    watched.witness.stop()
    watched.witness.start()

    watched.put_back(tmp_path / "older")
    watched.start_both()
    wait_until(lambda: not watched.checks()["history"], "the store is refused")
    assert watched.tool("open-shard", "--reason", "only this copy is left").returncode == OK
    wait_until(lambda: watched.warnings() == [], "the witness has seen the new log")
    assert stop(watched.relay) == 0 and stop(watched.process) == 0
    watched.start_both()
    wait_until(lambda: watched.warnings() == [], "what the break gave up stops nothing")
    assert watched.checks()["history"] and len(watched.witness.logs()) == 3


def test_witness_that_is_away_holds_up_nothing(watched):
    watched.configure_witness()
    watched.connect_witness()
    watched.witness.kill()
    watched.start_both()
    wait_until(lambda: "witness not reached" in watched.log_path("audit-relay").read_text(),
               "the relay says so")
    assert watched.readyz()[0] == 200 and watched.warnings()[0].startswith("unwitnessed since")
    assert stop(watched.relay) == 0


def test_a_size_alone_is_believed(watched):
    watched.configure_witness()
    watched.start_auditd()
    watched.export()
    watched.answer.write_text("1\n")
    assert watched.tool("witness-import", watched.request, watched.answer).returncode == OK
    watched.answer.write_text("100\n")
    done = watched.tool("witness-import", watched.request, watched.answer)
    assert done.returncode == CHECK_FAILED and "rolled back" in done.stderr
    assert not watched.checks()["history"]


def test_wrong_use_is_said(watched):
    done = watched.tool("witness-export", "--out", watched.request)
    assert done.returncode == USAGE and "cannot list a folder" in done.stderr
    watched.start_auditd()
    watched.export()
    done = watched.tool("witness-export", "--out", watched.request, "--old", "99")
    assert done.returncode == USAGE, done.stdout
    for answer in ("", "x\n", "\u2014 a b\n", "-1\n"):
        watched.answer.write_text(answer)
        done = watched.tool("witness-import", watched.request, watched.answer)
        assert done.returncode == USAGE, (answer, done.stdout)
    assert watched.checks()["history"]
