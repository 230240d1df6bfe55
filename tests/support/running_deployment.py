"""A whole deployment with real processes for a test: made in a folder of its own, removed after."""
import contextlib
import pathlib
import signal
import sqlite3
import tempfile
import time
from dataclasses import dataclass

import psycopg2

import api
import audit_journal
import deployment as d
import softokn
from checked_api import CheckedApi
from children import stop
from immutable import remove_folder

RECOVERY_SECONDS = 20


def heed_hangup():
    """For preexec_fn: a child that ends with its terminal, though the tests may run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_until(condition, what, seconds=RECOVERY_SECONDS):
    """Returns condition()'s first true value; fails when none came in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


@contextlib.contextmanager
def folder():
    """A new folder that user postgres may pass through too."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-test-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        remove_folder(path)


@dataclass(frozen=True)
class Merchant:
    id: str
    key_id: str
    api_key: str


class RunningDeployment(d.Deployment):
    """A Deployment and its processes, with what tests ask of both."""

    def __init__(self, directory):
        super().__init__(directory)
        self.supervisor = d.Supervisor(self)

    @property
    def processes(self):
        return self.supervisor.processes

    def stop_one(self, instance):
        """SIGTERM; returns the exit status."""
        return stop(self.processes[instance])

    def start_one(self, instance, ready=True):
        self.processes[instance] = self.start(instance)
        if ready:
            self.wait_ready(instance, self.processes[instance])

    def failing_checks(self, instance):
        """Names of the checks in /readyz that say no."""
        _, report = self.admin(instance, "GET", "/readyz")
        return {check["name"] for check in report["checks"] if not check["ok"]}

    def metrics(self, instance):
        """What it counts and measures: {name with labels: value}."""
        _, text = self.admin(instance, "GET", "/metrics")
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}

    def configure(self, section, *lines):
        """Adds `lines` to a section of strongroom.toml; who runs reads them at its next start."""
        before, head, after = self.config.read_text().partition(f"\n[{section}]")
        assert head, f"no section {section}"
        added = "".join(f"\n{line}" for line in (*lines, ""))
        self.config.write_text(before + head + after.replace("\n", added, 1))

    def new_key(self, merchant_id, role="merchant_admin"):
        return self.strongroom("api-keys", "create", "--merchant", merchant_id, "--name", "test",
                               "--role", role)

    def new_merchant(self, role="merchant_admin"):
        merchant = self.strongroom("merchants", "create", "--name", "Test")["id"]
        key = self.new_key(merchant, role)
        return Merchant(merchant, key["id"], key["key"])

    def gateway(self, api_key=None, **options):
        """A client of edged; without a key it is the sandbox's own merchant."""
        state = self.state()
        return CheckedApi("public", state["gateway_url"], state["ca_cert"],
                          api_key or state["api_key"], **options)

    def ticket(self, api_key=None):
        """What authd gives for a credential: 60 seconds of a merchant's rights."""
        state = self.state()
        desk = api.Api(state["authd_url"], state["ca_cert"], api_key or state["api_key"],
                       state["client_cert"], state["client_key"])
        status, ticket, _ = desk.call("POST", "/v1/tickets")
        desk.close()
        assert status == 200, ticket
        return ticket.decode()

    def vault(self, ticket=None):
        """A client of vaultd with the identity `loadgen`."""
        state = self.state()
        return CheckedApi("vault", state["vault_url"], state["ca_cert"], None,
                          state["client_cert"], state["client_key"],
                          headers={"Strongroom-Ticket": ticket or self.ticket()})

    def audit_entries(self, **unmapped):
        """Entries whose `unmapped` members have these values, oldest first."""
        return [entry for entry in audit_journal.entries(self.dir / "audit")
                if unmapped.items() <= entry["unmapped"].items()]

    def signed_size(self, log):
        """Entries that the newest checkpoint of a log covers."""
        path = self.dir / "audit/checkpoints" / f"{log}.log"
        notes = path.read_text() if path.exists() else ""
        whole = notes.rpartition("\n\n")[0]  # up to the signature of the newest
        return int(whole.rsplit("\n", 2)[1]) if whole else 0

    def connect(self, database):
        """A reading connection to the database `vault`, `auth` or `core`."""
        url = self.state()["databases"][database]
        if url.startswith("sqlite:"):
            return sqlite3.connect(f"file:{url.removeprefix('sqlite:')}?mode=ro", uri=True)
        return psycopg2.connect(url)

    def rows(self, database, query):
        """What it answers to `query`; bytes as bytes."""
        with contextlib.closing(self.connect(database)) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return [tuple(bytes(value) if isinstance(value, memoryview) else value
                          for value in row) for row in cursor.fetchall()]

    def vault_rows(self, query):
        return self.rows("vault", query)

    def written(self):
        """All that the processes have said, and the audit log."""
        paths = [*(self.dir / "log").iterdir(), *(self.dir / "audit").glob("journal-*")]
        return b"".join(path.read_bytes() for path in sorted(paths))


@contextlib.contextmanager
def running(database="sqlite", around=contextlib.nullcontext, hsm="softhsm"):
    """A fresh deployment, every process ready; all of it is gone afterwards. The processes live
    inside the context that `around` gives for the deployment. Its HSM is `softhsm` or `softokn`.
    """
    with folder() as parent:
        deployment = RunningDeployment(parent / "deployment")
        options = softokn.make_token(parent / "token") if hsm == "softokn" else ()
        deployment.create(database, *options)
        with around(deployment):
            try:
                deployment.supervisor.start_all()
                yield deployment
            finally:
                deployment.supervisor.stop_all()
