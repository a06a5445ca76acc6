variable "tag" {
  default = "1.27"
}

variable "worker" {
  type    = string
  default = "public.ecr.aws/docker/library/python:3.12"
}

job "web" {
  group "web" {
    task "nginx" {
      driver = "docker"
      config {
        image = "public.ecr.aws/docker/library/nginx:${var.tag}"
        ports = ["http"]
      }
    }
    task "worker" {
      driver = "podman"
      config { image = var.worker }
    }
    task "own" {
      driver = "docker"
      config {
        image = "registry.example.com/web:${NOMAD_META_version}"
      }
    }
    task "machine" {
      driver = "qemu"
      config { image = "local/linux.img" }
    }
  }
}
