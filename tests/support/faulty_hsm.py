"""vaultd's HSM is SoftHSM behind a module that fails as files tell it: faulty_module.h."""
import contextlib
import os

from deployment import BIN

MODULE = BIN.parent / "tests/contract/libfaulty_module.so"


def behind_faulty_module(inline):
    """For running(): vaultd calls its HSM on its worker's thread or on others."""
    def change(deployment):
        lines = []
        for line in deployment.config.read_text().splitlines():
            if line.startswith("module = "):
                line = f'module = "{MODULE}"'
            if line.startswith("inline = "):
                line = f"inline = {str(inline).lower()}"
            lines.append(line)
        deployment.config.write_text("\n".join(lines) + "\n")
        return contextlib.nullcontext()
    return change


@contextlib.contextmanager
def hsm_away(deployment):
    """The token is pulled, with every session on it."""
    sign = deployment.dir / "hsm/away"
    sign.touch()
    try:
        yield
    finally:
        sign.unlink()


@contextlib.contextmanager
def faults(deployment, **told):
    """While it lasts calls of these functions end as told: C_Decrypt="0x40"."""
    path = deployment.dir / "hsm/faults"
    written = path.with_name("faults.new")
    written.write_text("".join(f"{function} {what}\n" for function, what in told.items()))
    os.replace(written, path)
    try:
        yield
    finally:
        path.unlink()


def logins(deployment):
    """How often C_Login was called."""
    path = deployment.dir / "hsm/logins"
    return path.stat().st_size if path.exists() else 0
