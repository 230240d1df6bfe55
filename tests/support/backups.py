"""Backups of a deployment, and folders that they are restored to."""
import subprocess

import leak_scan
from deployment import BIN
from running_deployment import RunningDeployment

DATABASES = {"vault": "vaultd", "auth": "authd", "core": "gatewayd"}
OK, CHECK_FAILED, USAGE, NOT_REACHABLE = 0, 1, 2, 3


class Safe:
    """Where backups are kept: two folders, each with its passphrase."""

    def __init__(self, path):
        self.path = path
        self.data, self.keys = path / "data", path / "keys"
        self.data_secret = self._secret("data.passphrase", "a passphrase of the operators")
        self.keys_secret = self._secret("keys.passphrase", "another one, of the custodians")

    def _secret(self, name, text):
        file = self.path / name
        file.touch(mode=0o600)
        file.write_text(text)
        return file

    def _run(self, *arguments):
        command = [BIN / "strongroom", *arguments, "--json"]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              timeout=300)

    def creating_data(self, directory):
        return ["backup", "create", "--dir", directory,
                "--out", self.data, "--passphrase", self.data_secret]

    def creating(self, directory):
        return [*self.creating_data(directory),
                "--keys-out", self.keys, "--keys-passphrase", self.keys_secret]

    def create_data(self, directory):
        return self._run(*self.creating_data(directory))

    def create(self, directory):
        return self._run(*self.creating(directory))

    def verify(self, data=None):
        return self._run("backup", "verify", data or self.data, "--passphrase", self.data_secret)

    def restoring(self, directory, *log, data=None, keys=None):
        return ["restore", "--dir", directory,
                "--from", data or self.data, "--passphrase", self.data_secret,
                "--keys", keys or self.keys, "--keys-passphrase", self.keys_secret, *log]

    def restore(self, directory, *log, **others):
        return self._run(*self.restoring(directory, *log, **others))


def fresh_copy_of(original, tmp_path):
    """A folder to restore to, and what `restore` is told of it: databases of its own, too."""
    copy = RunningDeployment(original.dir.parent / "restored")
    if not original.postgres.exists():
        return copy, []
    copy.dir.mkdir(mode=0o711)
    copy.postgres.create()
    with copy.postgres.running():
        urls = copy.postgres.create_databases(tuple(DATABASES))
    text = original.config.read_text()
    for name, daemon in DATABASES.items():
        text = text.replace(original.settings()[daemon]["database"], urls[name])
    config = tmp_path / "strongroom.toml"
    config.write_text(text)
    return copy, ["--config", config]


def restore_to(copy, safe, *arguments, **others):
    """Runs `restore`, with the copy's own database server where it has one."""
    if not copy.postgres.exists():
        return safe.restore(copy.dir, *arguments, **others)
    with copy.postgres.running():
        return safe.restore(copy.dir, *arguments, **others)


def told_of_backups(deployment, kind):
    """What the log says of whole backups: each dump within one has entries of its own."""
    return [entry for entry in deployment.audit_entries(event_type=kind)
            if entry["resources"][0]["uid"].startswith("backup ")]


def card():
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12, "exp_year": 2040}}


def added(client, count):
    return [client.post("/v1/tokens", card()).body["id"] for _ in range(count)]


def refused(done, status, *words):
    assert done.returncode == status, (done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr, done.stderr
    return True
