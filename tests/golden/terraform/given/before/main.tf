variable "build_image" {
  default = "node:20"
}

resource "aws_codebuild_project" "web" {
  environment {
    image = var.build_image
  }
}
