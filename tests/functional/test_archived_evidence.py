"""What evidence there is once part of the journal is in archives: proofs, exports and reports
before that, then, and once the archive is restored. All processes are there; for auditd everything
is old.
"""
import contextlib
import datetime
import json
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from dataclasses import dataclass

import pytest

import immutable
import leak_scan
import tlog
from deployment import BIN
from running_deployment import Merchant, running, wait_until

ARCHIVED = 4
DAYS = ["--from", "2020-01-01"]


@contextlib.contextmanager
def everything_is_old(deployment):
    text = deployment.config.read_text()
    assert "archive_key =" in text
    deployment.config.write_text(text.replace("archive_key =",
                                              "at_hand_days = 0\narchive_key =", 1))
    yield


@dataclass
class Scene:
    """A merchant whose first card's entries are in an archive, and what there was before that."""
    deployment: object
    merchant: Merchant
    old: str            # the first card's token
    exported: pathlib.Path
    report: dict
    new: str = ""       # the second card's
    archive: str = ""
    log: str = ""

    def audit(self, *arguments):
        """Exit status, what was printed as JSON, standard error."""
        done = subprocess.run([BIN / "strongroom", "audit", *map(str, arguments), "--dir",
                               self.deployment.dir, "--json"], capture_output=True, text=True)
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    def text(self, *arguments):
        done = subprocess.run([BIN / "strongroom", "audit", *map(str, arguments), "--dir",
                               self.deployment.dir], capture_output=True, text=True)
        return done.returncode, done.stdout

    def card(self):
        """A token whose entries are all signed for."""
        client = self.deployment.gateway(self.merchant.api_key)
        card = {"number": leak_scan.generate_pan(), "exp_month": 12,
                "exp_year": datetime.date.today().year + 1}
        token = client.post("/v1/tokens", {"card": card}).body["id"]
        client.get(f"/v1/tokens/{token}")
        entries = wait_until(lambda: len(found := self.deployment.audit_entries(
            gateway_token=token)) == 3 and found, "its three entries")
        self.log = f"{self.merchant.id}-{entries[0]['unmapped']['timestamp'][:4]}"
        return token

    def key(self):
        return tlog.read_key(self.deployment.dir / "public/audit.vkey")

    def export(self, out):
        """Its exit status and gaps; all verifiers agree with it."""
        status, report, reason = self.audit("export", "--all", "--out", out)
        assert status in (0, ARCHIVED), reason
        verified, verdict, _ = self.audit("verify", "--export", out)
        assert (verified, verdict["ok"], verdict["gaps"]) == (status, True, report["gaps"])
        second = subprocess.run([sys.executable, tlog.__file__, "export", out,
                                 self.deployment.dir / "public/audit.vkey"],
                                capture_output=True, text=True)
        assert second.returncode == status, second.stdout
        for gap in report["gaps"]:
            assert (f"entries {gap['begin']} to {gap['end'] - 1} of {gap['log']}, said to be in"
                    f" {gap['archive']}") in second.stdout
        return status, report["gaps"]

    def restore(self):
        assert self.audit("restore", self.archive)[0] == 0

    def copy(self):
        """Of the archive's segment, once it is restored."""
        return self.deployment.dir / "audit/restored" / self.archive.replace(".archive", ".log")

    def unread(self):
        """Entries that the search index has passed over; None: it is not there yet."""
        status, answer = self.deployment.admin("audit-relay", "GET", "/v1/index")
        assert status == 200
        logs = {log["log"]: log for log in answer["data"]}
        known = logs[self.log]["entries"] if self.log in logs else 0
        if known < self.deployment.signed_size(self.log):
            return None
        return sum(log["unread"] for log in logs.values())

    def renew_index(self):
        """As an operator does who doubts it."""
        assert self.deployment.stop_one("audit-relay") == 0
        for file in (self.deployment.dir / "data/audit-relay").glob("index*"):
            file.unlink()
        self.deployment.start_one("audit-relay")
        return wait_until(lambda: None if (unread := self.unread()) is None else [unread],
                          "the search index")[0]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with running("sqlite", everything_is_old) as made:
        before = Scene(made, made.new_merchant(), "", tmp_path_factory.mktemp("before") / "out", {})
        before.old = before.card()
        assert before.export(before.exported) == (0, [])
        status, before.report, _ = before.audit("report", *DAYS)
        assert status == 0 and before.report["complete"] and not before.report["archived"]
        assert {row["token"] for row in before.report["rows"]} >= {before.old}
        yield before


@pytest.fixture(scope="module")
def archived(scene):
    """Once the first card's entries are in an archive, and the second's are not."""
    assert scene.audit("archive")[1] == {"archived": 1}
    (archive,) = scene.audit("archives")[1]
    scene.archive = archive["name"]
    scene.new = scene.card()
    # The index has not read what was archived within a moment of being written.
    scene.restore()
    assert scene.renew_index() == 0
    immutable.make_mutable(scene.copy())
    scene.copy().unlink()
    return scene


@pytest.fixture
def without_relay(archived):
    assert archived.deployment.stop_one("audit-relay") == 0
    yield
    archived.deployment.start_one("audit-relay")


def expect_proven(scene, written, token):
    assert [json.load(open(one["entry"]))["unmapped"]["gateway_token"] for one in written] == \
        [token] * 3
    for one in written:
        tlog.verify_proof(open(one["proof"], "rb").read(), open(one["entry"], "rb").read(),
                          scene.key())


def test_a_new_token_is_proven_beside_archives(archived, tmp_path):
    status, written, reason = archived.audit("prove", "--token", archived.new, "--out", tmp_path)
    assert status == 0, reason
    expect_proven(archived, written, archived.new)


def test_without_an_index_it_is_said_what_was_not_looked_at(archived, without_relay, tmp_path):
    status, written, reason = archived.audit("prove", "--token", archived.new, "--out", tmp_path)
    assert status == ARCHIVED and archived.archive in reason and "not looked at" in reason
    expect_proven(archived, written, archived.new)


def test_an_index_made_beside_archives_goes_on_behind_them(archived, tmp_path):
    assert archived.renew_index() > 0
    found = archived.audit("search", "--token", archived.new)[1]
    assert archived.new in json.dumps(found)
    status, written, reason = archived.audit("prove", "--token", archived.new, "--out", tmp_path)
    assert status == ARCHIVED and "not looked at" in reason
    expect_proven(archived, written, archived.new)
    archived.restore()
    assert archived.renew_index() == 0
    immutable.make_mutable(archived.copy())
    archived.copy().unlink()


def test_an_archived_entry_is_named_with_what_brings_it_back(archived, tmp_path):
    status, written, reason = archived.audit("prove", "--token", archived.old, "--out", tmp_path)
    assert status == ARCHIVED and list(tmp_path.iterdir()) == []
    assert [one["archive"] for one in written] == [archived.archive] * 3
    for one in written:
        assert (f"entry {one['index']} of {one['log']} is in {archived.archive};"
                f" strongroom audit restore {archived.archive}") in reason
    one = archived.audit("prove", "--log", written[0]["log"], "--index", written[0]["index"],
                         "--out", tmp_path)
    assert one[:2] == (ARCHIVED, written[:1])


def test_an_unknown_token_is_not_proven(archived, tmp_path):
    assert archived.audit("prove", "--token", "tok_" + "a" * 26, "--out", tmp_path)[:2] == (1, None)


def test_an_export_has_what_is_at_hand_and_names_the_rest(archived, tmp_path):
    status, gaps = archived.export(tmp_path / "out")
    assert status == ARCHIVED and {gap["archive"] for gap in gaps} == {archived.archive}
    path = archived.log.replace("-", "/")
    (gap,) = [gap for gap in gaps if gap["log"] == path]
    assert gap["begin"] == 0
    # What is at hand of the bundle that the gap cuts.
    (rest,) = (tmp_path / "out" / path / "at-hand").iterdir()
    assert rest.name.startswith(f"{gap['end']}-") and archived.new.encode() in rest.read_bytes()
    told = "\n".join([f"  {path}, entries 0 to {gap['end'] - 1}: {archived.archive}", ""])
    shown, text = archived.text("verify", "--export", tmp_path / "out")
    assert shown == ARCHIVED and text.startswith("intact as far as it goes\n") and told in text
    shutil.rmtree(tmp_path / "out" / path / "at-hand")
    assert archived.audit("verify", "--export", tmp_path / "out")[0] == 1


def test_what_an_earlier_export_has_is_no_gap(archived):
    """Only what the operator's log gained between that export and the archive is one."""
    status, gaps = archived.export(archived.exported)
    assert status == ARCHIVED
    assert {gap["log"].split("/")[0] for gap in gaps} == {"operator"}
    assert all(gap["begin"] > 0 for gap in gaps)


def test_a_report_says_what_it_lacks(archived, tmp_path):
    plot = tmp_path / "plot.svg"
    status, report, _ = archived.audit("report", *DAYS, "--plot", plot)
    assert (status, report["complete"]) == (ARCHIVED, False)
    assert {row["token"] for row in report["rows"]} == {archived.new}
    (archive,) = archived.audit("archives")[1]
    assert report["archived"] == [{"archive": archive["name"], "from": archive["from"],
                                   "to": archive["to"], "entries": archive["entries"]}]
    assert "INCOMPLETE" in "".join(xml.etree.ElementTree.parse(plot).getroot().itertext())
    status, table = archived.text("report", *DAYS)
    assert status == ARCHIVED
    assert (f"{archive['from']} to {archive['to']}, {archive['entries']} entries: strongroom audit"
            f" restore {archive['name']}") in table


def test_a_report_of_what_no_archive_holds_is_complete(archived):
    other = archived.deployment.new_merchant()
    for asked in (["--to", "2020-01-01"], [*DAYS, "--merchant", other.id]):
        status, report, _ = archived.audit("report", *asked)
        assert (status, report["complete"], report["archived"]) == (0, True, []), asked
    assert archived.audit("report", *DAYS, "--merchant", archived.merchant.id)[0] == ARCHIVED


def test_a_report_of_a_merchant_without_a_log_of_its_own_counts_on_the_operators(archived):
    """An id that can name no log has its entries there, and there an archive may hold them."""
    for merchant in ("1st-shop", "shop-12345678", "a" * 65):
        assert archived.audit("report", *DAYS, "--merchant", merchant)[0] == ARCHIVED, merchant
    status, _, reason = archived.audit("report", *DAYS, "--merchant", leak_scan.generate_pan())
    assert status == 2 and "looks like a card number" in reason


def test_what_was_restored_counts_as_at_hand(archived, tmp_path):
    archived.restore()
    status, report, _ = archived.audit("report", *DAYS)
    assert (status, report["complete"], report["archived"]) == (0, True, [])
    old = [row for row in report["rows"] if row["token"] == archived.old]
    assert old and old == [row for row in archived.report["rows"] if row["token"] == archived.old]
    assert {archived.new} < {row["token"] for row in report["rows"]}
    status, written, reason = archived.audit("prove", "--token", archived.old, "--out", tmp_path)
    assert status == 0, reason
    expect_proven(archived, written, archived.old)
    assert archived.export(tmp_path / "out") == (0, [])


def test_an_archive_that_is_gone_is_said_to_be(archived, tmp_path):
    """The copy is there, so the segment is; without it, nobody has it."""
    for path in (archived.copy(), archived.deployment.dir / "audit/archive" / archived.archive):
        immutable.make_mutable(path)
        path.rename(tmp_path / path.name)
        status, report, _ = archived.audit("report", *DAYS)
        assert status == ARCHIVED and not report["complete"]
    assert report["archived"][0]["archive"] is None
    status, _, reason = archived.audit("prove", "--token", archived.old, "--out", tmp_path / "out")
    assert status == ARCHIVED and f"{archived.archive}, which is no longer there" in reason
