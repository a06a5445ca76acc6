# what everything starts from
variable "BASE" {
  default = "public.ecr.aws/docker/library/node:22-alpine"
}

variable "TAG" { default = "20" }
variable "SOURCE" { default = "docker-image://public.ecr.aws/docker/library/alpine:3.20" }

target "web" {
  contexts = {
    base     = "docker-image://${BASE}"
    tools    = "docker-image://public.ecr.aws/docker/library/debian:bookworm" # kept
    "golang" : "docker-image://public.ecr.aws/docker/library/golang:1.23"
    versioned = "docker-image://public.ecr.aws/docker/library/node:${TAG}"
    whole    = SOURCE
    other    = TAG == "20" ? "docker-image://public.ecr.aws/docker/library/redis:7" : "docker-image://quay.io/shop/redis:7"
    empty    = "docker-image://scratch"
    assets   = "target:assets"
    here     = "./src"
    unknown  = "docker-image://${REGISTRY}/app"
  }
  tags       = ["shop/web:latest", "registry.example.com/web:${TAG}"]
  cache-from = ["type=registry,ref=public.ecr.aws/docker/library/busybox:cache", "type=gha"]
  cache-to   = ["type=registry,ref=shop/web:cache,mode=max", "type=inline"]
  output     = ["type=image,name=node,push=true"]
}
