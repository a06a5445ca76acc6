[
  {
    "name": "web",
    "image": "${image}",
    "cpu": ${cpu},
    "essential": true
  },
  {
    "name": "proxy",
    "image": "nginx:1.27",
    "essential": true
  },
  {
    "name": "tagged",
    "image": "node:${tag}"
  }
]
