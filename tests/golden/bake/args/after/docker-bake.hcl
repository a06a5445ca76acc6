variable "GO_IMAGE" {
  default = "public.ecr.aws/docker/library/golang:1.23"
}

target "_common" {
  args = {
    BASE       = GO_IMAGE
    GO_VERSION = "1.23"
    STAGE      = "build"
    BUILDKIT_SYNTAX = "docker/dockerfile:1"
  }
}

target "app" {
  inherits   = ["_common"]
  context    = "app"
  dockerfile = "app.Dockerfile"
}

target "matrix" {
  matrix = {
    base = ["public.ecr.aws/docker/library/node:20", "public.ecr.aws/docker/library/node:22"]
    item = [{ image = "public.ecr.aws/docker/library/python:3.12", name = "py" }]
  }
  name    = "matrix-${item.name}"
  context = "app"
  args = {
    BASE  = base
    OTHER = item.image
  }
}
