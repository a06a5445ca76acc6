job "vm" {
  group "vm" {
    task "vm" {
      driver = "qemu"
      config { image = "node" }
    }
    task "unknown" {
      driver = "docker"
      config { image = var.image }
    }
  }
}
