#!/bin/sh
docker image inspect public.ecr.aws/docker/library/node:20 > /dev/null || docker pull public.ecr.aws/docker/library/node:20
docker tag public.ecr.aws/docker/library/node:20 registry.example.com/cache/node:20
docker push registry.example.com/cache/node:20
docker save -o images.tar public.ecr.aws/docker/library/node:20 public.ecr.aws/docker/library/redis
docker inspect --format '{{.Id}}' public.ecr.aws/docker/library/redis:latest
docker pull public.ecr.aws/docker/library/redis
kind load docker-image --name test public.ecr.aws/docker/library/redis
docker rmi public.ecr.aws/docker/library/node:20
docker save other:1 | gzip > other.tar.gz
