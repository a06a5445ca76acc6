ARG BASE=public.ecr.aws/docker/library/node:20-alpine
ARG REGISTRY=
ARG TARGET
FROM ${BASE} AS build
FROM ${REGISTRY}quay/base
FROM ${TARGET}
