#!/bin/sh
docker build -t app - <<EOF
FROM node:20 AS base
FROM base
COPY --from=nginx:1 /x /x
RUN docker pull not-this
EOF
cat <<-'DONE' | docker build -f - .
	FROM golang:1.22
	RUN echo FROM nothing
	DONE
echo "FROM alpine" | docker build -
printf 'FROM busybox\nRUN true\n' | docker build -t x -
docker build - <<< "FROM ruby"
cat > Dockerfile.test <<EOF
FROM python:3.12
EOF
tee app/docker-compose.yml > /dev/null <<EOF
services:
  db:
    image: postgres:16
EOF
kubectl apply -f - <<EOF
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: web
      image: httpd
EOF
bash <<'EOF'
docker pull redis
EOF
