#!/bin/sh
docker buildx build --build-context alpine=../base --build-context "debian=target:x" .
