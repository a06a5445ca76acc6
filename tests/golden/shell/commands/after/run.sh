#!/usr/bin/env bash
set -euo pipefail

docker pull public.ecr.aws/docker/library/node:20
docker run --rm -it -v "$PWD:/src" -e CI --name=build -w /src public.ecr.aws/docker/library/golang:1.22-alpine go build ./...
docker run -itv /tmp:/tmp --network host public.ecr.aws/docker/library/busybox:1.36 ls -l
docker container run -d -p 8080:80 -- public.ecr.aws/docker/library/nginx
docker create --name db --env-file .env public.ecr.aws/docker/library/postgres:16
docker image pull --platform linux/arm64 public.ecr.aws/docker/library/alpine
sudo -E docker --context remote -l debug run public.ecr.aws/docker/library/redis:7 redis-server --save ""
DOCKER_BUILDKIT=1 timeout -k 5 60 nerdctl run public.ecr.aws/docker/library/mysql:8 mysql --version
if ! docker pull -q public.ecr.aws/docker/library/ruby:3.3; then
  exit 1
fi
id=$(docker create public.ecr.aws/docker/library/httpd) && docker cp "$id:/x" . || true
for n in 1 2; do docker run public.ecr.aws/docker/library/python:3.12 python -c "print($n)"; done
(cd app && docker run public.ecr.aws/docker/library/maven:3 mvn test) | tee log
case "$1" in
  up) docker run public.ecr.aws/docker/library/haproxy ;;
  *) retry 3 docker pull public.ecr.aws/docker/library/traefik ;;
esac
