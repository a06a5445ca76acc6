resource "aws_codebuild_project" "web" {
  name = "web"
  environment {
    compute_type                = "BUILD_GENERAL1_SMALL"
    image                       = "node:22" # was 20
    type                        = "LINUX_CONTAINER"
    image_pull_credentials_type = "SERVICE_ROLE"
  }
  source {
    type      = "NO_SOURCE"
    buildspec = <<-EOT
      version: 0.2
      phases:
        build:
          commands:
            - docker run --rm alpine:3.20 true
            - docker run --rm ${var.image} true
    EOT
  }
}

resource "aws_codebuild_project" "curated" {
  environment {
    image = "aws/codebuild/standard:7.0"
  }
}

resource "aws_codebuild_project" "chosen" {
  environment {
    image = var.arm ? "docker.io/library/golang:1.23" : local.images.build
  }
}

resource "aws_codebuild_project" "given" {
  environment {
    image = var.build_image
  }
}

resource "aws_codebuild_project" "unknown" {
  environment {
    image = var.image
  }
}

module "build" {
  source      = "cloudposse/codebuild/aws"
  build_image = "python:${var.python_version}"
}

module "curated" {
  source      = "cloudposse/codebuild/aws"
  build_image = "aws/codebuild/amazonlinux2-x86_64-standard:5.0"
}

locals {
  images = { build = "debian:${local.release}" }
  release = "12"
}
