#!/bin/sh
docker build -t app - <<EOF
FROM public.ecr.aws/docker/library/node:20 AS base
FROM base
COPY --from=public.ecr.aws/docker/library/nginx:1 /x /x
RUN docker pull not-this
EOF
cat <<-'DONE' | docker build -f - .
	FROM public.ecr.aws/docker/library/golang:1.22
	RUN echo FROM nothing
	DONE
echo "FROM public.ecr.aws/docker/library/alpine" | docker build -
printf 'FROM public.ecr.aws/docker/library/busybox\nRUN true\n' | docker build -t x -
docker build - <<< "FROM public.ecr.aws/docker/library/ruby"
cat > Dockerfile.test <<EOF
FROM public.ecr.aws/docker/library/python:3.12
EOF
tee app/docker-compose.yml > /dev/null <<EOF
services:
  db:
    image: public.ecr.aws/docker/library/postgres:16
EOF
kubectl apply -f - <<EOF
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: web
      image: public.ecr.aws/docker/library/httpd
EOF
bash <<'EOF'
docker pull public.ecr.aws/docker/library/redis
EOF
