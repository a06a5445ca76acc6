"""Lists of commands in YAML: where each command stands, and where a login goes among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unhub.formats._scripts import joined, lines
from unhub.formats._text import Mapped
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.source import Source
from unhub.setup.called import all_acts
from unhub.setup.events import Event, Story
from unhub.setup.file import is_one_command
from unhub.setup.logins import named
from unhub.setup.yaml_insertion import Editor


@dataclass(frozen=True, slots=True)
class Step:
    """One item of a list of commands, or a script in one text: ``sequence`` is ``None`` then.

    ``owner`` and ``key`` say whose list it is; ``node`` is what is shown and mended, ``text`` what the shell gets.
    """

    owner: Mapping
    key: str
    sequence: List | None
    number: int
    node: Node
    text: Mapped


def steps_of(document: Document, owner: Mapping, key: str, follow: Callable[[List], Node | None] = lambda node: None) -> list[Step]:
    """The commands that ``owner`` itself lists under ``key``; ``follow`` finds what a list with a tag stands for."""
    value = owner.get(key)
    if value is None:
        return []
    sequence = value if isinstance(value, List) and value.tag is None else None
    found: list[Step] = []
    for number, item in enumerate(sequence.items if sequence else [value]):
        scalars = list(lines(document, item, follow))
        if scalars:
            node = scalars[0] if len(scalars) == 1 else item
            found.append(Step(owner, key, sequence, number, node, joined([scalar.mapped for scalar in scalars])))
    return found


def tell(source: Source, steps: Sequence[Step]) -> Story:
    """What the commands do that one shell runs behind each other; an event's ``at`` counts them."""
    return Story(
        tuple(Event(act.does, act.text, named(act), steps[act.text].node, act) for act in all_acts(source, [step.text for step in steps]))
    )


def remove_login(editor: Editor, told: Story, steps: Sequence[Step], event: Event) -> bool:
    """Take a login to Docker Hub out that is all its item says; whether that could be done."""
    step = steps[event.at]
    alone = [other for other in told.events if other.at == event.at] == [event]
    one = is_one_command(step.text.data)
    plain = isinstance(step.node, Scalar) and step.node.anchor is None and event.act is not None and not event.act.path
    sequence = step.sequence
    if sequence is None or sequence.flow or not (alone and one and plain) or sequence.items[step.number] is not step.node:
        return False
    if len(sequence.items) == 1 and not editor.inserts_into(sequence):
        return False
    editor.remove_item(sequence, step.number)
    return True
