#!/bin/sh
docker build --build-context base=docker-image://public.ecr.aws/docker/library/node:20 --build-context=src=. .
docker buildx bake --set '*.contexts.base=docker-image://public.ecr.aws/docker/library/node:20' --set app.args.BASE_IMAGE=public.ecr.aws/docker/library/alpine
