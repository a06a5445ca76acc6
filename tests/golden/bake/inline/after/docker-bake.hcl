variable "VERSION" {
  default = "3.20"
}
variable "FRONT" {
  default = "public.ecr.aws/docker/library/node:22"
}

target "tools" {
  dockerfile-inline = "FROM public.ecr.aws/docker/library/alpine AS base\nRUN apk add curl\nFROM base\nCOPY --from=public.ecr.aws/docker/library/busybox:1.36 /bin/sh /sh\n"
}

target "web" {
  dockerfile-inline = <<-EOT
    # syntax=docker/dockerfile:1
    ARG RUNTIME=public.ecr.aws/docker/library/debian:12
    FROM ${FRONT} AS build
    RUN npm ci
    FROM public.ecr.aws/docker/library/alpine:${VERSION}
    COPY --from=build /app /app
    FROM $${RUNTIME}
    FROM ${MISSING}
  EOT
}
