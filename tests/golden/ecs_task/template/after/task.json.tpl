[
  {
    "name": "web",
    "image": "${image}",
    "cpu": ${cpu},
    "essential": true
  },
  {
    "name": "proxy",
    "image": "public.ecr.aws/docker/library/nginx:1.27",
    "essential": true
  },
  {
    "name": "tagged",
    "image": "node:${tag}"
  }
]
