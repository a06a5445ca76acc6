#!/bin/bash
docker pull "node:20"
docker pull 'node:20'
docker run \
  --rm \
  -e "A=b c" \
  go\
lang:1.22 \
  go test
docker pull re'dis':"7"
sh -c 'docker pull alpine && docker run "busybox" ls'
bash -lc "docker run -v \"$PWD:/x\" ruby"
trap 'docker run httpd true' EXIT
eval "docker pull nginx"
ssh host "docker pull postgres"
docker run docker:dind sh -c "docker pull mysql"
echo `docker run python:3 date` $(docker run perl date)
diff <(docker run debian ls) <(docker run ubuntu ls)
echo it's; docker run maven
