resource "aws_ecs_task_definition" "web" {
  family = "web"
  container_definitions = jsonencode([
    {
      name  = "web"
      image = "public.ecr.aws/docker/library/nginx:1.27"
      environment = [{ name = "IMAGE", value = "node:20" }]
    },
    local.sidecar,
  ])
}

locals {
  sidecar = {
    name    = "redis"
    "image" = "public.ecr.aws/docker/library/redis:7"
  }
  more = concat([local.sidecar], var.logs ? [{ image = "public.ecr.aws/docker/library/fluentd:v1.17" }] : [])
}

resource "aws_ecs_task_definition" "more" {
  container_definitions = jsonencode(local.more)
}

resource "aws_ecs_task_definition" "text" {
  container_definitions = <<EOF
[
  {
    "name": "api",
    "image": "public.ecr.aws/docker/library/httpd:${var.tag}",
    "cpu": ${var.cpu},
    "essential": true
  },
  {"name": "own", "image": "${aws_ecr_repository.own.repository_url}:1"},
  {"name": "escaped", "image": "\u006eode:20"}
]
EOF
}

variable "tag" {
  default = "2.4"
}

resource "aws_batch_job_definition" "job" {
  container_properties = jsonencode({
    image   = "public.ecr.aws/docker/library/busybox"
    command = ["echo", "image"]
  })
}

resource "kubernetes_deployment" "web" {
  spec {
    template {
      spec {
        init_container {
          name  = "wait"
          image = "public.ecr.aws/docker/library/busybox:1.36"
        }
        container {
          name  = "web"
          image = "ghcr.io/shop/web:1"
        }
        dynamic "container" {
          for_each = var.sidecars
          content {
            image = "public.ecr.aws/docker/library/memcached:1"
          }
        }
      }
    }
  }
}

resource "kubernetes_manifest" "pod" {
  manifest = {
    apiVersion = "v1"
    kind       = "Pod"
    spec       = { containers = [{ name = "a", image = "public.ecr.aws/docker/library/alpine:3" }] }
  }
}

resource "kubectl_manifest" "pod" {
  yaml_body = <<-YAML
    apiVersion: v1
    kind: Pod
    metadata:
      name: ${var.name}
    spec:
      containers:
        - name: a
          image: public.ecr.aws/docker/library/golang:1.23
        - name: b
          image: ${var.image}
  YAML
}

resource "docker_image" "nginx" {
  name = "public.ecr.aws/docker/library/nginx"
}

resource "docker_image" "own" {
  name = "shop"
  build {
    context = "."
  }
}

resource "docker_container" "nginx" {
  image = docker_image.nginx.image_id
}

resource "azurerm_container_group" "web" {
  container {
    image = "public.ecr.aws/docker/library/postgres:16"
  }
}

resource "aws_instance" "host" {
  ami       = "ami-123"
  user_data = <<-EOF
    #!/bin/bash
    docker run -d public.ecr.aws/docker/library/traefik:3
    docker run -d ${var.image}
  EOF
  provisioner "local-exec" {
    command = "docker pull public.ecr.aws/docker/library/ubuntu:24.04"
  }
}

resource "google_compute_instance" "host" {
  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-12"
    }
  }
}
