"""Cards went through; the processes idle with their connections open. Nothing of them is left.

Searched are memory, files, environments, command lines and whatever the processes tell about
themselves, in both ways of holding secrets: with "auto" the kernel may refuse the arena to the
search, so with "mlock" the arena is searched, too.
"""
import contextlib
import json
import os
import pathlib

import pytest

from deployment import DAEMONS

TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")


def findings(where, data, canaries):
    """One line for each thing left behind in `data`; never the thing itself."""
    return [f"{where}: {what} at {at:#x}" for canary in canaries
            for what, at in canary.found_in(data)]


def in_memory(instance, memory, canaries):
    return [line for region in memory.regions
            for line in findings(f"{instance}, {region.name or 'heap'} {region.begin:#x}",
                                 region.data, canaries)]


def read_if_there(path):
    """Empty for a file that somebody else has just removed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def files_below(folder):
    return [path for path in sorted(pathlib.Path(folder).rglob("*"))
            if path.is_file() and not path.is_symlink()]


def temporary_files_since(time, besides):
    """Files below the folders where programs put such things, and right in the root folder, written
    since `time`; `besides` one folder.
    """
    found = list(pathlib.Path("/").iterdir())
    for folder in TEMPORARY_FOLDERS:
        for parent, folders, names in os.walk(folder):
            if pathlib.Path(parent) == besides:
                folders.clear()
            else:
                found += [pathlib.Path(parent, name) for name in names]
    for path in found:
        with contextlib.suppress(FileNotFoundError):  # somebody else's, just removed
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= time:
                yield path


def test_temporary_files_are_found_in_new_folders(tmp_path):
    made = tmp_path / "new" / "file"
    made.parent.mkdir()
    made.write_text("x")
    begun = made.stat().st_mtime
    assert made in temporary_files_since(begun, tmp_path / "other")
    assert made not in temporary_files_since(begun, made.parent)
    assert made not in temporary_files_since(begun + 1, tmp_path / "other")


@pytest.mark.parametrize("instance", DAEMONS)
def test_idle_memory_holds_nothing_of_a_card(spent, instance, record_property):
    memory = spent.memory(instance)
    record_property(f"memory of {instance}, secret_memory {spent.secret_memory}", {
        "read bytes": memory.read_bytes, "refused bytes": memory.refused_bytes})
    assert memory.read_bytes > 1 << 20
    assert in_memory(instance, memory, spent.canaries) == []


@pytest.mark.parametrize("instance", DAEMONS)
def test_only_the_arena_holds_a_credential(spent, instance):
    """API keys are bearer secrets; PIN and passphrases open the rest. vaultd keeps the PIN, to log
    in again when the token was away."""
    deployment = spent.deployment
    secrets = {path.name: path.read_text().strip().encode()
               for path in (deployment.dir / "secrets").iterdir() if path.suffix != ".json"}
    secrets["API key"] = deployment.state()["api_key"].encode()
    assert len(secrets) >= 5
    assert [name for name, secret in secrets.items()
            for region in spent.memory(instance).outside if secret in region.data] == []


def test_arena_is_as_well_protected_as_the_process_says(spent):
    for instance in DAEMONS:
        said = spent.deployment.admin(instance, "GET", "/readyz")[1]["memory"]
        memory = spent.memory(instance)
        if said == "memfd_secret":
            assert spent.secret_memory == "auto"
            assert memory.refused_bytes >= 1 << 20 and memory.arena_bytes == 0, instance
        else:
            assert said == "mlocked"
            assert memory.arena_bytes >= 1 << 20, instance


def test_database_server_memory_holds_nothing_of_a_card(spent):
    if "postgres" not in spent.deployment.processes:
        pytest.skip("SQLite runs inside the daemons")
    memory = spent.memory("postgres")
    assert in_memory("postgres", memory, spent.canaries) == []


def test_files_hold_nothing_of_a_card(spent):
    files = files_below(spent.deployment.dir) + list(
        temporary_files_since(spent.started, spent.deployment.dir))
    assert len(files) > 20
    assert [line for path in files
            for line in findings(path, path.name.encode() + b"\n" + read_if_there(path),
                                 spent.canaries)] == []


def test_environment_and_command_line_hold_nothing_of_a_card(spent):
    for instance, process in spent.deployment.processes.items():
        for name in ("environ", "cmdline", "comm", "limits"):
            data = pathlib.Path(f"/proc/{process.pid}/{name}").read_bytes()
            assert findings(f"{instance} {name}", data, spent.canaries) == []


def test_process_may_not_dump_core(spent):
    for instance in DAEMONS:
        pid = spent.deployment.processes[instance].pid
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"], instance


def test_admin_answers_hold_nothing_of_a_card(spent):
    for instance in DAEMONS:
        for path in ("/metrics", "/readyz", "/healthz"):
            _, answer = spent.deployment.admin(instance, "GET", path)
            text = answer if isinstance(answer, str) else json.dumps(answer)
            assert findings(f"{instance} {path}", text.encode(), spent.canaries) == []
