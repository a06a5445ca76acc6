#!/usr/bin/env bash
set -euo pipefail

docker pull node:20
docker run --rm -it -v "$PWD:/src" -e CI --name=build -w /src golang:1.22-alpine go build ./...
docker run -itv /tmp:/tmp --network host busybox:1.36 ls -l
docker container run -d -p 8080:80 -- nginx
docker create --name db --env-file .env postgres:16
docker image pull --platform linux/arm64 alpine
sudo -E docker --context remote -l debug run redis:7 redis-server --save ""
DOCKER_BUILDKIT=1 timeout -k 5 60 nerdctl run mysql:8 mysql --version
if ! docker pull -q ruby:3.3; then
  exit 1
fi
id=$(docker create httpd) && docker cp "$id:/x" . || true
for n in 1 2; do docker run python:3.12 python -c "print($n)"; done
(cd app && docker run maven:3 mvn test) | tee log
case "$1" in
  up) docker run haproxy ;;
  *) retry 3 docker pull traefik ;;
esac
