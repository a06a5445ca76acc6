variable "REG" {
  default = ""
}

target "app" {
  contexts = {
    base = "docker-image://${REG}node:20"
  }
}
