#!/bin/sh
docker build --build-context base=docker-image://node:20 --build-context=src=. .
docker buildx bake --set '*.contexts.base=docker-image://node:20' --set app.args.BASE_IMAGE=alpine
