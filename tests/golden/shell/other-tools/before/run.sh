#!/bin/sh
kubectl run web --image=nginx:1.27 --restart=Never -- sleep 1
kubectl create deployment web --image nginx:1.27 --replicas 2
kubectl -n prod set image deployment/web web=nginx:1.28 sidecar=ghcr.io/a/b
kubectl debug -it web --image=busybox
skopeo copy --all docker://docker.io/library/alpine:3 docker://registry.example.com/alpine:3
skopeo inspect docker://node:20
crane digest node:20
crane copy --platform linux/amd64 redis registry.example.com/redis
regctl image copy redis registry.example.com/redis
trivy image --severity HIGH --exit-code 1 python:3.12
grype --fail-on high registry:python:3.12
kind create cluster --image kindest/node:v1.31.0
docker buildx imagetools inspect golang
docker buildx imagetools create -t registry.example.com/x golang
docker buildx create --use --driver-opt image=moby/buildkit:v0.17.0,network=host
docker service create --name web --replicas 2 httpd httpd-foreground
docker manifest inspect debian
apptainer pull out.sif docker://ubuntu:24.04
ctr -n k8s.io images pull docker.io/library/busybox:1.36
act -P ubuntu-latest=node:20 push
docker build --cache-from type=registry,ref=node:20 --build-arg BASE_IMAGE=node:20 --build-arg TAG=20 .
docker run --mount type=image,source=alpine,target=/x alpine
helm upgrade web ./chart --set image.repository=nginx --set image.tag=1
