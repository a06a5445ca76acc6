#!/bin/sh
# docker run public.ecr.aws/docker/library/node:20
true # docker pull public.ecr.aws/docker/library/redis
