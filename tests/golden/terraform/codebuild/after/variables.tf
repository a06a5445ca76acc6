variable "build_image" {
  type    = string
  default = "public.ecr.aws/docker/library/maven:3.9"
}

variable "python_version" { default = "3.12" }

variable "image" {
  type = string
}

variable "unused_image" {
  default = "redis:7"
}
