"""``unhub certificate``: a certificate for the mirror, and how each client is made to trust it."""

from __future__ import annotations

import datetime
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unhub.cli.output import colourful, styled, write
from unhub.cli.places import mirror_data
from unhub.image.errors import MissingExtra

if TYPE_CHECKING:
    from unhub.server.certificates import Made

LOCAL = ("localhost", "127.0.0.1", "::1")


@click.command("certificate", short_help="Make a certificate for the mirror, and tell how each client trusts it.")
@click.option("--host", multiple=True, metavar="NAME", help="A name or address of the mirror; repeatable. Default: this machine's names.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="UNHUB_DATA",
    metavar="DIR",
    help="The mirror's data folder; the files are put below DIR/tls. Default: ~/.local/state/unhub/mirror.",
)
@click.option("--days", type=click.IntRange(1, 825), default=397, show_default=True, metavar="N", help="How long the certificate holds.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=5000, show_default=True, metavar="N", help="The mirror's port, for what is printed."
)
def command(host: tuple[str, ...], data: Path | None, days: int, port: int) -> int:
    """Make a certificate for the mirror, signed by an authority of its own.

    The authority is made once; a certificate that is made anew is trusted by the clients that trust the authority.
    Nothing is installed: what is printed tells what to do for docker, containerd, podman, curl and others.
    """
    try:
        from unhub.server.certificates import make
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "cryptography":
            raise MissingExtra("make certificates", "server") from None
        raise
    hosts = host or _own_names()
    made = make((data or mirror_data()).absolute() / "tls", hosts, datetime.datetime.now(datetime.UTC), days=days)
    write(_text(made, hosts, port, styles=colourful(sys.stdout)))
    return 0


def _own_names() -> tuple[str, ...]:
    return tuple(dict.fromkeys((socket.gethostname().lower(), *LOCAL)))


def _text(made: Made, hosts: tuple[str, ...], port: int, *, styles: bool) -> str:
    files = made.files
    authority, certificate, key = (shlex.quote(str(path)) for path in (files.authority, files.certificate, files.key))
    place = f"[{hosts[0]}]:{port}" if ":" in hosts[0] else f"{hosts[0]}:{port}"
    said = "made" if made.is_new_authority else "kept; clients that trust it trust the new certificate"

    def heading(text: str) -> str:
        return styled(text, "bold", on=styles)

    return f"""\
{heading("Authority")}    {files.authority} ({said})
{heading("Certificate")}  {files.certificate} for {", ".join(hosts)}, until {made.ends:%Y-%m-%d}

{heading("The mirror")}
  unhub serve --listen '*:{port}' --tls-certificate {certificate} --tls-key {key}
  After a new certificate: send SIGHUP to the server; answers under way are not disturbed.

{heading("Clients")} (copy ca.crt to their machines; never ca.key)
  docker      mkdir -p /etc/docker/certs.d/{place} && cp {authority} /etc/docker/certs.d/{place}/ca.crt
  containerd  in /etc/containerd/certs.d/NAMESPACE/hosts.toml: ca = "/path/to/ca.crt" (`unhub client-config containerd` writes it)
  podman, buildah, skopeo
              mkdir -p /etc/containers/certs.d/{place} && cp {authority} /etc/containers/certs.d/{place}/ca.crt
  curl        curl --cacert {authority} https://{place}/v2/
  aws         AWS_CA_BUNDLE={authority}
  Python      SSL_CERT_FILE={authority}  (requests: REQUESTS_CA_BUNDLE)
  Debian      cp {authority} /usr/local/share/ca-certificates/unhub-mirror.crt && update-ca-certificates
  Fedora      cp {authority} /etc/pki/ca-trust/source/anchors/unhub-mirror.crt && update-ca-trust
"""
