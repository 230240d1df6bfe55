"""The local sockets: admin sockets and auditd's intake serve the deployment's own user, whatever
the file system would let others do.
"""
import json
import os
import subprocess
import sys

import pytest

from deployment import DAEMONS
from running_deployment import running

NOBODY = 65534
# Run as another user: connects, sends, prints what comes back.
VISITOR = """
import socket, sys
visitor = socket.socket(socket.AF_UNIX)
visitor.settimeout(5)
try:
    visitor.connect(sys.argv[1])
    visitor.sendall(bytes.fromhex(sys.argv[2]))
    print(visitor.recv(4096).hex())
except (ConnectionError, PermissionError) as error:
    print(type(error).__name__)
"""
READYZ = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture(scope="module")
def opened():
    """A deployment whose folders and sockets the file system opens to everybody."""
    with running() as deployment:
        for path in (deployment.dir, deployment.run, deployment.run / "auditd"):
            path.chmod(0o755)
        for path in deployment.run.rglob("*.sock"):
            path.chmod(0o777)
        yield deployment


def visit(path, data, uid):
    done = subprocess.run(
        ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable, "-c",
         VISITOR, str(path), data.hex()], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("daemon", DAEMONS)
def test_admin_socket_serves_its_own_user_alone(opened, daemon):
    path = opened.run / f"{daemon}.admin.sock"
    answer = bytes.fromhex(visit(path, READYZ, 0))
    assert answer.startswith(b"HTTP/1.1 200 ") and b'"ready":true' in answer, "the control failed"
    assert visit(path, READYZ, NOBODY) in ("", "ConnectionResetError", "BrokenPipeError")


def test_merchants_are_not_made_by_another_user(opened):
    body = json.dumps({"name": "Intruder"}).encode()
    request = (b"POST /v1/merchants HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
               b"\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
    visit(opened.run / "authd.admin.sock", request, NOBODY)
    assert "Intruder" not in [merchant["name"] for merchant in
                              opened.strongroom("merchants", "list")]
    assert opened.audit_entries(event_type="merchant.create", phase="outcome", outcome="done")


def test_intake_takes_nothing_of_another_user(opened):
    path = opened.run / "auditd/intake.sock"
    before = len(opened.audit_entries())
    assert visit(path, b"\0" * 64, NOBODY) in ("", "ConnectionResetError", "BrokenPipeError")
    assert len(opened.audit_entries()) == before
    assert opened.is_ready("auditd")


def test_the_relay_gives_auditd_no_commands(opened):
    def ask(path, uid):
        return visit(opened.run / "auditd/witness.sock", b"POST %b HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" % path, uid)
    assert bytes.fromhex(ask(b"/v1/witness", 0)).startswith(b"HTTP/1.1 422 ")
    for path in (b"/v1/breaks", b"/v1/checkpoints", b"/readyz"):
        assert bytes.fromhex(ask(path, 0)).startswith(b"HTTP/1.1 404 ")
    assert ask(b"/v1/witness", NOBODY) in ("", "ConnectionResetError", "BrokenPipeError")


def test_file_system_keeps_others_out_in_the_first_place(deployment):
    for daemon in DAEMONS:
        said = visit(deployment.run / f"{daemon}.admin.sock", READYZ, NOBODY)
        assert said == "PermissionError"
