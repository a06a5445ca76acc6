"""Azure Pipelines: a step with the login, whose credentials come from a service connection to AWS (by OIDC, without keys).

Syntax: learn.microsoft.com, "YAML schema reference for Azure Pipelines"; docs.aws.amazon.com, "AWS Toolkit for Azure DevOps" (2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._choice import choose
from unhub.formats._scripts import mask
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, Sequence
from unhub.formats.azure_pipelines import EXPRESSION
from unhub.image.source import Source
from unhub.setup.commands import Does
from unhub.setup.events import Event, Story, of_foreign_script, of_script, story
from unhub.setup.file import CiFile
from unhub.setup.login_line import Form
from unhub.setup.outcome import FileSetup, Status, System, Wishes
from unhub.setup.yaml_text import Value

CONNECTION = "aws"
"""The name of the service connection that is written where the user names none."""
_SCRIPTS = ("script", "bash")
_FOREIGN = ("powershell", "pwsh")
_TASK_SCRIPTS = {"bash": "script", "cmdline": "script", "awsshellscript": "inlineScript"}
_BUILDING = ("build", "buildandpush", "run", "up", "runservices", "runaspecificservice", "buildservices", "pull", "runimage")
_NESTING_MAX = 20


def recognise(source: Source) -> bool:
    """Whether a file is a pipeline or a template."""
    entry = choose(source)
    return entry is not None and entry.format.name == "azure-pipelines"


def set_up(source: Source, wishes: Wishes) -> FileSetup:
    """The login for every list of steps that uses images."""
    file = _Pipeline(source, wishes)
    return file.finish(file.set_up)


SYSTEM = System("azure-pipelines", "Azure Pipelines", ("azure-pipelines",), recognise, set_up)


class _Pipeline(CiFile):
    """One pipeline or template."""

    def set_up(self) -> None:
        for document in self.documents:
            for holder, where in _holders(document):
                self._steps(document, holder, where)

    def _steps(self, document: Document, holder: Mapping, where: str) -> None:
        place = holder.text("job") or holder.text("deployment") or where or "steps"
        steps = holder.get("steps")
        told = story(list(_events(self.source, document, steps)))
        has_login = self.logins(told, place)
        use = told.first(Does.USE)
        if use is not None:
            self.result.status = Status.PRESENT
            if not has_login and isinstance(steps, Sequence):
                self._insert(steps, use, told)
            elif not has_login:
                self.by_hand(steps, f"{place}: the steps are an alias, which others may use; log in there by hand: {self.line()}")
        self.hub_logins(told, place, lambda event: self.remove_step(steps, event, told))

    def _insert(self, steps: Sequence, use: Event, told: Story) -> None:
        connection = self.wishes.connection or CONNECTION
        inputs: Value = {
            "awsCredentials": connection,
            "regionName": self.wishes.region,
            "scriptType": "inline",
            "inlineScript": self.line(Form.PIPEFAIL),
        }
        self.editor.insert_item(steps, use.at, {"task": "AWSShellScript@1", "displayName": "Log in to ECR Public", "inputs": inputs})
        text = f"needs the extension AWS Toolkit for Azure DevOps and a service connection {connection!r} to AWS, best by OIDC"
        self.note(steps, "connection", text if self.wishes.connection else f"{text}; --connection names another")
        if any(event.shown.startswith("Docker@2") for event in told.all(Does.USE)):
            text = "Docker@2 with a containerRegistry may use a docker configuration of its own (unverified), which lacks this login"
            self.note(use.node, "docker-task", text)


def _holders(document: Document) -> Iterator[tuple[Mapping, str]]:
    """Every mapping with steps; templates put them anywhere."""
    pending: list[tuple[Node, str]] = [(document.root, "")]
    while pending:
        node, where = pending.pop()
        if isinstance(node, Sequence):
            pending.extend((item, f"{where}[{number}]") for number, item in reversed(list(enumerate(node.items))))
        elif isinstance(node, Mapping):
            if document.sequence(node.get("steps")) is not None:
                yield node, where
            pending.extend((pair.value, f"{where}.{pair.name}".lstrip(".")) for pair in reversed(node.pairs) if pair.name != "steps")


def _events(source: Source, document: Document, node: Node | None, depth: int = 0) -> Iterator[Event]:
    steps = document.sequence(node)
    for number, item in enumerate(steps.items if steps and depth < _NESTING_MAX else []):
        step = document.mapping(item)
        for pair in step.pairs if step else ():
            value = document.scalar(pair.value)
            if (pair.name or "").startswith("${{") and document.sequence(pair.value) is not None:
                # a condition of a template around steps
                for event in _events(source, document, pair.value, depth + 1):
                    yield Event(event.does, number, event.shown, event.node, event.act)
            elif value is not None and pair.name in _SCRIPTS:
                yield from of_script(source, mask(value.mapped, EXPRESSION), number, value)
            elif value is not None and pair.name in _FOREIGN:
                yield from of_foreign_script(mask(value.mapped, EXPRESSION), number, value)
            elif value is not None and step is not None and pair.name == "task":
                yield from _task(source, document, step, value, number)


def _task(source: Source, document: Document, step: Mapping, task: Scalar, number: int) -> Iterator[Event]:
    name = task.text.partition("@")[0].rpartition(".")[2].lower()
    inputs = document.mapping(step.get("inputs"))

    def given(*keys: str) -> str:
        return next((text for key in keys if (text := inputs.text(key) if inputs else None)), "").replace(" ", "").lower()

    script = document.scalar(inputs.get(_TASK_SCRIPTS[name])) if inputs and name in _TASK_SCRIPTS else None
    if script is not None:
        yield from of_script(source, mask(script.mapped, EXPRESSION), number, script)
    elif name in ("docker", "dockercompose"):
        command = given("command", "action") or ("buildandpush" if task.text.endswith("@2") else "")
        if command in _BUILDING:
            yield Event(Does.USE, number, f"{task.text} {command}", step)
