.RECIPEPREFIX = >
x:
> docker pull public.ecr.aws/docker/library/node:20
>@docker run public.ecr.aws/docker/library/alpine true
