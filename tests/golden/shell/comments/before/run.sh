#!/bin/sh
# docker run node:20
true # docker pull redis
