"""Terraform and OpenTofu: containers of resources and modules, with variables and locals followed."""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._format import Format
from unhub.formats._hcl.json_text import read_hcl_json
from unhub.formats._hcl.parse import read_hcl
from unhub.formats._terraform import Terraform
from unhub.image.found import Finding
from unhub.image.source import Source

FORMAT = Format(
    name="terraform",
    title="Terraform",
    tier="B",
    files=("*.tf", "*.tofu", "*.tf.json", "*.tofu.json", "*.tfvars"),
    positions=(
        "aws_codebuild_project: environment.image, inline buildspec",
        "aws_ecs_task_definition: container_definitions (jsonencode, heredoc); aws_batch_job_definition: *_properties",
        "docker_image, docker_registry_image: name; docker_container: image",
        "container.image, init_container.image of any resource (kubernetes_*, aws_lightsail_*, azurerm_*, google_cloud_run_*)",
        "kubernetes_manifest, kubectl_manifest: pods",
        "helm_release: set and values",
        "nomad_job: jobspec",
        "module: container_definitions, build_image, container_image and the like",
        "user_data and provisioners as shell scripts",
        "defaults of variables and locals, where one of these uses them",
    ),
    gaps=(
        "variables of other files than variables.tf, locals.tf, main.tf and terraform.tfvars of the same folder",
        "files that file() and templatefile() read are looked at as what they are",
        "loops and all but the simplest functions are not evaluated",
    ),
    order=20,
    needles=(b"image", b"container", b"docker", b"podman", b"manifest"),
)


def find(source: Source) -> Iterator[Finding]:
    """The images of a file of a module."""
    is_json = source.name.lower().endswith(".json")
    document = read_hcl_json(source.data) if is_json else read_hcl(source.data)
    yield from Terraform(source, document).findings()
