#!/bin/bash
docker pull "public.ecr.aws/docker/library/node:20"
docker pull 'public.ecr.aws/docker/library/node:20'
docker run \
  --rm \
  -e "A=b c" \
  public.ecr.aws/docker/library/go\
lang:1.22 \
  go test
docker pull public.ecr.aws/docker/library/re'dis':"7"
sh -c 'docker pull public.ecr.aws/docker/library/alpine && docker run "public.ecr.aws/docker/library/busybox" ls'
bash -lc "docker run -v \"$PWD:/x\" public.ecr.aws/docker/library/ruby"
trap 'docker run public.ecr.aws/docker/library/httpd true' EXIT
eval "docker pull public.ecr.aws/docker/library/nginx"
ssh host "docker pull public.ecr.aws/docker/library/postgres"
docker run public.ecr.aws/docker/library/docker:dind sh -c "docker pull public.ecr.aws/docker/library/mysql"
echo `docker run public.ecr.aws/docker/library/python:3 date` $(docker run public.ecr.aws/docker/library/perl date)
diff <(docker run public.ecr.aws/docker/library/debian ls) <(docker run public.ecr.aws/docker/library/ubuntu ls)
echo it's; docker run public.ecr.aws/docker/library/maven
