#!/bin/sh
cat <<EOF
FROM node:20
docker pull node:20
EOF
cat > notes.txt <<EOF
FROM node:20
EOF
docker build - <<EOF
FROM scratch AS base
FROM base
EOF
