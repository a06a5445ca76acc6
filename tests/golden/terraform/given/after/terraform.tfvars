build_image = "public.ecr.aws/docker/library/node:22"
