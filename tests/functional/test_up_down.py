"""./dev up and ./dev down, as typed: ready when it returns, true about itself, nothing left behind,
and the data there again after whatever ended it.
"""
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tomllib

import pytest

import deployment as d
import leak_scan
import up
from checked_api import CheckedApi
from children import END_SIGNALS
from running_deployment import RunningDeployment, folder, heed_hangup, wait_until
from test_stories import card

UP_SECONDS = 90


def dev(verb, directory, *arguments):
    return subprocess.run([d.ROOT / "dev", verb, "--dir", directory, *arguments], text=True,
                          capture_output=True, timeout=UP_SECONDS)


def processes_of(directory):
    """{pid: command line} of all that runs on the folder."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(os.fsencode(directory) + b"/") or word == os.fsencode(directory)
               for word in words):
            found[int(path.parent.name)] = b" ".join(words).decode()
    return found


class Sandbox(RunningDeployment):
    """A deployment that ./dev up supervises."""

    def up(self, *arguments):
        done = dev("up", self.dir, "--detach", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def down(self):
        done = dev("down", self.dir)
        assert done.returncode == 0, done.stderr
        return done

    @property
    def supervisor_pid(self):
        return int((self.run / "supervisor.lock").read_text())

    def client(self):
        state = self.state()
        return CheckedApi("public", state["gateway_url"], state["ca_cert"], state["api_key"])


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def sandbox(request):
    """Up when a test begins; the tests go through its life in order."""
    with folder() as parent:
        made = Sandbox(parent / "sandbox")
        made.database = request.param
        made.up("--db", request.param)
        try:
            yield made
        finally:
            made.down()


@pytest.fixture
def token(sandbox):
    return sandbox.client().post("/v1/tokens", {"card": card()}).body["id"]


def test_up_returns_when_everything_is_ready(sandbox):
    for instance in d.DAEMONS:
        status, report = sandbox.admin(instance, "GET", "/readyz")
        assert status == 200 and report["ready"] and report["instance"] == instance
    assert sandbox.client().get("/healthz").status == 200


def test_sandbox_json_is_complete_and_true(sandbox, token):
    state = sandbox.state()
    assert list(state) == ["version", "gateway_url", "vault_url", "authd_url", "ca_cert",
                           "client_cert", "client_key", "merchant_id", "api_key",
                           "audit_public_key", "audit_dir", "psp_sim", "databases", "processes"]
    assert state["version"] == 1
    assert state["psp_sim"] == {"url": "https://127.0.0.1:%d" % sandbox.simulator_address()[1]}
    config = tomllib.loads(sandbox.config.read_text())
    for name, daemon in (("gateway_url", "edged"), ("vault_url", "vaultd"),
                         ("authd_url", "authd")):
        assert state[name] == f"https://{config[daemon]['listen']}"
    for name in ("ca_cert", "client_cert", "client_key", "audit_dir"):
        assert pathlib.Path(state[name]).is_absolute() and pathlib.Path(state[name]).exists()
    assert sandbox.vault().get(f"/v1/cards/{token}").status == 200  # certificate, key, ticket
    created = sandbox.audit_entries(gateway_token=token)[0]["unmapped"]
    assert created["merchant_id"] == state["merchant_id"]
    assert state["audit_public_key"] == (sandbox.dir / "public/audit.vkey").read_text().strip()
    assert state["audit_dir"] == str(sandbox.dir / "audit")
    assert stat.S_IMODE(sandbox.state_file.stat().st_mode) == 0o600, "it holds an API key"


def test_databases_of_sandbox_json_can_be_opened(sandbox, token):
    databases = sandbox.state()["databases"]
    assert set(databases) == {"vault", "auth", "core"}
    kind = "sqlite:/" if sandbox.database == "sqlite" else "postgresql://"
    assert all(url.startswith(kind) for url in databases.values())
    assert sandbox.vault_rows("SELECT count(*) FROM cards WHERE deleted_at IS NULL")[0][0] >= 1


def test_processes_of_sandbox_json_are_those_that_run(sandbox):
    processes = sandbox.state()["processes"]
    expected = {*d.DAEMONS, d.SIMULATOR, *({"postgres"} & {sandbox.database})}
    assert set(processes) == expected
    for name, process in processes.items():
        command = pathlib.Path(f"/proc/{process['pid']}/cmdline").read_bytes()
        assert d.program_of(name).name.encode() in command.split(b"\0")[0]
        log = pathlib.Path(process["log"])
        assert log.is_absolute() and log.stat().st_size > 0


def test_certificates_name_localhost_too(sandbox):
    state = sandbox.state()
    url = state["gateway_url"].replace("127.0.0.1", "localhost")
    assert CheckedApi("public", url, state["ca_cert"]).get("/healthz").status == 200


def test_up_again_changes_nothing(sandbox):
    before = sandbox.state()
    assert "already running" in sandbox.up().stdout
    assert sandbox.state() == before


def test_second_supervisor_leaves_the_first_alone(sandbox):
    """Two `up` that both found nothing running: one of them is second to the lock."""
    before = (sandbox.state(), sandbox.supervisor_pid)
    said = []
    kept = {number: signal.getsignal(number) for number in END_SIGNALS}
    assert up.supervise(d.Deployment(sandbox.dir), said.append) == 1
    for number, handler in kept.items():
        signal.signal(number, handler)
    assert len(said) == 1 and "another ./dev up" in said[0]
    assert (sandbox.state(), sandbox.supervisor_pid) == before


def test_up_with_another_database_is_refused(sandbox):
    other = {"sqlite": "postgres", "postgres": "sqlite"}[sandbox.database]
    running = dev("up", sandbox.dir, "--detach", "--db", other)
    assert running.returncode == 1 and "another database" in running.stderr
    sandbox.up("--db", sandbox.database)
    sandbox.down()
    done = dev("up", sandbox.dir, "--detach", "--db", other)
    assert done.returncode == 1 and "another database" in done.stderr
    assert processes_of(sandbox.dir) == {}
    sandbox.up()


def test_down_leaves_no_process_and_up_finds_the_data(sandbox, token):
    before = sandbox.state()
    assert processes_of(sandbox.dir), "the search finds nothing even while it runs"
    sandbox.down()
    assert processes_of(sandbox.dir) == {}
    assert not sandbox.state_file.exists()
    assert "nothing runs" in sandbox.down().stdout
    sandbox.up()
    assert {**sandbox.state(), "processes": 0} == {**before, "processes": 0}
    assert sandbox.client().get(f"/v1/tokens/{token}").status == 200
    assert sandbox.strongroom("audit", "verify")["ok"]


def test_killed_daemon_is_started_again(sandbox, token):
    for instance in sandbox.state()["processes"]:
        killed = sandbox.state()["processes"][instance]["pid"]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: sandbox.state()["processes"][instance]["pid"] != killed,
                   f"{instance} is started again")
        said = (sandbox.dir / "log/supervisor.log").read_text()
        assert f"{instance} (pid {killed}) ended with -9" in said
        assert f"{instance} started (pid {sandbox.state()['processes'][instance]['pid']})" in said
    for instance in d.DAEMONS:
        wait_until(lambda: sandbox.is_ready(instance), f"{instance} is ready again")
    wait_until(lambda: sandbox.client().get(f"/v1/tokens/{token}").status == 200,
               "the card is found again")


def test_killed_supervisor_takes_its_processes_along(sandbox):
    os.kill(sandbox.supervisor_pid, signal.SIGKILL)
    wait_until(lambda: processes_of(sandbox.dir) == {}, "its processes end")
    sandbox.up()


def test_up_resumes_though_a_killed_supervisors_processes_are_still_ending(sandbox, token):
    os.kill(sandbox.supervisor_pid, signal.SIGKILL)
    sandbox.up()
    assert sandbox.client().get(f"/v1/tokens/{token}").status == 200


def test_up_resumes_after_everything_was_killed(sandbox, token):
    victims = [sandbox.supervisor_pid, *processes_of(sandbox.dir)]
    for pid in dict.fromkeys(victims):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: processes_of(sandbox.dir) == {}, "everything is dead")
    sandbox.up()
    assert sandbox.client().get(f"/v1/tokens/{token}").status == 200
    assert sandbox.client().post("/v1/tokens", {"card": card()}).status == 201
    assert sandbox.strongroom("audit", "verify")["ok"]


def test_failed_up_names_the_process_and_leaves_none():
    with folder() as parent:
        sandbox = Sandbox(parent / "sandbox")
        sandbox.up()
        sandbox.down()
        host, port = tomllib.loads(sandbox.config.read_text())["edged"]["listen"].split(":")
        with socket.create_server((host, int(port))):
            done = dev("up", sandbox.dir, "--detach")
        assert done.returncode == 1
        assert f"[edged] listen = {host}:{port}: port in use: " in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not sandbox.state_file.exists()
        assert processes_of(sandbox.dir) == {}
        sandbox.up()
        sandbox.down()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_up_with_postgres_can_be_repeated_after_it_failed():
    with folder() as parent:
        parent.chmod(0o700)
        for _ in range(2):
            done = dev("up", parent / "sandbox", "--db", "postgres")
            assert done.returncode == 1 and "user postgres cannot enter" in done.stderr
            assert list((parent / "sandbox").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_up_in_the_foreground_ends_with_a_signal(number):
    with folder() as parent:
        directory = parent / "sandbox"
        process = subprocess.Popen([d.ROOT / "dev", "up", "--dir", directory], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=heed_hangup)
        try:
            lines = iter(process.stdout.readline, "")
            assert any(line.startswith("ready: https://127.0.0.1:") for line in lines)
            assert json.loads((directory / "sandbox.json").read_text())["version"] == 1
        finally:
            process.send_signal(number)
            _, errors = process.communicate(timeout=UP_SECONDS)
        assert process.returncode == 0 and errors == ""
        assert processes_of(directory) == {}


def test_down_where_nothing_was_made_says_so():
    with folder() as parent:
        done = dev("down", parent / "nothing")
        assert done.returncode == 0 and "nothing runs" in done.stdout


@pytest.mark.parametrize("verb", ["down", "up"])
def test_folder_comes_from_the_environment(verb, tmp_path):
    (tmp_path / "file").write_text("")  # no deployment can be made in it
    done = subprocess.run([d.ROOT / "dev", verb, *["--detach"] * (verb == "up")], text=True,
                          capture_output=True, timeout=UP_SECONDS,
                          env={**os.environ, "STRONGROOM_DIR": str(tmp_path / "file/sandbox")})
    assert str(tmp_path / "file/sandbox") in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_sandbox_takes_test_cards_only(sandbox):
    live = leak_scan.generate_pan("453914")
    answer = sandbox.client().post("/v1/tokens", {"card": card(live)})
    assert answer.status == 422 and answer.pointer == "#/card/number"


def test_a_production_deployment_is_not_run_by_up(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/strongroom.toml").write_text('[deployment]\nprofile = "production"\n')
    done = dev("up", tmp_path)
    assert done.returncode == 1 and "production profile" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["etc"]
