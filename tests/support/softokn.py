"""NSS softokn as the HSM of a deployment, set up as docs/hsm.md tells: its own words are used."""
import pathlib
import re
import secrets
import shlex
import subprocess

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/hsm.md"
FOLDER = "/var/lib/strongroom-token"  # there


def told(heading):
    """The blocks below a heading of docs/hsm.md, in their order, without the indentation."""
    part = DOCUMENT.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [re.sub(r"^    ", "", block, flags=re.M).strip() + "\n"
            for block in re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", part, flags=re.M)]


def module():
    (path,) = pathlib.Path("/usr/lib").glob("*/libsoftokn3.so")
    return path


def make_token(folder):
    """A token of its own in `folder`, and the options by which `strongroom init` takes it."""
    make, settings, init = (text.replace(FOLDER, str(folder)) for text in
                            told("NSS softokn"))
    (folder.parent / "pin").touch(mode=0o600)
    (folder.parent / "pin").write_text(secrets.token_hex(16) + "\n")
    (folder.parent / "hsm-settings.toml").write_text(settings)
    for line in make.splitlines():
        subprocess.run(line, shell=True, check=True, cwd=folder.parent)
    options = shlex.split(init.replace("\\\n", " "))
    begin = options.index("--hsm-module")
    places = {"--hsm-module": module(), "--hsm-pin-file": folder.parent / "pin",
              "--hsm-settings": folder.parent / "hsm-settings.toml"}
    pairs = zip(options[begin::2], options[begin + 1::2])
    return [part for name, value in pairs for part in (name, places.get(name, value))]
