"""What the running daemons may still do, asked of the kernel."""
import ctypes
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest

import deployment as d
from running_deployment import running

SYS_landlock_create_ruleset = 444  # the same on every architecture
LANDLOCK_CREATE_RULESET_VERSION = 1
CAP_LINUX_IMMUTABLE, CAP_NET_BIND_SERVICE, CAP_IPC_LOCK = 9, 10, 14
# Beside locked memory.
CAPABILITIES = {"edged": 1 << CAP_NET_BIND_SERVICE, "auditd": 1 << CAP_LINUX_IMMUTABLE}
SECCOMP_FILTERED = 2
# What a kernel with an older Landlock cannot deny.
PROBES_BY_ABI = {4: {"connect_unlisted_port", "bind_unlisted_port"}}
# auditd makes sockets by right; whoever writes entries may connect to one, which is auditd's.
SOCKET_PROBES = {"edged": {"connect_unlisted_socket", "make_unlisted_socket"},
                 "vaultd": {"make_unlisted_socket"}, "authd": {"make_unlisted_socket"},
                 "connectord-stripe": {"make_unlisted_socket"},
                 "gatewayd": {"make_unlisted_socket"},
                 "audit-relay": {"make_unlisted_socket"}, "auditd": set()}
GAPS_BY_ABI = {3: "truncating files", 4: "TCP ports", 6: "abstract Unix sockets"}


def landlock_abi():
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(SYS_landlock_create_ruleset, None, 0, LANDLOCK_CREATE_RULESET_VERSION)
    return max(version, 0)


@pytest.fixture(scope="module")
def deployment():
    with running("sqlite") as made:
        yield made


@pytest.fixture(params=d.DAEMONS)
def instance(request):
    return request.param


def check_sandbox(deployment, instance):
    """(exit status, probes by name)"""
    done = subprocess.run([*deployment.command(instance), "--check-sandbox"],
                          capture_output=True, text=True, timeout=30)
    probes = json.loads(done.stdout)["probes"]
    return done.returncode, {probe["name"]: probe for probe in probes}


def test_every_probe_is_denied_inside(deployment, instance):
    """Beside the running daemon: the check takes nothing from it."""
    status, probes = check_sandbox(deployment, instance)
    unbounded = {name for abi, names in PROBES_BY_ABI.items() if landlock_abi() < abi
                 for name in names}
    assert len(probes) == 17 + len(SOCKET_PROBES[instance])
    assert SOCKET_PROBES[instance] <= probes.keys()
    assert {name for name, probe in probes.items() if not probe["denied"]} <= unbounded
    assert status == (0 if all(probe["denied"] for probe in probes.values()) else 1)
    assert deployment.is_ready(instance)


def test_what_the_probes_reach_for_is_there_for_everybody_else(tmp_path):
    """The negative control; ProbeTest.NothingIsDeniedOutside runs the probes themselves."""
    assert pathlib.Path("/etc/passwd").read_bytes()
    subprocess.run(["true"], check=True)
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM):
        stream.bind(("127.0.0.1", 0))
    with pytest.raises(ConnectionRefusedError):  # nobody listens, but the kernel lets us ask
        socket.create_connection(("127.0.0.1", 9))
    (pathlib.Path("/tmp") / f"sandbox-control-{os.getpid()}").touch()
    (pathlib.Path("/tmp") / f"sandbox-control-{os.getpid()}").unlink()


def test_readyz_names_what_the_kernel_cannot_enforce(deployment, instance):
    _, report = deployment.admin(instance, "GET", "/readyz")
    expected = [what for abi, what in GAPS_BY_ABI.items() if landlock_abi() < abi]
    assert len(report["sandbox_gaps"]) == len(expected)
    for gap, what in zip(report["sandbox_gaps"], expected):
        assert what in gap


def test_every_thread_is_filtered_and_has_only_its_capabilities(deployment, instance):
    pid = deployment.processes[instance].pid
    tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    assert len(tasks) > 1
    permitted = 1 << CAP_IPC_LOCK | CAPABILITIES.get(instance, 0)
    for task in tasks:
        status = dict(re.findall(r"^(\w+):\s+(.*)$", (task / "status").read_text(), re.MULTILINE))
        assert status["NoNewPrivs"] == "1"
        assert int(status["Seccomp"]) == SECCOMP_FILTERED
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            assert int(status[kind], 16) & ~permitted == 0, kind


def test_no_process_has_children(deployment, instance):
    pid = deployment.processes[instance].pid
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    assert "".join((task / "children").read_text() for task in tasks) == ""


def test_standard_output_leads_to_the_log_and_input_nowhere(deployment, instance):
    """Descriptors that were left open by whoever started it would be rights nobody listed."""
    descriptors = pathlib.Path(f"/proc/{deployment.processes[instance].pid}/fd")
    targets = {path.name: os.readlink(path) for path in descriptors.iterdir()}
    assert targets["0"] == "/dev/null"
    allowed = (str(deployment.dir), "/dev/null", "socket:", "anon_inode:", "pipe:", "/secretmem")
    assert [target for target in targets.values() if not target.startswith(allowed)] == []
