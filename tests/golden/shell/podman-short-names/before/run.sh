#!/bin/sh
podman run --rm fedora:40 true
ctr=$(buildah from alpine)
podman pull quay.io/podman/hello
