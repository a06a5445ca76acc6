.RECIPEPREFIX = >
x:
> docker pull node:20
>@docker run alpine true
