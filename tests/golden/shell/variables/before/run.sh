#!/bin/bash
IMAGE=node:20
REGISTRY=
VERSION=3.12
: "${POSTGRES:=postgres:16}"
readonly TOOLS="alpine:3.20"
docker pull "$IMAGE"
docker run --rm "${IMAGE}" node --version
docker run "${REGISTRY}ruby"
docker run python:${VERSION}
docker run ${GO_IMAGE:-golang:1.22} go version
docker pull $POSTGRES
for image in redis:7 mysql; do
  docker pull "$image"
done
fetch() {
  local name=$1
  docker pull "$name"
}
fetch debian:12
fetch ubuntu:24.04
OPTS="--rm -v $PWD:/src"
docker run $OPTS maven:3 mvn
docker run $EXTRA_ARGS gradle:8 gradle
images=(nginx
  httpd) # two
docker pull "${images[0]}"
all=(tomcat:10 jetty:12)
for one in "${all[@]}"; do docker pull $one; done
dk() { sudo docker "$@"; }
dk run --rm busybox true
ENGINE="sudo docker"
$ENGINE pull perl
[ -n "$CI" ] && echo "using $TOOLS" && docker run -e "TOOLS=$TOOLS" "$TOOLS"
