variable "REG" {
  default = "public.ecr.aws/docker/library/"
}

target "app" {
  contexts = {
    base = "docker-image://${REG}node:20"
  }
}
