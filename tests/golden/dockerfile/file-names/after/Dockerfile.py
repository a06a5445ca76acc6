FROM public.ecr.aws/docker/library/node
