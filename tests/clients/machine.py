"""A machine of a test's own: private host names, trusted certificates and a docker daemon, gone with the test.

Everything lives in a mount namespace and a process namespace of its own. The process that holds them dies with
the test, also of kill -9, and takes daemon, mounts and containers with it; nothing outside changes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tools import tool

WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
"""Ends a program together with the test, however that ends."""

DOCKER = "/usr/bin/docker"
"""Debian's docker: another client may come first on PATH."""

_INSIDE = """\
set -eu
mount --make-rprivate /
if [ "$2" = own-etc ]; then
    mkdir "$1/etc" && mount -t tmpfs tmpfs "$1/etc" && mkdir "$1/etc/upper" "$1/etc/work"
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/etc/upper,workdir=$1/etc/work" /etc
fi
mount --bind "$1/hosts" /etc/hosts
mkdir -p /etc/docker
mount --bind "$1/docker" /etc/docker
echo ready >"$1/ready"
exec sleep infinity
"""


_END = """\
pid=$(cat docker.pid) && kill "$pid" || exit 0
for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.1; done
"""


@dataclass
class Ended:
    """How a program ended."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Machine:
    """Programs run here see the test's own host names and trust."""

    def __init__(self, folder: Path, pid: int, *, authorities: Path | None = None) -> None:
        self.folder = folder
        self._authorities = authorities
        self.home = folder / "home"
        self._pid = pid
        self._daemon = False
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """A home of its own, no settings of the user, no proxies."""
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "TERM") if key in os.environ}
        trust = {"SSL_CERT_FILE": str(self._authorities)} if self._authorities else {}
        return {**kept, **trust, "HOME": str(self.home), "DOCKER_CONFIG": str(self.home / ".docker"), "TMPDIR": str(self.folder)}

    @property
    def prefix(self) -> tuple[str, ...]:
        """What runs a program of the test's own with this machine's host names, in the place of the program itself."""
        return ("unshare", "-m", "sh", "-c", 'mount --make-rprivate / && mount --bind "$0" /etc/hosts && exec "$@"', f"{self.folder}/hosts")

    def run(
        self, command: Sequence[str | Path], *, stdin: str = "", timeout: float = 120, folder: Path | None = None, **environment: str
    ) -> Ended:
        """Run a program inside; it never reads the test's own standard input."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._pid), "-m", "-p", "--wd=" + str(folder or self.folder), *map(str, command)],
            input=stdin.encode(),
            capture_output=True,
            check=False,
            timeout=timeout,
            env={**self.environment, **environment},
        )
        return Ended(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def shell(self, line: str, *, shell: str = "/bin/sh", timeout: float = 120, folder: Path | None = None, **environment: str) -> Ended:
        """Run a line as a person or a CI would type it."""
        return self.run([shell, "-c", line], timeout=timeout, folder=folder, **environment)

    def docker(
        self, *arguments: str | Path, stdin: str = "", timeout: float = 120, folder: Path | None = None, **environment: str
    ) -> Ended:
        """Run docker against this machine's own daemon, which starts at the first call."""
        self.start_daemon()
        return self.run([DOCKER, *arguments], stdin=stdin, timeout=timeout, folder=folder, DOCKER_HOST=self.docker_host, **environment)

    @property
    def docker_host(self) -> str:
        """What ``DOCKER_HOST`` must be for this machine's daemon."""
        return f"unix://{self.folder}/docker.sock"

    def start_daemon(self) -> None:
        """Start dockerd with data, socket and settings of its own."""
        if self._daemon:
            return
        tool("/usr/sbin/dockerd")
        self._daemon = True
        places = ("--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/docker.pid")
        network = ("--storage-driver=overlay2", "--iptables=false", "--ip6tables=false", "--bridge=none")
        command = ("dockerd", *places, "-H", self.docker_host, *network)
        self._process = self.start(command, self.folder / "dockerd.log")
        deadline = time.monotonic() + 60
        while self.run([DOCKER, "version"], DOCKER_HOST=self.docker_host).status != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(
                    f"dockerd does not start:\n{(self.folder / 'dockerd.log').read_text('utf-8', 'replace')[-3000:]}", pytrace=False
                )
            time.sleep(0.2)

    def start(self, command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
        """Start a program inside that goes on; it ends with the machine."""
        inside = [*WITH_PARENT, "nsenter", "-t", str(self._pid), "-m", "-p", *map(str, command)]
        with log.open("wb") as output:
            process = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment)
        self._started.append(process)
        return process

    def end(self) -> None:
        """End every program that was started, the hard way."""
        for process in self._started:
            process.kill()
            process.wait(20)

    def stop_daemon(self) -> None:
        """End dockerd and wait until it is gone."""
        if self._daemon:
            self.shell(_END, folder=self.folder)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self._process.kill()
            self._process.wait(20)
            self._daemon = False


@contextlib.contextmanager
def machine(
    *,
    hosts: Sequence[str] = (),
    trust: Mapping[str, bytes] | None = None,
    addresses: Mapping[str, str] | None = None,
    authorities: bytes = b"",
    own_etc: bool = False,
) -> Iterator[Machine]:
    """A machine on which ``hosts`` mean 127.0.0.1, and docker trusts the given CA (PEM) for each ``HOST[:PORT]`` of ``trust``.

    ``addresses`` are further host names with the addresses that they mean. ``authorities`` (PEM) are trusted by every Go
    program in the place of the system's. With ``own_etc`` all of ``/etc`` may be written, and nobody else sees it.

    Skipped by name, or failed, as :func:`tests.tools.tool` does it, without root or the programs.
    """
    tool("unshare")
    tool("nsenter")
    if os.geteuid() != 0:
        pytest.skip("a private mount namespace needs root")
    folder = Path(tempfile.mkdtemp(prefix="unhub-machine-"))
    further = "".join(f"{address} {name}\n" for name, address in (addresses or {}).items())
    (folder / "hosts").write_text(f"127.0.0.1 localhost {' '.join(hosts)}\n::1 localhost\n{further}", "utf-8")
    if authorities:
        (folder / "authorities.pem").write_bytes(authorities)
    (folder / "home").mkdir()
    for host, certificate in (trust or {}).items():
        place = folder / "docker" / "certs.d" / host
        place.mkdir(parents=True)
        (place / "ca.crt").write_bytes(certificate)
    (folder / "docker").mkdir(exist_ok=True)
    namespaces = ("unshare", "-m", "-p", "--fork", "--kill-child", "--mount-proc")
    inside = ("sh", "-c", _INSIDE, "sh", str(folder), "own-etc" if own_etc else "")
    holder = subprocess.Popen([*WITH_PARENT, *namespaces, *inside], stdin=subprocess.DEVNULL)
    made = None
    try:
        made = Machine(folder, _inner_process(holder, folder), authorities=folder / "authorities.pem" if authorities else None)
        yield made
    finally:
        holder.kill()
        holder.wait(20)
        if made is not None:
            made.end()
        _remove(folder)


def _inner_process(holder: subprocess.Popen[bytes], folder: Path) -> int:
    """The process inside the namespaces, whose parent holds them."""
    deadline = time.monotonic() + 20
    while not (folder / "ready").is_file():
        if holder.poll() is not None or time.monotonic() > deadline:
            pytest.fail("the private namespaces cannot be made", pytrace=False)
        time.sleep(0.02)
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text("ascii").split()
    return int(children[0])


def _remove(folder: Path) -> None:
    """Remove the folder; the daemon's mounts vanish a moment after its processes."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)
