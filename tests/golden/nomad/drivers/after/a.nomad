job "a" {
  group "g" {
    task "web" {
      driver = "podman"
      config {
        image = "docker://public.ecr.aws/docker/library/redis:7"
      }
    }
    task "machine" {
      driver = "nspawn"
      config {
        image = "debian"
      }
    }
  }
}
