"""A real `strongroom witness` in a folder of its own, and what it answers."""
import contextlib
import hashlib
import http.client
import json
import ssl
import subprocess

from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

import deployment as d
from certificates import Authority, Leaf
from children import free_port, stop

NAME = "witness.example/w1"
SERVER = Leaf(usage=(ExtendedKeyUsageOID.SERVER_AUTH,))
PORTS_TRIED = 5  # a free one may be taken before the witness listens there


def strongroom(*arguments):
    """The tool, done: for commands that need no deployment."""
    return subprocess.run([str(part) for part in (d.BIN / "strongroom", *arguments)],
                          capture_output=True, text=True, timeout=60)


class Witness:
    """`start` and `stop` it as often as you like: it has one port from the first start on."""

    def __init__(self, folder, name=NAME, authority=None):
        self.name = name
        self.authority = authority or Authority()
        self.files = self.authority.issue(SERVER, folder / "witness-tls")
        self.ca_cert = folder / "witness-ca.crt"
        self.ca_cert.write_bytes(self.authority.certificate.public_bytes(serialization.Encoding.PEM))
        self.folder = folder / "witness"
        self.config = self.folder / "etc/witness.toml"
        self.port = free_port()
        self.log = folder / "witness.log"
        self.process = None
        self.vkey = self.command("init", "--name", name, "--listen", f"127.0.0.1:{self.port}",
                                 "--certificate", self.files.certificate, "--key", self.files.key,
                                 "--json")["vkey"]

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def run(self, command, *arguments):
        return strongroom("witness", command, *arguments, "--dir", self.folder)

    def command(self, command, *arguments):
        """A command that must succeed; its JSON."""
        done = self.run(command, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def know(self, vkey):
        assert self.run("add-log", vkey).returncode == 0

    def logs(self):
        """What it has cosigned: origin to size."""
        return {log["origin"]: log["size"] for log in self.command("show", "--json")["logs"]}

    def start(self):
        """Returns when it serves."""
        first = self.process is None
        for _ in range(PORTS_TRIED if first else 1):
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    [d.BIN / "strongroom", "witness", "run", "--dir", self.folder],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
            line = self.process.stdout.readline().decode()
            if line:
                assert line == f"{self.name}: {self.url}\n"
                return
            self.process.wait()
            taken = self.port
            self.port = free_port()
            self.config.write_text(self.config.read_text().replace(str(taken), str(self.port)))
        raise AssertionError(self.log.read_text())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        return stop(self.process)

    def send(self, method, path, body=None):
        """(status, media type, text)"""
        context = ssl.create_default_context(cafile=self.ca_cert)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20,
                                                 context=context)
        with contextlib.closing(connection):
            connection.request(method, path, body and body.encode())
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read().decode()

    def add_checkpoint(self, body):
        return self.send("POST", "/add-checkpoint", body)

    def checkpoint(self, origin):
        """The newest that it shows of a log."""
        return self.send("GET", f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint")


@contextlib.contextmanager
def running(folder):
    witness = Witness(folder)
    witness.start()
    try:
        yield witness
    finally:
        witness.stop()
