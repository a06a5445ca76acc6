resource "openstack_compute_instance_v2" "host" {
  image_name = "ubuntu/22.04"
}

resource "aws_ecs_task_definition" "web" {
  # image = "node:20"
  container_definitions = file("containers.json")
}

resource "aws_ecs_task_definition" "api" {
  container_definitions = jsonencode([{ name = "api", image = "public.ecr.aws/docker/library/node:22" }])
}

resource "example_thing" "web" {
  thing_image = "node:20"
}
