job "cache" {
  datacenters = ["dc1"]
  group "cache" {
    task "redis" {
      driver = "docker"
      config {
        image = "public.ecr.aws/docker/library/redis:7" # kept
      }
    }
  }
}
