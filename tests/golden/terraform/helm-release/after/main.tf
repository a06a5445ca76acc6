resource "helm_release" "web" {
  name  = "web"
  chart = "./chart"

  set {
    name  = "image.repository"
    value = "public.ecr.aws/docker/library/node"
  }
  set {
    name  = "image.tag"
    value = "22"
  }
  values = [
    yamlencode({
      db = { image = { registry = "public.ecr.aws", repository = "docker/library/postgres", tag = "16" } }
    }),
    <<-EOT
      cache:
        image: public.ecr.aws/docker/library/redis:7
      own:
        image: ${var.image}
    EOT
  ]
}
