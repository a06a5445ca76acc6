#!/bin/sh
echo docker pull node:20
printf 'docker run node:20\n'
command -v docker || apt-get install -y docker
docker build -t node:mine --tag "registry.example.com/app:$(git rev-parse HEAD)" --build-arg REGISTRY=public.ecr.aws/docker/library/ .
docker run node:mine
docker push registry.example.com/app:1
docker tag local-build registry.example.com/app:2
docker commit web snapshot:1
docker exec web node --version
docker compose run web node
docker ps --format '{{.Image}}' --filter name=node
docker pull public.ecr.aws/docker/library/node:20
docker pull "$1"
docker pull ghcr.io/org/tool
docker run --rm $(docker build -q .) true
docker inspect node
docker logs node:20
