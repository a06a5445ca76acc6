variable "GO_IMAGE" {
  default = "golang:1.23"
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
    base = ["node:20", "node:22"]
    item = [{ image = "python:3.12", name = "py" }]
  }
  name    = "matrix-${item.name}"
  context = "app"
  args = {
    BASE  = base
    OTHER = item.image
  }
}
