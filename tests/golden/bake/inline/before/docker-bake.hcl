variable "VERSION" {
  default = "3.20"
}
variable "FRONT" {
  default = "node:22"
}

target "tools" {
  dockerfile-inline = "FROM alpine AS base\nRUN apk add curl\nFROM base\nCOPY --from=busybox:1.36 /bin/sh /sh\n"
}

target "web" {
  dockerfile-inline = <<-EOT
    # syntax=docker/dockerfile:1
    ARG RUNTIME=debian:12
    FROM ${FRONT} AS build
    RUN npm ci
    FROM alpine:${VERSION}
    COPY --from=build /app /app
    FROM $${RUNTIME}
    FROM ${MISSING}
  EOT
}
