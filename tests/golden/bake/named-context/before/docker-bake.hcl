target "default" {
  contexts = {
    alpine = "target:base"
  }
}
target "inline" {
  contexts = { node = "../node" }
  dockerfile-inline = "FROM node\n"
}
target "base" {
  dockerfile = "base.Dockerfile"
  contexts   = { "golang:1.23" = "docker-image://ghcr.io/shop/golang:1.23" }
}
