"""A merchant reads its own audit log over HTTPS, checks it with the second verifier, and reaches
nobody else's. Operators search all of it.
"""
import base64
import datetime
import fcntl
import http.server
import json
import os
import re
import signal
import socketserver
import struct
import subprocess
import termios
import threading
import urllib.parse

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

import api
import leak_scan
import tlog
from certificates import Authority, Leaf
from deployment import BIN, ROOT
from running_deployment import running, wait_until
from tls_sink import TlsSink


@pytest.fixture(scope="module")
def deployment():
    with running("sqlite") as made:
        yield made


class Shop:
    """A merchant with a token, and its way to its log."""

    def __init__(self, deployment, role="merchant_admin"):
        self.deployment = deployment
        self.merchant = deployment.new_merchant()
        client = deployment.gateway(self.merchant.api_key)
        card = {"number": leak_scan.generate_pan(), "exp_month": 12,
                "exp_year": datetime.date.today().year + 1}
        self.token = client.post("/v1/tokens", {"card": card}).body["id"]
        client.close()
        self.checked = deployment.gateway(self.merchant.api_key)
        state = deployment.state()
        self._plain = api.Api(state["gateway_url"], state["ca_cert"], self.merchant.api_key)

    def get(self, path):
        """(status, body, headers) of what is below /v1/audit."""
        return self._plain.call("GET", f"/v1/audit/{path}")

    def search(self, **filters):
        query = urllib.parse.urlencode(filters)
        answer = self.checked.get(f"/v1/audit/entries?{query}")
        assert answer.status == 200, answer.body
        return answer.body

    def wait_found(self, count, **filters):
        """A search's entries, oldest first, once there are `count`."""
        return wait_until(lambda: len(found := self.search(**filters)["data"]) >= count
                          and found[::-1], f"{count} entries with {filters}")

    @property
    def log(self):
        return f"logs/{self.merchant.id}/{datetime.datetime.now(datetime.timezone.utc).year}"


class ServedTree(tlog.Tree):
    """The tree as it is served instead of as files."""

    def __init__(self, shop, size):
        super().__init__(None, size)
        self.shop = shop

    def read(self, path):
        self.files.add(path)
        status, data, headers = self.shop.get(f"{self.shop.log}/{path}")
        tlog.require(status == 200, f"{path}: {status}")
        assert headers["content-type"] == "application/octet-stream"
        assert headers["cache-control"] == "private, max-age=31536000, immutable"
        return data


@pytest.fixture(scope="module")
def shop(deployment):
    return Shop(deployment)


@pytest.fixture(scope="module")
def other(deployment):
    return Shop(deployment)


def key_of(deployment, origin):
    """The one public key, under the name of the log."""
    return tlog.Key(origin, tlog.parse_vkey(deployment.state()["audit_public_key"]).public)


def served_checkpoint(shop):
    status, note, headers = wait_until(
        lambda: (answer := shop.get(f"{shop.log}/checkpoint"))[0] == 200 and answer, "a checkpoint")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    origin = note.decode().split("\n")[0]
    assert origin.split("/")[-2] == shop.merchant.id
    return tlog.open_checkpoint(note, key_of(shop.deployment, origin))[0]


def test_the_served_tree_gives_the_root_of_its_checkpoint(shop):
    checkpoint = served_checkpoint(shop)
    assert checkpoint.size > 0
    tree = ServedTree(shop, checkpoint.size)
    assert tree.root() == checkpoint.root
    assert any(path.startswith("tile/entries/") for path in tree.files)


def test_what_the_checkpoint_does_not_cover_is_not_there(shop):
    for path in ("tile/0/900", "tile/0/000.p/255", "tile/3/000.p/1", "tile/entries/900",
                 "proof/99999999", "nothing"):
        assert shop.get(f"{shop.log}/{path}")[0] == 404, path


def test_a_proof_of_a_new_entry_comes_with_the_next_checkpoint(shop):
    shop.checked.get(f"/v1/tokens/{shop.token}")
    found = shop.wait_found(1, token=shop.token, type="token.lookup")[-1]
    status, proof, _ = shop.get(f"{shop.log}/proof/{found['index']}")
    assert status == 200
    entry = json.dumps(found["entry"], separators=(",", ":"), ensure_ascii=False).encode()
    assert base64.b64encode(tlog.leaf_hash(entry)).decode() == found["leaf_hash"]
    key = tlog.parse_vkey(shop.deployment.state()["audit_public_key"])
    assert tlog.verify_proof(proof, entry, key)[0].index == found["index"]


def test_a_merchant_finds_by_every_key(shop):
    created, *_ = shop.wait_found(1, token=shop.token, type="token.create")
    facts = created["entry"]["unmapped"]
    actor = created["entry"]["actor"]["user"]["uid"]
    assert actor == shop.merchant.key_id
    before = datetime.datetime.fromisoformat(facts["timestamp"])
    assert facts["event_type"] == "token.create"
    for filters in ({"actor": actor}, {"type": "token.create"}, {"request": facts["request_id"]},
                    {"from": before.isoformat(), "token": shop.token}):
        assert created["index"] in [found["index"] for found in shop.search(**filters)["data"]]
    assert shop.search(to=before.isoformat(), token=shop.token)["data"] == []
    body = shop.search(limit=2)
    assert len(body["data"]) == 2 and body["indexed"]["entries"] <= body["indexed"]["of"]
    second = shop.search(limit=2, after=body["next"])
    assert not {found["index"] for found in body["data"]} & \
        {found["index"] for found in second["data"]}


def test_another_merchants_log_is_not_there(shop, other):
    served_checkpoint(other)
    for path in ("checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "proof/0"):
        for log in (other.log, other.log.replace(other.merchant.id, "operator")):
            status, body, _ = shop.get(f"{log}/{path}")
            assert (status, body["type"]) == (404, "urn:strongroom:problem:not-found")
    assert shop.search(token=other.token)["data"] == []
    assert {log["owner"] for log in shop.checked.get("/v1/audit/logs").body["data"]} == \
        {shop.merchant.id}


def test_a_till_may_not_read_the_log(shop):
    key = shop.deployment.new_key(shop.merchant.id, "tokenizer")["key"]
    answer = shop.deployment.gateway(key).get("/v1/audit/logs")
    assert (answer.status, answer.problem) == (403, "not-allowed")
    denied = shop.deployment.audit_entries(request_id=answer.body["request_id"])
    assert [entry["unmapped"]["event_type"] for entry in denied] == ["access.denied"]


def test_every_reading_is_in_the_log_before_the_answer(shop):
    answer = shop.checked.get("/v1/audit/logs")
    read, = shop.deployment.audit_entries(request_id=answer.headers["strongroom-request-id"])
    assert read["unmapped"]["event_type"] == "log.read"
    assert read["actor"]["user"]["uid"] == shop.merchant.key_id
    assert read["unmapped"]["merchant_id"] == shop.merchant.id
    assert read["src_endpoint"]["ip"] == "127.0.0.1"


def tool(deployment, *arguments):
    return subprocess.run([BIN / "strongroom", "audit", *arguments, "--dir", deployment.dir],
                          capture_output=True, text=True)


def test_operators_search_all_logs(shop, other):
    deployment = shop.deployment
    other.wait_found(1, token=other.token)
    found = json.loads(tool(deployment, "search", "--token", other.token, "--type", "token.create",
                            "--json").stdout)
    assert {entry["owner"] for entry in found} == {other.merchant.id}
    shown = tool(deployment, "search", "--merchant", shop.merchant.id, "--type", "token.create")
    assert shown.returncode == 0
    heading, *lines = shown.stdout.splitlines()
    assert heading.split() == ["time", "log", "index", "event", "outcome", "actor", "from",
                               "resources"]
    assert lines and all(shop.merchant.id in line and "token.create" in line for line in lines)
    assert shop.token in shown.stdout and other.token not in shown.stdout
    assert len(json.loads(tool(deployment, "search", "--limit", "60", "--json").stdout)) == 60
    wrong = tool(deployment, "search", "--type", "token.made")
    assert wrong.returncode == 2 and "event type" in wrong.stderr


def test_tail_goes_on_with_what_comes(shop):
    deployment = shop.deployment
    command = [BIN / "strongroom", "audit", "tail", "--lines", "1", "--follow", "--json", "--dir",
               deployment.dir]
    tail = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        first = json.loads(tail.stdout.readline())
        assert first["entry"]["unmapped"]["schema"] == 1
        shop.checked.get(f"/v1/tokens/{shop.token}")
        for line in tail.stdout:
            facts = json.loads(line)["entry"]["unmapped"]
            if (facts["event_type"], facts.get("gateway_token")) == ("token.lookup", shop.token):
                break
        else:
            pytest.fail("the look-up never came")
    finally:
        tail.send_signal(signal.SIGTERM)
        tail.wait()


class LyingRelay(socketserver.UnixStreamServer):
    """In audit-relay's place: shows `found`, whatever it is asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = as_logged({"object": "list", "data": [self.server.found], "next": None})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

        def address_string(self):
            return "local"

    def __init__(self, path, found):
        path.unlink(missing_ok=True)
        super().__init__(str(path), self.Handler)
        self.found = found
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


def as_logged(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def search_of_a_liar(deployment, found):
    """What the tool says of `found`, while audit-relay is stopped."""
    liar = LyingRelay(deployment.run / "audit-relay.admin.sock", found)
    try:
        return tool(deployment, "search")
    finally:
        liar.close()


def metric(deployment, name):
    return deployment.metrics("audit-relay")[name]


def test_the_index_is_made_anew_when_it_is_gone(shop):
    deployment = shop.deployment
    shown = shop.wait_found(1, type="token.create")
    before = [found["index"] for found in shown]
    assert deployment.stop_one("audit-relay") == 0
    true = shown[0]
    said = search_of_a_liar(deployment, true)
    assert said.returncode == 0 and "against the signed log" in said.stderr, said.stderr
    entry = dict(true["entry"], severity_id=4)
    invented = dict(true, entry=entry, leaf_hash=base64.b64encode(
        tlog.leaf_hash(as_logged(entry))).decode())
    for lie in (invented, dict(true, index=true["index"] + 1), dict(true, index=10**9),
                dict(true, owner="operator"), dict(true, owner="../operator")):
        said = search_of_a_liar(deployment, lie)
        assert said.returncode == 1 and said.stdout == "", said
    for path in (deployment.dir / "data/audit-relay").iterdir():
        path.unlink()
    deployment.start_one("audit-relay")
    after = [found["index"] for found in shop.wait_found(len(before), type="token.create")]
    assert after == before
    wait_until(lambda: metric(deployment, "strongroom_audit_index_lag_entries") == 0, "no lag")


OPERATING = ROOT / "docs/operating.md"
SYSLOG = re.compile(rb'<(\d+)>1 (\S+) (\S+) (\S+) - (\S+) '
                    rb'\[tlog@32473 origin="([^"]+)" index="(\d+)" leaf="([^"]+)"\] (\{.*\})',
                    re.DOTALL)


def exported(records):
    """Entries by (origin, index); each record is whole and has its entry's leaf hash."""
    entries = {}
    for record in records:
        _, _, _, app, event, origin, index, leaf, entry = SYSLOG.fullmatch(record).groups()
        assert base64.b64decode(leaf) == tlog.leaf_hash(entry)
        facts = json.loads(entry)
        assert facts["unmapped"]["event_type"].encode() == event
        assert facts["actor"]["app_uid"].encode() == app
        entries[(origin.decode(), int(index))] = entry
    return entries


def lookups(entries, token):
    return sum(token.encode() in entry and b"token.lookup" in entry for entry in entries)


class StuckFile:
    """A file that takes a page, and then holds up whoever writes to it."""

    def __init__(self, path):
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR)
        self.size = fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, 4096)

    def holds_up(self):
        (waiting,) = struct.unpack("i", fcntl.ioctl(self.fd, termios.FIONREAD, b"0000"))
        return waiting == self.size

    def release(self):
        def read():
            while os.read(self.fd, self.size):
                pass
        threading.Thread(target=read, daemon=True).start()


@pytest.fixture
def exporting(deployment):
    """A sink that audit-relay sends syslog to, a file of NDJSON, and files that hang: (sink, file,
    stuck files)."""
    authority = Authority.of(deployment)
    sink = TlsSink(authority.issue(Leaf(usage=(ExtendedKeyUsageOID.SERVER_AUTH,))),
                   deployment.dir / "tls/ca/ca.crt")
    own = authority.issue(Leaf())
    folder = deployment.dir / "data/exports"
    folder.mkdir()
    text = deployment.config.read_text()
    tables = f"""
[audit-relay.export.siem]
format = "syslog"
destination = "tls://localhost:{sink.port}"
ca = "tls/ca/ca.crt"
certificate = "{own.certificate}"
key = "{own.key}"

[audit-relay.export.copy]
format = "ndjson"
destination = "file:{folder}/audit.ndjson"
"""
    names = ["siem", "copy"]
    stuck = {}
    for name in ("stuck-1", "stuck-2"):
        names.append(name)
        stuck[name] = StuckFile(folder / name)
        tables += f'\n[audit-relay.export.{name}]\ndestination = "file:{folder}/{name}"\n'
    named = text.replace('data = "data/audit-relay"',
                         f'exporters = {json.dumps(names)}\ndata = "data/audit-relay"')
    deployment.config.write_text(named + tables)
    assert deployment.stop_one("audit-relay") == 0
    deployment.start_one("audit-relay")
    yield sink, folder / "audit.ndjson", stuck
    for file in stuck.values():
        file.release()
    deployment.config.write_text(text)
    assert deployment.stop_one("audit-relay") == 0
    deployment.start_one("audit-relay")
    sink.close()


def test_copies_can_be_checked_and_a_dead_sink_loses_nothing(shop, exporting):
    deployment = shop.deployment
    sink, file, stuck = exporting
    shop.checked.get(f"/v1/tokens/{shop.token}")
    known = len(deployment.audit_entries(event_type="token.lookup", gateway_token=shop.token))
    wait_until(lambda: lookups(exported(sink.taken()).values(), shop.token) >= known, "all sent")
    for name, one in stuck.items():
        wait_until(one.holds_up, f"{name} hangs")
        lag = f'strongroom_audit_export_lag_entries{{exporter="{name}"}}'
        wait_until(lambda lag=lag: metric(deployment, lag) > 0, f"the lag of {name}")
    assert shop.get(f"{shop.log}/proof/0")[0] == 200  # nobody else waits for them
    sink.die()
    shop.checked.get(f"/v1/tokens/{shop.token}")
    wait_until(lambda: "export siem: its sink takes nothing" in
               deployment.admin("audit-relay", "GET", "/readyz")[1]["warnings"], "the warning")
    assert deployment.is_ready("audit-relay")  # nothing else waits for it
    status = subprocess.run([BIN / "strongroom", "status", "--dir", deployment.dir],
                            capture_output=True, text=True)
    assert "warning: export siem: its sink takes nothing" in status.stdout
    failing = 'strongroom_audit_export_failing{exporter="siem"}'
    wait_until(lambda: metric(deployment, failing) == 1, "the alarm")
    named = set(re.findall(r"strongroom_audit_[a-z_]+", OPERATING.read_text()))
    served = {name for daemon in ("auditd", "audit-relay") for name in re.findall(
        r"^# TYPE (\S+)", deployment.admin(daemon, "GET", "/metrics")[1], re.MULTILINE)}
    assert named - served == {"strongroom_audit_witness_failing"}  # no witness is set here
    sink.revive()
    wait_until(lambda: lookups(exported(sink.taken()).values(), shop.token) >= known + 1,
               "all sent again")
    origins = {}
    for origin, index in exported(sink.taken()):
        origins.setdefault(origin, set()).add(index)
    assert all(found == set(range(len(found))) for found in origins.values())
    copies = wait_until(lambda: lookups(lines := file.read_bytes().splitlines(), shop.token) >=
                        known + 1 and lines, "the file")
    for record in map(json.loads, copies):
        entry = json.dumps(record["entry"], separators=(",", ":"), ensure_ascii=False).encode()
        assert base64.b64encode(tlog.leaf_hash(entry)).decode() == record["leaf_hash"]
    told = deployment.audit_entries(event_type="log.export")
    assert {tuple(resource["uid"] for resource in entry["resources"]) for entry in told} == {
        ("siem", f"tls://localhost:{sink.port}"), ("copy", f"file:{file}"),
        *((name, f"file:{file.parent}/{name}") for name in stuck)}


def test_without_auditd_nothing_is_shown_and_all_comes_back(shop):
    deployment = shop.deployment
    assert deployment.stop_one("auditd") == 0
    wait_until(lambda: deployment.failing_checks("audit-relay") == {"auditd"}, "unready")
    answer = shop.checked.get("/v1/audit/logs")
    assert (answer.status, answer.problem) == (503, "audit-unavailable")
    deployment.start_one("auditd")
    wait_until(lambda: deployment.is_ready("audit-relay"), "ready again")
    wait_until(lambda: shop.checked.get("/v1/audit/logs").status == 200, "shown again")


def test_a_folder_that_cannot_be_read_is_named_and_found_again(shop):
    deployment = shop.deployment
    record = deployment.dir / "audit/last-signed"
    text = record.read_bytes()
    assert deployment.stop_one("auditd") == 0
    record.write_bytes(b"damaged")
    wait_until(lambda: "log" in deployment.failing_checks("audit-relay"), "unready")
    record.write_bytes(text)
    deployment.start_one("auditd")
    wait_until(lambda: deployment.is_ready("audit-relay"), "ready again")
