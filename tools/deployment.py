"""A deployment folder on this machine: making it, running its processes, asking how they are.

Used by `./dev up`, `./dev down`, `./dev demo` and the functional tests. Standard library only.
"""

import ctypes
import http.client
import json
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("STRONGROOM_BIN", ROOT / "build/release/bin"))
DAEMONS = ("auditd", "authd", "vaultd", "edged")  # in the order in which they need each other
READY_SECONDS = 30
STOP_SECONDS = 15
BACKOFF_SECONDS_MAX = 30


class DeploymentError(Exception):
    """What went wrong, in words for the person who typed the command."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def die_with_parent():
    """Run in a child before exec: a supervisor that is killed takes its processes along."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Deployment:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory).absolute()
        self.config = self.dir / "strongroom.toml"
        self.run = self.dir / "run"
        self.state_file = self.dir / "sandbox.json"
        self.access_file = self.dir / "secrets" / "sandbox-access.json"
        self.postgres = Postgres(self.dir / "postgres")

    # --- making one -----------------------------------------------------------------------------

    def exists(self):
        return self.config.exists()

    def create(self, database="sqlite"):
        command = [BIN / "strongroom", "init", "--dir", self.dir, "--profile", "demo"]
        if database == "postgres":
            self.dir.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.postgres.create()
            with self.postgres.running():
                urls = self.postgres.create_databases(("vault", "auth"))
                command += ["--vault-database", urls["vault"], "--auth-database", urls["auth"]]
                self._check(command)
        else:
            self._check(command)

    def _check(self, command):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
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
            return self.admin(instance, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    def strongroom(self, *arguments):
        """Runs the operators' tool on this deployment and returns its JSON."""
        command = [BIN / "strongroom", *arguments, "--dir", self.dir, "--json"]
        return json.loads(self._check(command))

    def state(self):
        return json.loads(self.state_file.read_text())

    # --- running --------------------------------------------------------------------------------

    def start(self, instance):
        log = open(self.log_path(instance), "ab")
        return subprocess.Popen(
            [str(BIN / instance), "--config", str(self.config)], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, cwd="/", preexec_fn=die_with_parent)

    def log_path(self, instance):
        return self.dir / "log" / f"{instance}.log"

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
        """The sandbox's own merchant and API key, made once."""
        if not self.access_file.exists():
            merchant = self.strongroom("merchants", "create", "--name", "Sandbox")
            key = self.strongroom("api-keys", "create", "--merchant", merchant["id"],
                                  "--name", "sandbox")
            record = {"merchant_id": merchant["id"], "api_key": key["key"]}
            write_atomically(self.access_file, json.dumps(record))
        return json.loads(self.access_file.read_text())

    def write_state(self, processes):
        import tomllib
        config = tomllib.loads(self.config.read_text())
        tls = self.dir / "tls"
        state = {
            "version": 1,
            "gateway_url": f"https://{config['edged']['listen']}",
            "vault_url": f"https://{config['vaultd']['listen']}",
            "authd_url": f"https://{config['authd']['listen']}",
            "ca_cert": str(tls / "ca.crt"),
            "client_cert": str(tls / "loadgen.crt"),
            "client_key": str(tls / "loadgen.key"),
            **self.access(),
            "audit_public_key": (self.dir / config["auditd"]["public_key"]).read_text().strip(),
            "audit_dir": str(self.dir / "audit"),
            "psp_sim": {},
            "databases": {"vault": config["vaultd"]["database"],
                          "auth": config["authd"]["database"]},
            "processes": {name: {"pid": process.pid, "log": str(self.log_path(name))}
                          for name, process in processes.items()},
        }
        write_atomically(self.state_file, json.dumps(state, indent=2) + "\n")


def write_atomically(path, text):
    temporary = path.with_suffix(".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def stop(process, seconds=STOP_SECONDS):
    """SIGTERM, and SIGKILL for one that does not go."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Supervisor:
    """Keeps a deployment's processes alive, restarting a dead one with growing delays."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.processes = {}
        self._failures = {}
        self._restart_at = {}

    def start_all(self):
        deployment = self.deployment
        deployment.state_file.unlink(missing_ok=True)
        if deployment.postgres.exists():
            self.processes["postgres"] = deployment.postgres.start()
        for instance in DAEMONS:
            self.processes[instance] = deployment.start(instance)
            deployment.wait_ready(instance, self.processes[instance])
        deployment.write_state(self.processes)

    def watch_once(self):
        """Restarts what has died and is due; call it a few times a second."""
        now = time.monotonic()
        changed = False
        for name, process in list(self.processes.items()):
            if process.poll() is None:
                continue
            if name not in self._restart_at:
                failures = self._failures[name] = self._failures.get(name, 0) + 1
                self._restart_at[name] = now + min(0.1 * 2 ** failures, BACKOFF_SECONDS_MAX)
            elif now >= self._restart_at[name]:
                del self._restart_at[name]
                starter = (self.deployment.postgres.start if name == "postgres"
                           else lambda: self.deployment.start(name))
                self.processes[name] = starter()
                changed = True
        if changed:
            self.deployment.write_state(self.processes)

    def stop_all(self):
        self.deployment.state_file.unlink(missing_ok=True)
        for name in reversed(list(self.processes)):
            stop(self.processes[name])


class Postgres:
    """A private PostgreSQL server with TLS, for `./dev up --db postgres` and the tests."""

    def __init__(self, directory):
        self.dir = directory
        self.data = directory / "data"
        self.port_file = directory / "port"
        self.certificate = directory / "server.crt"
        self.passwords = directory.parent / "secrets" / "pgpass"

    def exists(self):
        return self.port_file.exists()

    @staticmethod
    def programs():
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            raise DeploymentError("PostgreSQL is not installed: run ./dev setup")
        return found[-1].parent

    def _as_server(self):
        """PostgreSQL refuses to run as root; Debian's package brings the user postgres."""
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] \
            if os.geteuid() == 0 else []

    def _run(self, *command, **options):
        done = subprocess.run([*self._as_server(), *map(str, command)], capture_output=True,
                              text=True, cwd="/", **options)
        if done.returncode != 0:
            raise DeploymentError(f"{command[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def create(self):
        self.dir.mkdir(mode=0o700)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.dir, account.pw_uid, account.pw_gid)
            reachable = subprocess.run([*self._as_server(), "test", "-x", str(self.dir)], cwd="/")
            if reachable.returncode != 0:
                raise DeploymentError(f"user postgres cannot enter {self.dir}: every folder above"
                                      " it must allow that (chmod o+x), or choose another --dir")
        self._run(self.programs() / "initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8",
                  "--locale=C.UTF-8", "--auth-local=peer", "--auth-host=scram-sha-256",
                  "--data-checksums")
        self._run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=localhost",
                  "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                  "-keyout", self.data / "server.key", "-out", self.data / "server.crt")
        settings = f"""
listen_addresses = '127.0.0.1'
unix_socket_directories = '{self.data}'
ssl = on
ssl_min_protocol_version = 'TLSv1.3'
synchronous_commit = on
shared_buffers = '256MB'
max_wal_size = '4GB'
log_parameter_max_length_on_error = 0
"""
        self._append(self.data / "postgresql.conf", settings)
        self._write(self.data / "pg_hba.conf",
                    "local all postgres peer map=owner\n"
                    "hostssl all all 127.0.0.1/32 scram-sha-256\n")
        owner = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() != 0 else "postgres"
        self._write(self.data / "pg_ident.conf", f"owner {owner} postgres\n")
        shutil.copyfile(self.data / "server.crt", self.certificate)
        self.certificate.chmod(0o644)
        self.port_file.write_text(str(free_port()))

    @staticmethod
    def _append(path, text):
        with open(path, "a") as file:
            file.write(text)

    @staticmethod
    def _write(path, text):
        path.write_text(text)

    def start(self):
        port = self.port_file.read_text().strip()
        # The private TCP port is fixed for the deployment's life: its URL stands in the
        # configuration.
        (self.data / "postmaster.pid").unlink(missing_ok=True) if not self._alive() else None
        log_directory = self.dir.parent / "log"
        log_directory.mkdir(mode=0o700, exist_ok=True)
        log = open(log_directory / "postgres.log", "ab")
        process = subprocess.Popen(
            [*self._as_server(), str(self.programs() / "postgres"), "-D", str(self.data),
             "-p", port],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", preexec_fn=die_with_parent)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            probe = subprocess.run([str(self.programs() / "pg_isready"), "-q", "-h", "127.0.0.1",
                                    "-p", port])
            if probe.returncode == 0:
                return process
            if process.poll() is not None:
                raise DeploymentError(f"postgres exited with {process.returncode}: see "
                                      f"{log_directory / 'postgres.log'}")
            time.sleep(0.05)
        raise DeploymentError("postgres was not ready in time")

    def _alive(self):
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, 0)
            return True
        except (OSError, ValueError, IndexError):
            return False

    def running(self):
        from contextlib import contextmanager

        @contextmanager
        def server():
            process = self.start()
            try:
                yield
            finally:
                stop(process)
        return server()

    def create_databases(self, names):
        """One database and one owner with a password of its own per name; returns their URLs."""
        port = self.port_file.read_text().strip()
        self.passwords.parent.mkdir(mode=0o700, exist_ok=True)
        lines, urls = [], {}
        for name in names:
            password = secrets.token_urlsafe(32)
            sql = (f"CREATE ROLE {name}d LOGIN PASSWORD '{password}';\n"
                   f"CREATE DATABASE {name} OWNER {name}d;\n"
                   f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;\n")
            self._run(self.programs() / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.data,
                      "-p", port, "-U", "postgres", "-d", "postgres", input=sql)
            lines.append(f"localhost:{port}:{name}:{name}d:{password}")
            urls[name] = (f"postgresql://{name}d@localhost:{port}/{name}?sslmode=verify-full"
                          f"&sslrootcert={self.certificate}&passfile={self.passwords}")
        write_atomically(self.passwords, "\n".join(lines) + "\n")
        return urls
