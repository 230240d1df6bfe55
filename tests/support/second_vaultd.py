"""Two vaultd on one database and one HSM, as on two hosts: each with an auditd of its own."""
import contextlib
import re
import shutil

from running_deployment import running


@contextlib.contextmanager
def two_vaultds():
    """(first, second): the second's vaultd works on the first's database with the first's keys and
    believes the first's authd.
    """
    with running("postgres") as first:
        @contextlib.contextmanager
        def joined(second):
            settings = first.settings()
            changes = {"token": settings["hsm"]["token"],
                       "pin": f"file:{first.dir / settings['hsm']['pin'].removeprefix('file:')}",
                       "softhsm_conf": str(first.dir / settings["hsm"]["softhsm_conf"])}
            change_section(second, "hsm", changes)
            change_section(second, "vaultd", {"database": settings["vaultd"]["database"]})
            shutil.copytree(first.dir / "tls", second.dir / "tls", dirs_exist_ok=True)
            keys = second.dir / "public/tickets.pub"
            keys.write_text(keys.read_text() + (first.dir / "public/tickets.pub").read_text())
            yield

        with running("sqlite", joined) as second:
            yield first, second


def join_behind_one_door(first, second):
    """edged and gatewayd of the first ask both, and each knows the other as its peer."""
    places = {"a": first.settings()["vaultd"]["listen"], "b": second.settings()["vaultd"]["listen"]}
    connectord = first.settings()["connectord"]["stripe"]["listen"]

    def table(names):
        return "{ " + ", ".join(f'{name} = "{places[name]}"' for name in names) + " }"

    for deployment, own, other in ((first, "a", "b"), (second, "b", "a")):
        set_lines(deployment, "vaultd", {"name": f'"{own}"', "peers": table(other),
                                         "connectors": f'{{ stripe = "{connectord}" }}'})
        restart(deployment, "vaultd")
    for instance in ("gatewayd", "edged"):
        set_lines(first, instance, {"vaultd": None, "vaultds": table("ab")})
        restart(first, instance)


def restart(deployment, instance):
    assert deployment.stop_one(instance) == 0
    deployment.start_one(instance)


def set_lines(deployment, section, values):
    """Puts these lines in the place of what stands for their keys; None: no line."""
    before, part, after = re.fullmatch(rf"(.*\n\[{section}\][^\n]*\n)(.*?)((?:\n\[.*)?)",
                                       deployment.config.read_text(), flags=re.S).groups()
    lines = [line for line in part.splitlines() if line.split(" = ")[0] not in values]
    lines += [f"{key} = {value}" for key, value in values.items() if value is not None]
    deployment.config.write_text(before + "\n".join(lines) + "\n" + after)


def change_section(deployment, section, changes):
    """Gives keys of a section of strongroom.toml other values."""
    text = deployment.config.read_text()
    begin = text.index(f"\n[{section}]")
    end = text.index("\n[", begin + 1)
    part = text[begin:end]
    for key, value in changes.items():
        part, count = re.subn(rf'^{key} = ".*"', lambda _: f'{key} = "{value}"', part, flags=re.M)
        assert count == 1, key
    deployment.config.write_text(text[:begin] + part + text[end:])
