"""A deployment whose audit log a witness watches."""
import contextlib
import datetime
import shutil
import subprocess
import time

import leak_scan
from children import stop
from deployment import BIN, Deployment
from immutable import remove_folder
from running_deployment import folder, running, wait_until
from witness import Witness

OK = 0


def configure(deployment, section, line):
    before, head, after = deployment.config.read_text().partition(f"\n[{section}]")
    deployment.config.write_text(before + head + after.replace("\n", f"\n{line}\n", 1))


def believe(deployment, *witnesses):
    """auditd takes their cosignatures."""
    vkeys = ", ".join(f'"{witness.vkey}"' for witness in witnesses)
    configure(deployment, "auditd", f"witnesses = [{vkeys}]")


def connect(deployment, *witnesses):
    """The relay asks them, all of one authority, once it runs."""
    where = ", ".join(f'w{number} = "127.0.0.1:{witness.port}"'
                      for number, witness in enumerate(witnesses, 1))
    configure(deployment, "audit-relay", f'witnesses = {{ {where} }}\n'
                                         f'witness_ca = "{witnesses[0].ca_cert}"')


@contextlib.contextmanager
def running_watched():
    """(deployment, witness): all of the deployment, and its witness, both running."""
    with folder() as parent:
        witness = Witness(parent)

        @contextlib.contextmanager
        def watched(deployment):
            witness.know((deployment.dir / "public/audit.vkey").read_text().strip())
            witness.start()
            believe(deployment, witness)
            connect(deployment, witness)
            try:
                yield
            finally:
                witness.stop()

        with running("sqlite", watched) as deployment:
            yield deployment, witness


class WatchedShop:
    """A merchant with one card, and where the creation of its token stands."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.merchant = deployment.new_merchant()
        self.client = deployment.gateway(self.merchant.api_key)
        card = {"number": leak_scan.generate_pan(), "exp_month": 12,
                "exp_year": datetime.date.today().year + 1}
        self.token = self.client.post("/v1/tokens", {"card": card}).body["id"]
        found = wait_until(lambda: self.client.get(
            f"/v1/audit/entries?token={self.token}&type=token.create").body["data"], "its entry")
        self.entry = found[-1]
        self.log = f"{self.merchant.id}/{self.entry['shard']}"

    def ask(self, client=None, index=None):
        index = self.entry["index"] if index is None else index
        return (client or self.client).get(f"/v1/audit/logs/{self.log}/proof/{index}/witnessed")

    def wait_witnessed(self):
        """The answer, as soon as there is one; auditd need not wait a minute to record the log."""
        assert self.deployment.admin("auditd", "POST", "/v1/checkpoints")[0] == 200
        deadline = time.monotonic() + 90
        while (answer := self.ask()).status != 200:
            assert time.monotonic() < deadline, answer
            time.sleep(0.3)  # every asking is an entry
        return answer


class WatchedDeployment(Deployment):
    """auditd of a deployment, and its witness on another host: no network between them."""

    def __init__(self, parent):
        super().__init__(parent / "dir")
        self.create()
        self.witness = Witness(parent)
        self.process = None
        self.relay = None
        self.request = parent / "request"
        self.answer = parent / "answer"
        self.audit = self.dir / "audit"

    def configure_witness(self):
        believe(self, self.witness)

    def connect_witness(self):
        """The relay may reach it from now on."""
        self.witness.know((self.dir / "public/audit.vkey").read_text().strip())
        self.witness.start()
        connect(self, self.witness)

    def start_both(self):
        self.start_auditd()
        self.relay = self.start("audit-relay")

    def stop_all(self):
        for process in (self.relay, self.process, self.witness.process):
            if process:
                stop(process)

    def start_auditd(self):
        self.process = self.start("auditd")
        wait_until(lambda: "history" in self.checks(), "the journal is read")

    def readyz(self):
        try:
            return self.admin("auditd", "GET", "/readyz")
        except OSError:
            return 0, {"checks": [], "warnings": []}

    def checks(self):
        return {check["name"]: check["ok"] for check in self.readyz()[1]["checks"]}

    def warnings(self):
        return [warning for warning in self.readyz()[1]["warnings"]
                if "immutable" not in warning]

    def tool(self, *arguments):
        command = [BIN / "strongroom", "audit", *arguments, "--dir", self.dir]
        return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              timeout=60)

    def export(self, *arguments):
        """The log's vkey; the request stands in its file."""
        assert self.admin("auditd", "POST", "/v1/checkpoints")[0] == 200
        done = self.tool("witness-export", "--out", self.request, *arguments)
        assert done.returncode == OK, done.stderr
        return done.stdout.strip()

    def carry(self):
        """Has the witness answer the exported request; exit statuses of cosign and import."""
        cosigned = self.witness.run("cosign", self.request)
        self.answer.write_text(cosigned.stdout)
        told = self.tool("witness-import", self.request, self.answer)
        return cosigned.returncode, told.returncode

    def be_witnessed(self):
        vkey = self.export()
        if not self.witness.logs():   # later shards it knows by itself
            self.witness.know(vkey)
        assert self.carry() == (OK, OK)

    def entries(self):
        return self.strongroom("audit", "verify")["entries"]

    def put_back(self, copy):
        remove_folder(self.audit)
        shutil.copytree(copy, self.audit)
