#!/bin/sh
kubectl run web --image=public.ecr.aws/docker/library/nginx:1.27 --restart=Never -- sleep 1
kubectl create deployment web --image public.ecr.aws/docker/library/nginx:1.27 --replicas 2
kubectl -n prod set image deployment/web web=public.ecr.aws/docker/library/nginx:1.28 sidecar=ghcr.io/a/b
kubectl debug -it web --image=public.ecr.aws/docker/library/busybox
skopeo copy --all docker://public.ecr.aws/docker/library/alpine:3 docker://registry.example.com/alpine:3
skopeo inspect docker://public.ecr.aws/docker/library/node:20
crane digest public.ecr.aws/docker/library/node:20
crane copy --platform linux/amd64 public.ecr.aws/docker/library/redis registry.example.com/redis
regctl image copy public.ecr.aws/docker/library/redis registry.example.com/redis
trivy image --severity HIGH --exit-code 1 public.ecr.aws/docker/library/python:3.12
grype --fail-on high registry:public.ecr.aws/docker/library/python:3.12
kind create cluster --image kindest/node:v1.31.0
docker buildx imagetools inspect public.ecr.aws/docker/library/golang
docker buildx imagetools create -t registry.example.com/x public.ecr.aws/docker/library/golang
docker buildx create --use --driver-opt image=moby/buildkit:v0.17.0,network=host
docker service create --name web --replicas 2 public.ecr.aws/docker/library/httpd httpd-foreground
docker manifest inspect public.ecr.aws/docker/library/debian
apptainer pull out.sif docker://public.ecr.aws/docker/library/ubuntu:24.04
ctr -n k8s.io images pull public.ecr.aws/docker/library/busybox:1.36
act -P ubuntu-latest=public.ecr.aws/docker/library/node:20 push
docker build --cache-from type=registry,ref=public.ecr.aws/docker/library/node:20 --build-arg BASE_IMAGE=public.ecr.aws/docker/library/node:20 --build-arg TAG=20 .
docker run --mount type=image,source=public.ecr.aws/docker/library/alpine,target=/x public.ecr.aws/docker/library/alpine
helm upgrade web ./chart --set image.repository=nginx --set image.tag=1
