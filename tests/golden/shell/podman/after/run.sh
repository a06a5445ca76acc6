#!/bin/sh
podman run --rm --replace --name x public.ecr.aws/docker/library/node:20 true
buildah from --pull public.ecr.aws/docker/library/alpine
