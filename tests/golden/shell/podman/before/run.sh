#!/bin/sh
podman run --rm --replace --name x docker.io/node:20 true
buildah from --pull alpine
