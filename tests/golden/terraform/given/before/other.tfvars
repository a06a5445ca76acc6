build_image = "node:18"
