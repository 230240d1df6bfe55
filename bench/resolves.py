"""The null connector of a deployment: takes the cards that vaultd hands over, and drops them."""

import subprocess
import sys

import deployment as d
from children import die_with_parent, free_port

sys.path.insert(0, str(d.ROOT / "tests" / "support"))

from certificates import Authority, Leaf  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: E402

NAME = "null"
PROCESS = "null-connector"


def gateway_options(deployment):
    """Makes loadgen gatewayd, the one caller whom vaultd resolves for."""
    pair = deployment.dir / "tls" / "gatewayd" / "gatewayd"
    return ["--gateway-cert", f"{pair}.crt", "--gateway-key", f"{pair}.key"]


def add_to_config(deployment, port):
    text = deployment.config.read_text()
    names = "connectors = { "
    at = text.index(names, text.index("[vaultd]")) + len(names)
    deployment.config.write_text(f'{text[:at]}{NAME} = "127.0.0.1:{port}", {text[at:]}')


def start(deployment, supervisor):
    """Adds it to the processes of a deployment whose daemons do not run yet."""
    port = free_port()
    add_to_config(deployment, port)
    domain = deployment.settings()["deployment"]["trust_domain"]
    files = Authority.of(deployment).issue(
        Leaf(uris=(f"spiffe://{domain}/connectord-{NAME}",),
             usage=(ExtendedKeyUsageOID.SERVER_AUTH,)), deployment.dir / "tls" / PROCESS)
    supervisor.processes[PROCESS] = subprocess.Popen(
        [str(part) for part in (d.BIN / "null_connector", "--port", port,
                                "--ca", deployment.dir / "tls/ca/ca.crt",
                                "--certificate", files.certificate, "--key", files.key)],
        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
