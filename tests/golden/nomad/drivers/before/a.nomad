job "a" {
  group "g" {
    task "web" {
      driver = "podman"
      config {
        image = "docker://docker.io/library/redis:7"
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
