resource "helm_release" "web" {
  name  = "web"
  chart = "./chart"

  set {
    name  = "image.repository"
    value = "node"
  }
  set {
    name  = "image.tag"
    value = "22"
  }
  values = [
    yamlencode({
      db = { image = { registry = "docker.io", repository = "library/postgres", tag = "16" } }
    }),
    <<-EOT
      cache:
        image: redis:7
      own:
        image: ${var.image}
    EOT
  ]
}
