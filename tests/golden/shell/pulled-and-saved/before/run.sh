#!/bin/sh
docker image inspect node:20 > /dev/null || docker pull node:20
docker tag node:20 registry.example.com/cache/node:20
docker push registry.example.com/cache/node:20
docker save -o images.tar node:20 redis
docker inspect --format '{{.Id}}' redis:latest
docker pull redis
kind load docker-image --name test redis
docker rmi node:20
docker save other:1 | gzip > other.tar.gz
