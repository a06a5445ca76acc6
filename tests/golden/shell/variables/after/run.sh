#!/bin/bash
IMAGE=public.ecr.aws/docker/library/node:20
REGISTRY=public.ecr.aws/docker/library/
VERSION=3.12
: "${POSTGRES:=public.ecr.aws/docker/library/postgres:16}"
readonly TOOLS="public.ecr.aws/docker/library/alpine:3.20"
docker pull "$IMAGE"
docker run --rm "${IMAGE}" node --version
docker run "${REGISTRY}ruby"
docker run public.ecr.aws/docker/library/python:${VERSION}
docker run ${GO_IMAGE:-public.ecr.aws/docker/library/golang:1.22} go version
docker pull $POSTGRES
for image in public.ecr.aws/docker/library/redis:7 public.ecr.aws/docker/library/mysql; do
  docker pull "$image"
done
fetch() {
  local name=$1
  docker pull "$name"
}
fetch public.ecr.aws/docker/library/debian:12
fetch public.ecr.aws/docker/library/ubuntu:24.04
OPTS="--rm -v $PWD:/src"
docker run $OPTS public.ecr.aws/docker/library/maven:3 mvn
docker run $EXTRA_ARGS public.ecr.aws/docker/library/gradle:8 gradle
images=(public.ecr.aws/docker/library/nginx
  httpd) # two
docker pull "${images[0]}"
all=(public.ecr.aws/docker/library/tomcat:10 public.ecr.aws/docker/library/jetty:12)
for one in "${all[@]}"; do docker pull $one; done
dk() { sudo docker "$@"; }
dk run --rm public.ecr.aws/docker/library/busybox true
ENGINE="sudo docker"
$ENGINE pull public.ecr.aws/docker/library/perl
[ -n "$CI" ] && echo "using $TOOLS" && docker run -e "TOOLS=$TOOLS" "$TOOLS"
