#!/bin/bash
BASE=node:20
docker pull $BASE
docker tag $BASE registry.example.com/$BASE
NAME=redis
docker run -d --name $NAME $NAME
DISTRO=debian
docker pull $DISTRO
docker save $DISTRO > $DISTRO.tar
FULL=python:3.12
docker run $FULL
echo "${FULL%%:*}"
for os in alpine ubuntu; do
  docker run $os
  if [ "$os" = alpine ]; then continue; fi
done
UNUSED_IMAGE=httpd
docker pull $UNKNOWN
docker run ${X:+node:20} ${Y?no image}
docker pull "$@"
IMAGE=app
docker build -t $IMAGE:$TAG .
docker run $IMAGE:$TAG
docker run $IMAGE:latest
