"""The script that a CI runs to point the docker of its machine at the mirror: CodeBuild and GitHub Actions use it."""

from __future__ import annotations

from unhub.setup.clients.docker import RELOADS, daemon_json
from unhub.setup.clients.mirror import Mirror

_HEAD = """\
#!/bin/sh
# Points the docker of this machine at the mirror {url}. Run it as root, before the first pull.
set -eu
mkdir -p /etc/docker
"""

_CA = """\
mkdir -p /etc/docker/certs.d/{address}
cat >/etc/docker/certs.d/{address}/ca.crt <<'END'
{ca}END
"""

_SETTINGS = """\
settings=$(mktemp)
cat >"$settings" <<'END'
{json}END
if [ -s /etc/docker/daemon.json ]; then
    # What is there already stays.
    jq -s '.[0] as $old | $old + (.[1] | with_entries(.value += (($old[.key] // []) - .value)))' \\
        /etc/docker/daemon.json "$settings" >"$settings.all"
    mv "$settings.all" "$settings"
fi
cat "$settings" >/etc/docker/daemon.json
rm -f "$settings"
"""

_RELOAD = """\
version=$(docker version --format '{{{{.Server.Version}}}}')
pid=$(pidof dockerd)
if [ "${{version%%.*}}" -ge {reloads} ]; then
    # dockerd reads its mirrors anew at SIGHUP, and stops nothing.
    kill -HUP "$pid"
elif systemctl is-active --quiet docker 2>/dev/null; then
    systemctl restart docker
else
    # The BuildKit in it reads its mirrors at the start only: start it again as it was started.
    started=$(mktemp)
    cat "/proc/$pid/cmdline" >"$started"
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
    nohup xargs -0 -a "$started" env >/var/log/dockerd.log 2>&1 &
fi
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    if docker info --format '{{{{.RegistryConfig.Mirrors}}}}' 2>/dev/null | grep -qF '{url}'; then
        echo 'docker asks {url} for images of Docker Hub'
        exit 0
    fi
    sleep 0.5
done
echo 'docker did not take the mirror {url}' >&2
exit 1
"""


def script(mirror: Mirror) -> str:
    """A POSIX shell script; where ``daemon.json`` has something in it already it needs jq."""
    parts = _HEAD + (_CA if mirror.ca else "") + _SETTINGS + _RELOAD
    return parts.format(url=mirror.url, address=mirror.address, ca=mirror.ca, reloads=RELOADS, json=daemon_json(mirror))
