target "default" {
  tags     = ["node:ours", notequal("", TAG) ? "node:${TAG}" : ""]
  cache-to = ["node:cache", { type = "registry", ref = "node:cache2" }]
  output   = ["type=registry,name=docker.io/library/node"]
}
