"""``unhub serve``: the mirror, until a signal comes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unhub.cli.configuration import Configuration, load
from unhub.cli.network import Network, client_settings, network_options
from unhub.cli.output import colourful, printable, say, styled
from unhub.cli.places import mirror_data
from unhub.cli.ready_file import write_ready_file
from unhub.image.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from unhub.server.running import Running
    from unhub.server.settings import Flags, ServeSettings

INTERRUPTED = 130
_EXTRA = frozenset({"aiosqlite", "alembic", "botocore", "granian", "prometheus_client", "sqlalchemy"})


@click.command("serve", short_help="Run the mirror: a registry that keeps serving when Docker Hub says 429.")
@click.option(
    "--listen",
    multiple=True,
    envvar="UNHUB_LISTEN",
    metavar="HOST:PORT",
    help="Where to listen; repeatable. Default: localhost:5000, IPv4 and IPv6. Port 0 is any free port.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="UNHUB_DATA",
    metavar="DIR",
    help="Where everything is kept. Default: ~/.local/state/unhub/mirror.",
)
@click.option(
    "--upstream", envvar="UNHUB_UPSTREAM", metavar="URL", help="Pull through from here in place of Docker Hub, with no fallback by default."
)
@click.option(
    "--fallback",
    multiple=True,
    envvar="UNHUB_FALLBACK",
    metavar="URL",
    help="Another registry with the same official images: https://public.ecr.aws/docker (default). Repeatable.",
)
@click.option("--no-fallback", is_flag=True, help="Ask nobody but the upstream.")
@click.option(
    "--own", multiple=True, envvar="UNHUB_OWN", metavar="ALIAS", help="Names below ALIAS/ are pushed here. Default: local. Repeatable."
)
@click.option(
    "--mode",
    type=click.Choice(["open", "ecr-public"]),
    envvar="UNHUB_MODE",
    help="Serve everybody (open, default), or as ECR Public does: with tokens, accounts and its API.",
)
@click.option(
    "--api-listen",
    multiple=True,
    envvar="UNHUB_API_LISTEN",
    metavar="HOST:PORT",
    help="Serve ECR Public's API on a port of its own, too (mode ecr-public). Repeatable.",
)
@click.option(
    "--terms",
    envvar="UNHUB_TERMS",
    metavar="PROFILE",
    help="Hold callers to ECR Public's limits of a time: none (default), aws-2024-03-11 or aws-2026-11.",
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    multiple=True,
    envvar="UNHUB_TRUSTED_PROXY",
    metavar="CIDR",
    help="Believe this proxy's X-Forwarded-For about who asks. Repeatable.",
)
@click.option("--workers", type=click.IntRange(1, 64), envvar="UNHUB_WORKERS", metavar="N", help="Processes that answer. Default: 1.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="UNHUB_CONFIG",
    metavar="FILE",
    help="The settings file; no other one is looked for.",
)
@click.option(
    "--tls-certificate",
    type=click.Path(path_type=Path),
    envvar="UNHUB_TLS_CERTIFICATE",
    metavar="FILE",
    help="Speak TLS (PEM, with chain).",
)
@click.option("--tls-key", type=click.Path(path_type=Path), envvar="UNHUB_TLS_KEY", metavar="FILE", help="The certificate's key (PEM).")
@click.option("--allow-plain-http", is_flag=True, default=None, help="Listen to other machines without TLS.")
@click.option("--open-metrics", is_flag=True, default=None, help="Show /metrics and the status to everybody, without the admin token.")
@click.option(
    "--push-password-file",
    type=click.Path(path_type=Path),
    envvar="UNHUB_PUSH_PASSWORD_FILE",
    metavar="FILE",
    help="Who knows this password may push, from other machines, too.",
)
@click.option("--ready-file", type=click.Path(path_type=Path), metavar="FILE", help="Write URLs and places there as JSON once it serves.")
@network_options
def command(network: Network, **options: Any) -> int:
    """Serve images of Docker Hub, keep them, and go on serving when Docker Hub refuses.

    Without any option: on localhost:5000, with ECR Public as a second source of official images. `docker pull
    localhost:5000/library/node` tries it. It ends with Ctrl-C or SIGTERM, after the answers under way.
    """
    if sys.platform == "win32":
        raise UsageError("cannot serve on Windows: run it in WSL or in a container")
    try:
        return _serve(network, options)
    except ImportError as error:
        if (error.name or "").partition(".")[0] in _EXTRA:
            raise MissingExtra("serve", "server") from None
        raise


def _serve(network: Network, options: dict[str, Any]) -> int:
    from unhub.server.running import serve

    config: Path | None = options["config"]
    ready_file: Path | None = options["ready_file"]
    flags = _flags(options)

    def settings() -> ServeSettings:
        return _settings(config, flags, network)

    forget: list[Callable[[], None]] = []

    def ready(running: Running) -> None:
        say(_introduction(running, styles=colourful(sys.stderr)))
        if ready_file is not None:
            forget.append(write_ready_file(ready_file, _facts(running)))

    try:
        ended_by = serve(settings(), _say, ready, reload=settings, login=network.login and not network.offline)
    finally:
        for remove in forget:
            remove()
    say("unhub: ended")
    return INTERRUPTED if ended_by == signal.SIGINT else 0


def _flags(options: dict[str, Any]) -> Flags:
    from unhub.server.settings import Flags

    names = ("upstream", "fallback", "no_fallback", "own", "workers", "tls_certificate", "tls_key")
    names += ("open_metrics", "allow_plain_http", "mode", "terms", "trusted_proxies")
    return Flags(
        listen=options["listen"],
        api_listen=options["api_listen"],
        data=options["data"],
        push_password_file=options["push_password_file"],
        **{name: options[name] for name in names},
    )


def _settings(config: Path | None, flags: Flags, network: Network) -> ServeSettings:
    """Everything checked. Read again at each reload."""
    from unhub.server.settings import Surroundings, serve_settings

    configuration = load(Path.cwd(), config) if config is not None else Configuration(_defaults())
    around = Surroundings(
        data=mirror_data(),
        client=client_settings(network, configuration),
        environment=os.environ,
        login=network.login and not network.offline,
    )
    return serve_settings(configuration.settings, flags, around, configuration.folder, _places(config))


def _defaults() -> Any:
    from unhub.config.settings import Settings

    return Settings()


def _places(config: Path | None) -> Callable[[tuple[str | int, ...]], str]:
    """Where a setting stands, as in ``unhub.toml:3:1``."""
    from unhub.cli.configuration import SHARED_FILE, SHARED_TABLE
    from unhub.config.places import place_of
    from unhub.server.settings import command_line

    if config is None:
        return command_line
    text = config.read_text("utf-8")
    table: tuple[str | int, ...] = SHARED_TABLE if config.name == SHARED_FILE else ()

    def where(key: tuple[str | int, ...]) -> str:
        line, column = place_of(text, (*table, *key))
        return f"{config}:{line}:{column}"

    return where


def _say(text: str) -> None:
    say(f"unhub: {printable(text)}")


def _introduction(running: Running, *, styles: bool) -> str:
    address = running.urls[0].partition("://")[2]
    host, _, port = address.rpartition(":")
    shown = f"localhost:{port}" if host in ("127.0.0.1", "[::1]") else address
    lines = [
        f"unhub: serving at {styled(', '.join(running.urls), 'bold', on=styles)}, data in {running.data}",
        f"  Try it: docker pull {shown}/{running.mode.hello_world}",
    ]
    if running.api_urls:
        lines.append(f"  ECR Public's API: aws ecr-public describe-registries --region us-east-1 --endpoint-url {running.api_urls[0]}")
    return "\n".join(lines)


def _facts(running: Running) -> dict[str, Any]:
    return {
        "schema": 1,
        "url": running.urls[0],
        "urls": list(running.urls),
        "api_urls": list(running.api_urls),
        "data": str(running.data),
        "admin_token_file": str(running.token_file),
        "pid": os.getpid(),
    }
