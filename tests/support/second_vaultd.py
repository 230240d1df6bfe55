"""Two vaultd on one database and one HSM, as on two hosts: each with an auditd of its own."""
import contextlib
import re

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
            keys = second.dir / "public/tickets.pub"
            keys.write_text(keys.read_text() + (first.dir / "public/tickets.pub").read_text())
            yield

        with running("sqlite", joined) as second:
            yield first, second


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
