build_image = "node:22"
