"""``unhub demo-hub``: Docker Hub, ECR Public and its AWS endpoint, played on this machine until a signal comes."""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click

from unhub.cli.output import colourful, say, styled, write
from unhub.cli.ready_file import write_ready_file
from unhub.image.errors import UsageError

if TYPE_CHECKING:
    from unhub.demo.catalogue import Difference
    from unhub.demo.running import Api, Hub
    from unhub.demo.state import Record

DIFFERENCES = ("missing", "lag", "different", "platforms", "extra-platform", "no-layers")
PASSWORD = "demo-password"  # noqa: S105 - printed for everybody to use, on loopback only
NOWHERE = "none"
INTERRUPTED = 130
MEGABYTE = 1_000_000


class Amount(click.ParamType[int | None]):
    """A number of pulls, or ``unlimited``."""

    name = "N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The number; ``None`` for ``unlimited``."""
        text = str(value)
        if text == "unlimited":
            return None
        if not (text.isascii() and text.isdigit()):
            self.fail(f"{text!r} is neither a number nor 'unlimited'", param, ctx)
        return int(text)


@click.command("demo-hub", short_help="Run a stand-in for Docker Hub and ECR Public on this machine, for tests.")
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:5001", show_default=True, help="Docker Hub's registry; port 0 is any free port."
)
@click.option("--ecr-public", metavar="HOST:PORT", default="127.0.0.1:5002", show_default=True, help="ECR Public; `none` leaves it out.")
@click.option(
    "--api", metavar="HOST:PORT", default="127.0.0.1:5003", show_default=True, help="ECR Public's AWS endpoint; `none` leaves it out."
)
@click.option("--limit", type=Amount(), help="Docker Hub pulls without a login in a window, or `unlimited` (default: today's limit).")
@click.option("--account-limit", type=Amount(), help="Docker Hub pulls of a free account in a window, or `unlimited`.")
@click.option("--window", type=click.IntRange(min=1), metavar="SECONDS", help="The window of Docker Hub's limits.")
@click.option("--rate", type=Amount(), help="ECR Public pulls a second without a login, or `unlimited`.")
@click.option(
    "--period", type=click.Choice(["2020", "2025"]), default="2025", show_default=True, help="Whose wording Docker Hub's refusals have."
)
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, metavar="MS", help="Milliseconds before every answer.")
@click.option("--bandwidth", type=click.FloatRange(min=0.001), metavar="MB/S", help="Megabytes a second of each content network.")
@click.option(
    "--differ",
    multiple=True,
    metavar="NAME=HOW",
    help=f"How ECR Public's copy differs: library/node:20-alpine=lag; {', '.join(DIFFERENCES)}.",
)
@click.option(
    "--busybox",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A static busybox for the images to run with (default: the one on PATH).",
)
@click.option("--certificate", type=click.Path(path_type=Path), metavar="FILE", help="Speak TLS with this certificate (PEM).")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="The certificate's key (PEM).")
@click.option(
    "--ready-file", type=click.Path(path_type=Path), metavar="FILE", help="Write the addresses there as JSON once everything listens."
)
@click.option("--verbose", "-v", is_flag=True, help="A line for every request, on standard error.")
def command(**options: Any) -> int:
    """Play Docker Hub, ECR Public and its AWS endpoint on this machine: same protocol, limits and messages.

    They carry the images of the example project and a few more, listen on loopback addresses only, and end with Ctrl-C
    or SIGTERM. Faults are commanded over HTTP; what is printed at the start shows how.
    """
    token = os.environ.get("UNHUB_DEMO_TOKEN") or secrets.token_urlsafe(18)
    with ExitStack() as stack:
        _hold_signals(stack)
        _allow_many_connections()
        hub, ecr, api = _start(stack, options, token)
        facts = _facts(hub, ecr, api, token)
        write(_introduction(facts, styles=colourful(sys.stdout)))
        if options["ready_file"]:
            stack.callback(write_ready_file(options["ready_file"], facts))
        ended_by = signal.sigwait({signal.SIGINT, signal.SIGTERM})
        say("ending")
    return INTERRUPTED if ended_by == signal.SIGINT else 0


def _hold_signals(stack: ExitStack) -> None:
    """Let the signals that end us wait until we ask for them, in every thread that starts from here on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)


def _allow_many_connections() -> None:
    """Take as many open files as this user may have: each client holds a few connections, and there may be hundreds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _start(stack: ExitStack, options: dict[str, Any], token: str) -> tuple[Hub, Hub | None, Api | None]:
    from unhub.demo.ecr_public_api import ApiSettings
    from unhub.demo.running import running, running_api
    from unhub.demo.settings import HubSettings

    busybox = _busybox(options["busybox"])
    shared: dict[str, Any] = {
        "certificate": options["certificate"],
        "key": options["key"],
        "latency": options["latency"] / 1000,
        "control_token": token,
    }
    speed = {"bandwidth": options["bandwidth"] * MEGABYTE if options["bandwidth"] else None, "busybox": busybox}

    def start(persona: str, place: str, **settings: Any) -> Hub:
        host, port = _place(place)
        chosen = HubSettings(persona=cast(Any, persona), host=host, port=port, **shared, **speed, **settings)
        return stack.enter_context(running(chosen, notice=_notice(persona, options["verbose"])))

    hub = start(
        "docker-hub",
        options["listen"],
        accounts=_accounts(),
        period=options["period"],
        **_given(options, "limit", "account_limit", "window"),
    )
    ecr = api = None
    if options["ecr_public"] != NOWHERE:
        ecr = start("ecr-public", options["ecr_public"], **_given(options, "rate"), **_different(options["differ"], busybox))
    if options["api"] != NOWHERE:
        host, port = _place(options["api"])
        settings = ApiSettings(host=host, port=port, **shared)
        api = stack.enter_context(running_api(settings, notice=_notice("aws", options["verbose"])))
    return hub, ecr, api


def _given(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """The options of these names that were given; ``None`` may be a value (unlimited), so click is asked."""
    source = click.get_current_context().get_parameter_source
    return {name: options[name] for name in names if source(name) is not click.core.ParameterSource.DEFAULT}


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"cannot listen on {text!r}: it is not HOST:PORT", hint="Write it like 127.0.0.1:5001; port 0 is any free port.")
    return host.strip("[]"), int(port)


def _accounts() -> tuple[Any, ...]:
    from unhub.demo.settings import Account

    return Account(name="free", password=PASSWORD), Account(name="paid", password=PASSWORD, limit=None)


def _different(rows: tuple[str, ...], busybox: bytes | None) -> dict[str, Any]:
    from unhub.demo import catalogue

    differences: dict[str, Difference] = {}
    for row in rows:
        name, equals, how = row.rpartition("=")
        if not equals or how not in get_args(catalogue.Difference):
            raise UsageError(f"cannot understand --differ {row!r}: it is not NAME=HOW", hint=f"HOW is one of {', '.join(DIFFERENCES)}.")
        if not catalogue.is_carried(name):
            raise UsageError(f"cannot let {name!r} differ: the catalogue has no such image", hint="Write it like library/node:20-alpine.")
        differences[name] = cast("Difference", how)
    if not differences:
        return {}
    return {"images": catalogue.ecr_public(busybox, differences), "missing_blobs": catalogue.without_layers(differences, busybox)}


def _busybox(path: Path | None) -> bytes | None:
    """The bytes of a static busybox; ``None``, which is said, where there is none: the images then hold no programs."""
    found = path or shutil.which("busybox")
    if found is not None:
        try:
            data = Path(found).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {found}: {error.strerror or error}") from None
        if data.startswith(b"\x7fELF") and b"/ld-" not in data[:4096]:  # a dynamic one names its loader near the start
            return data
        if path is not None:
            raise UsageError(f"cannot use {path}: it is no static program", hint="Debian's package busybox-static has one.")
    say("No static busybox was found: the images can be pulled, and not run.")
    return None


def _notice(name: str, verbose: bool) -> Any:
    if not verbose:
        return None

    def show(record: Record) -> None:
        faults = f" fault: {', '.join(record.faults)}" if record.faults else ""
        say(f"{name} {record.site.value} {record.method} {record.path} {record.status} {record.caller or record.address}{faults}")

    return show


def _facts(hub: Hub, ecr: Hub | None, api: Api | None, token: str) -> dict[str, Any]:
    """Everything that is to be known from outside, as the ready file says it."""
    endpoints = [f"docker.io={hub.url}"] + ([f"public.ecr.aws={ecr.url}"] if ecr else [])
    environment = {"UNHUB_ENDPOINT": " ".join(endpoints)} | ({"AWS_ENDPOINT_URL_ECR_PUBLIC": api.url} if api else {})
    settings = hub.settings
    accounts = [
        {"name": each.name, "password": each.password, "limit": settings.account_limit if each.limit == -1 else each.limit}
        for each in settings.accounts
    ]
    return {
        "schema": 1,
        "docker_hub": {"url": hub.url, "token_url": hub.token_url, "cdn_url": hub.cdn_url, "api_url": hub.api_url, "accounts": accounts,
                       "limit": settings.limit, "window": settings.window},
        "ecr_public": {"url": ecr.url, "token_url": ecr.token_url, "cdn_url": ecr.cdn_url, "rate": ecr.settings.rate} if ecr else None,
        "aws": {"url": api.url} if api else None,
        "control_token": token,
        "environment": environment,
    }  # fmt: skip


def _introduction(facts: dict[str, Any], *, styles: bool) -> str:
    hub, ecr, aws = facts["docker_hub"], facts["ecr_public"], facts["aws"]
    hours = f"{hub['window'] / 3600:g} h"
    accounts = ", ".join(f"{each['name']} ({_amount(each['limit'])})" for each in hub["accounts"])
    rows = [("Docker Hub", hub["url"], f"{_amount(hub['limit'])} in {hours} without a login; accounts {accounts}, password {PASSWORD}")]
    if ecr:
        rows.append(("ECR Public", ecr["url"], f"{_amount(ecr['rate'])} a second without a login"))
    if aws:
        rows.append(("AWS endpoint", aws["url"], "GetAuthorizationToken"))
    width = max(len(url) for _, url, _ in rows)
    lines = [f"{styled(f'{name:<12}', 'bold', on=styles)}  {url:<{width}}  {says}" for name, url, says in rows]
    address = hub["url"].partition("://")[2]
    lines += ["", "Try it in another terminal:", ""]
    lines += [f'  export {name}="{value}"' for name, value in facts["environment"].items()]
    lines += [
        "  unhub verify node:21.7.0-alpine3.19",
        f"  skopeo inspect --tls-verify=false docker://{address}/library/node:21.7.0-alpine3.19",
        "",
        "Let something go wrong (the next 3 manifests are a web page):",
        "",
        f"  curl -H 'Authorization: Bearer {facts['control_token']}' {hub['url']}/_demo/faults \\",
        """    -d '{"kind": "html", "path": "*/manifests/*", "count": 3}'""",
        "",
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines) + "\n"


def _amount(number: int | None) -> str:
    return "unlimited pulls" if number is None else f"{number} pull{'' if number == 1 else 's'}"
