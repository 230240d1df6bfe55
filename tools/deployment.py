"""A deployment folder on this machine: making it, running its processes, asking how they are.

Used by `./dev up`, `./dev down`, `./dev demo` and the functional tests. Standard library only.
"""

import fcntl
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

from private_postgres import Postgres
from children import (READY_SECONDS, STOP_SECONDS, DeploymentError, die_with_parent, stop,
                      write_atomically)

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("STRONGROOM_BIN", ROOT / "build/release/bin"))
# In the order in which they need each other.
DAEMONS = ("auditd", "authd", "connectord-stripe", "vaultd", "gatewayd",
           "audit-relay", "edged")
SIMULATOR = "psp-sim"  # stands beside connectord-stripe; no daemon, it has no admin socket
BACKOFF_SECONDS_MAX = 30
BACKOFF_DOUBLINGS_MAX = 9
STEADY_SECONDS = 60  # whoever lived as long starts again with the shortest delay


def program_of(instance):
    """The executable of an instance: connectord-stripe is connectord."""
    return BIN / ("connectord" if instance.startswith("connectord-") else instance)


def build_programs(*more):
    """Builds what a deployment runs, and the targets `more`."""
    build(*(program_of(instance).name for instance in (*DAEMONS, SIMULATOR, "strongroom")), *more)


def build(*targets):
    """Builds `targets`, unless STRONGROOM_BIN names a folder where all that is ready."""
    if "STRONGROOM_BIN" in os.environ:
        return
    for command in (("tools/setup.sh",), ("tools/build.sh", "release", *targets)):
        if subprocess.run(command, cwd=ROOT).returncode != 0:
            raise DeploymentError(f"{command[0]} failed")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Deployment:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory).absolute()
        self.config = self.dir / "etc/strongroom.toml"
        self.run = self.dir / "run"
        self.state_file = self.dir / "sandbox.json"
        self.access_file = self.dir / "secrets" / "sandbox-access.json"
        self.postgres = Postgres(self.dir / "postgres")

    # --- making one -----------------------------------------------------------------------------

    def exists(self):
        return self.config.exists()

    def create(self, database="sqlite", *options):
        """With `options` of `strongroom init`."""
        command = [BIN / "strongroom", "init", "--dir", self.dir, "--profile", "demo", *options]
        if database == "postgres":
            self.dir.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.postgres.create()
            try:
                with self.postgres.running():
                    urls = self.postgres.create_databases(("vault", "auth", "core"))
                    for name, url in urls.items():
                        command += [f"--{name}-database", url]
                    self._check(command)
            except BaseException:  # nobody could use it, and it would be in the next attempt's way
                self.postgres.remove()
                raise
        else:
            self._check(command)

    def _check(self, command, typed=None):
        done = subprocess.run([str(part) for part in command], input=typed, capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise DeploymentError(f"{pathlib.Path(command[0]).name} {command[1]} failed "
                                  f"(exit {done.returncode}):\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout

    # --- asking ---------------------------------------------------------------------------------

    def admin(self, instance, method, path, body=None, timeout=5):
        """One request over an admin socket: (status, decoded JSON or text)."""
        connection = _UnixConnection(self.run / f"{instance}.admin.sock", timeout)
        try:
            payload = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(text) if is_json and text else text

    def is_ready(self, instance):
        try:
            if instance == SIMULATOR:
                socket.create_connection(self.simulator_address(), timeout=1).close()
                return True
            return self.admin(instance, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    def strongroom(self, *arguments, typed=None):
        """Runs the operators' tool on this deployment, with the line `typed` as its input, and
        returns its JSON.
        """
        command = [BIN / "strongroom", *arguments, "--dir", self.dir, "--json"]
        return json.loads(self._check(command, typed))

    def add_account(self, merchant, credential="sk_test_of_the_sandbox", *more):
        """Enters a merchant's account at the processor that psp-sim plays, which takes any key."""
        return self.strongroom("connector-accounts", "add", "--merchant", merchant,
                               "--connector", "stripe", *more, typed=f"{credential}\n")

    def state(self):
        return json.loads(self.state_file.read_text())

    def settings(self):
        """strongroom.toml, parsed."""
        import tomllib
        return tomllib.loads(self.config.read_text())

    def _database_url(self, url):
        """As the configuration has it, but with an absolute path."""
        scheme, _, path = url.partition(":")
        return f"sqlite:{self.dir / path}" if scheme == "sqlite" else url

    def simulator_address(self):
        """Where connectord-stripe looks for its processor: (host, port)."""
        host, _, port = self.settings()["connectord"]["stripe"]["host"].rpartition(":")
        return host, int(port)

    # --- running --------------------------------------------------------------------------------

    def command(self, instance):
        """What starts an instance."""
        program = program_of(instance)
        if instance == SIMULATOR:
            pair = self.dir / "tls/psp-sim/psp-sim"
            return [program, "--listen", f"127.0.0.1:{self.simulator_address()[1]}",
                    "--certificate", f"{pair}.crt", "--key", f"{pair}.key"]
        return [program, "--config", self.config, "--instance", instance]

    def start(self, instance):
        log = open(self.log_path(instance), "ab")
        return subprocess.Popen(
            [str(part) for part in self.command(instance)], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, cwd="/", preexec_fn=die_with_parent)

    def wait_stopped(self, seconds=STOP_SECONDS):
        """Returns when no daemon of an earlier run is left: one may still be on its way out."""
        deadline = time.monotonic() + seconds
        while any(map(self._is_running, DAEMONS)):
            if time.monotonic() > deadline:
                raise DeploymentError(f"processes of an earlier run in {self.dir} do not end")
            time.sleep(0.05)

    def _is_running(self, instance):
        """Whether somebody holds the instance's lock."""
        try:
            with open(self.run / f"{instance}.lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True

    def log_path(self, instance):
        folder = self.postgres.dir if instance == "postgres" else self.dir / "log"
        return folder / f"{instance}.log"

    def wait_ready(self, instance, process, seconds=READY_SECONDS):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.is_ready(instance):
                return
            if process.poll() is not None:
                raise DeploymentError(f"{instance} exited with {process.returncode}: "
                                      + self._last_words(instance))
            time.sleep(0.02)
        raise DeploymentError(f"{instance} was not ready within {seconds} s: "
                              + self._last_words(instance))

    def _last_words(self, instance):
        path = self.log_path(instance)
        lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
        return lines[-1] if lines else f"see {path}"

    def access(self):
        """The sandbox's own merchant, made once, with an API key and an account."""
        if not self.access_file.exists():
            merchant = self.strongroom("merchants", "create", "--name", "Sandbox")
            key = self.strongroom("api-keys", "create", "--merchant", merchant["id"],
                                  "--name", "sandbox")
            self.add_account(merchant["id"])
            record = {"merchant_id": merchant["id"], "api_key": key["key"]}
            write_atomically(self.access_file, json.dumps(record))
        return json.loads(self.access_file.read_text())

    def write_state(self, processes):
        config = self.settings()
        tls = self.dir / "tls"
        state = {
            "version": 1,
            "gateway_url": f"https://{config['edged']['listen']}",
            "vault_url": f"https://{config['vaultd']['listen']}",
            "authd_url": f"https://{config['authd']['listen']}",
            "ca_cert": str(tls / "ca/ca.crt"),
            "client_cert": str(tls / "loadgen.crt"),
            "client_key": str(tls / "loadgen.key"),
            **self.access(),
            "audit_public_key": (self.dir / config["auditd"]["public_key"]).read_text().strip(),
            "audit_dir": str(self.dir / "audit"),
            "psp_sim": {"url": f"https://127.0.0.1:{self.simulator_address()[1]}"},
            "databases": {name: self._database_url(config[daemon]["database"])
                          for name, daemon in (("vault", "vaultd"), ("auth", "authd"),
                                               ("core", "gatewayd"))},
            "processes": {name: {"pid": process.pid, "log": str(self.log_path(name))}
                          for name, process in processes.items()},
        }
        write_atomically(self.state_file, json.dumps(state, indent=2) + "\n")


class Supervisor:
    """Keeps a deployment's processes alive, restarting a dead one with growing delays."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.processes = {}
        self._failures = {}
        self._started = {}
        self._restart_at = {}
        self._state_is_old = False

    def start_all(self):
        deployment = self.deployment
        deployment.state_file.unlink(missing_ok=True)
        deployment.wait_stopped()
        if deployment.postgres.exists():
            self.processes["postgres"] = self._start("postgres")
        for instance in (SIMULATOR, *DAEMONS):
            self.processes[instance] = self._start(instance)
            deployment.wait_ready(instance, self.processes[instance])
        deployment.write_state(self.processes)

    def _start(self, name):
        self._started[name] = time.monotonic()
        return (self.deployment.postgres.start() if name == "postgres"
                else self.deployment.start(name))

    def watch_once(self):
        """Restarts what has died and is due; call it a few times a second. What cannot be done now
        is said on standard error and tried again: one part's trouble is not the others'.
        """
        now = time.monotonic()
        for name, process in list(self.processes.items()):
            status = process.poll()
            if status is None:
                continue
            if name not in self._restart_at:
                delay = self._delay(name, now)
                self._restart_at[name] = now + delay
                self._say(f"{name} (pid {process.pid}) ended with {status}; it starts"
                          f" again in {delay:.1f} s")
            elif now >= self._restart_at[name]:
                del self._restart_at[name]
                self._attempt(f"{name} did not start", lambda: self._restart(name))
        if self._state_is_old:
            self._attempt("sandbox.json was not written", self._write_state)

    def _delay(self, name, now):
        steady = now - self._started.get(name, now) >= STEADY_SECONDS
        failures = self._failures[name] = 1 if steady else self._failures.get(name, 0) + 1
        return min(0.1 * 2 ** min(failures, BACKOFF_DOUBLINGS_MAX), BACKOFF_SECONDS_MAX)

    def _attempt(self, what, act):
        try:
            act()
        except (DeploymentError, OSError) as error:
            self._say(f"{what}: {error}")

    @staticmethod
    def _say(text):
        print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text, file=sys.stderr, flush=True)

    def _restart(self, name):
        self.processes[name] = self._start(name)
        self._say(f"{name} started (pid {self.processes[name].pid})")
        self._state_is_old = True

    def _write_state(self):
        self.deployment.write_state(self.processes)
        self._state_is_old = False

    def stop_all(self):
        self.deployment.state_file.unlink(missing_ok=True)
        for name in reversed(list(self.processes)):
            stop(self.processes[name])
