"""Steps as Drone and Woodpecker write them: an image, with commands or as a plug-in with settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unhub.formats._ci import CiImages
from unhub.formats._definitions import Definitions
from unhub.formats._scripts import joined, lines
from unhub.formats._variables import trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.found import Class, PulledBy

_OUTPUTS = ("repo", "repos", "tags", "tag")
_CACHES = ("cache_from", "cache-from")
_BUILDS = ("docker", "buildx", "kaniko", "ecr", "gcr", "acr", "gar")


class PluginSteps:
    """Looks at the steps and services of one pipeline."""

    def __init__(self, document: Document, images: CiImages) -> None:
        self.document = document
        self.images = images

    def visit(self, root: Mapping, keys: Sequence[str], names: Definitions, *, containers: bool = True) -> None:
        """Every step under ``keys``; without ``containers`` steps run on a machine and have no images."""
        for key in keys:
            for name, step in self._steps(root.get(key)):
                self._step(step, f"{key}.{name}", names, containers=containers)

    def _steps(self, node: Node | None) -> Iterator[tuple[str, Mapping]]:
        mapping, sequence = self.document.mapping(node), self.document.sequence(node)
        for pair in self.document.pairs(mapping) if mapping else ():
            step = self.document.mapping(pair.value)
            if step is not None:
                yield pair.name or "", step
        for number, item in enumerate(sequence.items if sequence else []):
            step = self.document.mapping(item)
            if step is not None:
                yield step.text("name") or str(number), step

    def _step(self, step: Mapping, where: str, names: Definitions, *, containers: bool) -> None:
        inside = names.inside()
        inside.export(step.get("environment"), f"{where}.environment")
        for image in self.document.lookup(step, "image") if containers else ():
            self.images.image(image, f"{where}.image", PulledBy.PLATFORM, names.split)
        texts = [line.mapped for pair in self.document.pairs(step) if pair.name == "commands" for line in lines(self.document, pair.value)]
        if texts:
            self.images.script(joined(texts), f"{where}.commands", inside.split_script)
        settings = self.document.mapping(step.get("settings")) or step
        plugin = (step.text("image") or "").rpartition("/")[2].partition(":")[0]
        if any(word in plugin for word in _BUILDS) and not texts:
            self._settings(settings, where, names)

    def _settings(self, settings: Mapping, where: str, names: Definitions) -> None:
        """What a plug-in that builds images pulls as a cache, and what it names its result."""
        for pair in self.document.pairs(settings):
            for number, value in enumerate(self._texts(pair.value)):
                place = f"{where}.settings.{pair.name}[{number}]"
                if pair.name in _CACHES:
                    self.images.image(value, place, PulledBy.BUILD, names.split)
                elif pair.name in _OUTPUTS and value.text.strip():
                    reason = "names what is built, not what is pulled"
                    self.images.skip(value.mapped.outer(trimmed(value)), place, Class.BUILD_OUTPUT, reason)

    def _texts(self, node: Node) -> Iterator[Scalar]:
        node_ = self.document.resolve(node)
        for item in node_.items if isinstance(node_, List) else [node_]:
            scalar = self.document.scalar(item)
            if scalar is not None:
                yield scalar
