"""For `./dev up --db postgres`, the tests and the bench.

The TCP port is chosen once and kept: its URL stands in the deployment's configuration.
"""

import contextlib
import os
import pathlib
import pwd
import secrets
import shutil
import subprocess
import time

from children import (READY_SECONDS, DeploymentError, die_with_parent, free_port, stop,
                      write_atomically)


class Postgres:
    """A private PostgreSQL server with TLS."""

    def __init__(self, directory):
        self.dir = directory
        self.data = directory / "data"
        self.port_file = directory / "port"
        self.certificate = directory / "server.crt"
        self.passwords = directory / "pgpass"

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
        """Makes the server's folder; where that fails, nothing of it is left."""
        # The server's user may pass through the folder; the passwords in it stay ours.
        self.dir.mkdir(mode=0o711)
        try:
            self._create_data()
        except BaseException:
            self.remove()
            raise

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def make_data_folder(self):
        """Empty, and the server's user's own."""
        self.data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.data, account.pw_uid, account.pw_gid)
            reachable = subprocess.run([*self._as_server(), "test", "-x", str(self.data)], cwd="/")
            if reachable.returncode != 0:
                raise DeploymentError(f"user postgres cannot enter {self.data}: every folder above"
                                      " it must allow that (chmod o+x), or choose another --dir")

    def _create_data(self):
        self.make_data_folder()
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
        with open(self.data / "postgresql.conf", "a") as configuration:
            configuration.write(settings)
        (self.data / "pg_hba.conf").write_text("local all postgres peer map=owner\n"
                                               "hostssl all all 127.0.0.1/32 scram-sha-256\n")
        owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        (self.data / "pg_ident.conf").write_text(f"owner {owner} postgres\n")
        shutil.copyfile(self.data / "server.crt", self.certificate)
        self.certificate.chmod(0o644)
        self.port_file.write_text(str(free_port()))

    def start(self):
        port = self.port_file.read_text().strip()
        self._wait_stopped()
        # Nothing of the server is left; the pid in a killed one's files may be anybody's by now.
        for name in ("postmaster.pid", f".s.PGSQL.{port}.lock"):
            (self.data / name).unlink(missing_ok=True)
        log_path = self.dir / "postgres.log"
        log = open(log_path, "ab")
        # The kernel forgets die_with_parent() when the user changes, so setpriv says it again; on
        # SIGINT the server disconnects its clients and goes.
        server = self._as_server()
        if server:
            server += ["--pdeathsig", "INT"]
        process = subprocess.Popen(
            [*server, str(self.programs() / "postgres"), "-D", str(self.data), "-p", port],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", preexec_fn=die_with_parent)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            probe = subprocess.run([str(self.programs() / "pg_isready"), "-q", "-h", "127.0.0.1",
                                    "-p", port])
            if probe.returncode == 0:
                return process
            if process.poll() is not None:
                raise DeploymentError(f"postgres exited with {process.returncode}: "
                                      f"see {log_path}")
            time.sleep(0.05)
        stop(process)
        raise DeploymentError("postgres was not ready in time")

    def _wait_stopped(self):
        """Two servers on one data folder would destroy it: waits for the last process of the
        earlier one."""
        deadline = time.monotonic() + READY_SECONDS
        while self._alive():
            if time.monotonic() > deadline:
                raise DeploymentError(f"another PostgreSQL server runs on {self.data}")
            time.sleep(0.05)

    def _alive(self):
        """Whether any process works in the data folder: the server, or what a killed one left."""
        for link in pathlib.Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if os.readlink(link) == str(self.data):
                    return True
        return False

    @contextlib.contextmanager
    def running(self):
        process = self.start()
        try:
            yield
        finally:
            stop(process)

    def create_databases(self, names):
        """One database and one owner with a password of its own per name; returns their URLs."""
        port = self.port_file.read_text().strip()
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
