"""Flags of container commands that take no value; every other flag of theirs takes one.

Compiled from the commands' own reference pages (docker CLI 28, podman 5, nerdctl 2,
buildah 1.40, trivy 0.60, kubectl 1.33); a flag that only one of docker, podman and nerdctl knows
is listed for all of them, since none of them uses it with a value.
"""

from __future__ import annotations

from typing import Final


def _switches(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split()) | {"-h", "--help"}


DOCKER: Final = _switches("-D --debug --tls --tlsverify -v --version -r --remote --noout --syslog --transient-store --insecure-registry")
KUBECTL: Final = _switches("--insecure-skip-tls-verify --match-server-version --warnings-as-errors")

RUN: Final = _switches(
    "-d --detach -i --interactive -t --tty -P --publish-all -q --quiet --init --no-healthcheck --oom-kill-disable",
    "--privileged --read-only --rm --sig-proxy --disable-content-trust --use-api-socket",
    "--env-host --http-proxy --no-hosts --no-hostname --passwd --read-only-tmpfs --replace --rmi --tls-verify",
    "--all-platforms --rootfs",
) - {"-h"}
"""``docker run`` and ``create``; ``-h`` is the host name there."""

BUILD: Final = _switches(
    "--compress --force-rm --rm --no-cache --pull -q --quiet --squash --stream --disable-content-trust",
    "--load --push -D --debug --check",
    "--all-platforms --disable-compression --http-proxy --identity-label --inherit-labels --layers --no-hosts --no-hostname --omit-history",
    "--pull-always --pull-never --rewrite-timestamp --save-stages",
    "--skip-unused-stages --squash-all --stdin --tls-verify --force-compression",
)
PULL: Final = _switches(
    "-a --all-tags -q --quiet --disable-content-trust --tls-verify",
    "--unpack --all-platforms --remove-signatures --pull --pull-always --pull-never",
)
PUSH: Final = _switches(
    "-a --all-tags -q --quiet --disable-content-trust --tls-verify --compress --force-compression --remove-signatures --rm --all"
)
SAVE: Final = _switches("--compress -m --multi-image-archive -q --quiet --uncompressed --all-platforms")
REMOVE: Final = _switches("-f --force --no-prune -a --all -i --ignore")
INSPECT: Final = _switches("-s --size -l --latest")
HISTORY: Final = _switches("-H --human --no-trunc -q --quiet")
LIST: Final = _switches("-a --all --digests --no-trunc -q --quiet --tree -n --noheading --history")
COMMIT: Final = _switches(
    "-p --pause -q --quiet -s --squash --include-volumes --no-pause --rm --disable-compression --tls-verify --omit-history"
)
MANIFEST: Final = _switches("-a --amend --insecure -v --verbose --all --tls-verify -p --purge")
IMAGETOOLS: Final = _switches("--append --dry-run --raw --prefer-index -D --debug")
SERVICE: Final = _switches(
    "-d --detach -t --tty --init --no-healthcheck --no-resolve-image -q --quiet --read-only --with-registry-auth --force --rollback"
)
CREATE_BUILDER: Final = _switches("--append --bootstrap --leave --use -D --debug")
BAKE: Final = _switches("--load --no-cache --print --pull --push --check -D --debug")
SCOUT: Final = _switches(
    "--debug --verbose-debug --details --epss --exit-code -e --ignore-base --ignore-suppressed --locations --multi-stage --only-fixed",
    "--only-unfixed --only-cisa-kev --only-vuln-packages --ignore-unchanged --hide-policies --only-policy-violations --only-refresh",
    "--only-update --latest --to-latest",
)
BUILDAH_FROM: Final = _switches("--http-proxy --pull --pull-always --pull-never -q --quiet --tls-verify -i --identity")
SKOPEO: Final = _switches(
    "-a --all -q --quiet --preserve-digests --remove-signatures --src-no-creds --dest-no-creds --no-creds --raw --config -n --no-tags",
    "--dest-compress --dest-decompress --dest-force-compress-format",
    "--dest-oci-accept-uncompressed-layers --src-tls-verify --dest-tls-verify",
    "--tls-verify --debug --insecure-policy --scoped --dry-run --keep-going --append-suffix -f",
)
CRANE: Final = _switches(
    "--allow-nondistributable-artifacts --insecure -v --verbose --full-ref --omit-digest-tags -O -a --all-tags -n --no-clobber",
    "--annotate-ref --remote --fast --set-base-image-annotations --recursive -r",
)
ORAS: Final = _switches(
    "-d --debug -v --verbose --insecure --plain-http --no-tty",
    "-r --recursive --descriptor --pretty --allow-path-traversal -k --keep-old-files --include-subject",
)
REGCTL: Final = _switches(
    "--list --raw-body --force-recursive --digest-tags --include-external --referrers --fast --require-list --require-digest --delete"
)
CTR: Final = _switches(
    "--debug --all-platforms --all-metadata --print-chainid --plain-http -k --skip-verify",
    "--http-dump --http-trace --local -d --detach --rm -t --tty",
    "--privileged --net-host --null-io --read-only --no-pivot --fifo --cgroup-parent --isolated --enable-cni --seccomp --insecure-limits",
) - {"--cgroup-parent"}
CRICTL: Final = _switches("-D --debug -a --all -q --quiet --no-trunc -p --prune")
TRIVY: Final = _switches(
    "-q --quiet -d --debug --ignore-unfixed --no-progress",
    "--list-all-pkgs --insecure --reset --clear-cache --skip-db-update --skip-java-db-update",
    "--skip-update --skip-policy-update --skip-check-update --offline-scan --download-db-only --download-java-db-only --dependency-tree",
    "--include-dev-deps --removed-pkgs --show-suppressed -v --version --include-non-failures --license-full --trace --light --no-dist",
    "--generate-default-config --disable-telemetry --skip-version-check --skip-vex-repo-update --check-config --cache-clear --render-cause",
)
ANCHORE: Final = _switches(
    "-q --quiet -v -vv --verbose --only-fixed",
    "--only-notfixed --by-cve --add-cpes-if-none --show-suppressed --profile-mem --profile-cpu --lookup-update-available",
)
SCANNER: Final = _switches(
    "--ci --json-pretty -d --debug -q --quiet --no-color --insecure --exclude-base-image-vulns --app-vulns --print-deps --exclude-app-vulns"
)
PACK: Final = _switches(
    "--publish --clear-cache -q --quiet -v --verbose",
    "--timestamps --no-color --trust-builder --trust-extra-buildpacks --sparse --interactive",
)
KIND: Final = _switches("--retain -q --quiet -v")
NOTHING: Final = _switches()
