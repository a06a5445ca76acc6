"""One file of a CI on its way to a login: what all CIs have in common."""

from __future__ import annotations

import re
from collections.abc import Callable

from unhub.formats._yaml.parse import Alias, Document, Mapping, Node, Pair, Scalar, Sequence
from unhub.image.errors import RefusedError, SelfCheckFailed
from unhub.image.source import Source
from unhub.setup.commands import Does, of_text
from unhub.setup.events import Event, Story
from unhub.setup.login_line import Form, login
from unhub.setup.logins import region_problem, repair_texts
from unhub.setup.outcome import FileSetup, Note, Status, Wishes
from unhub.setup.yaml_insertion import Editor


class CiFile:
    """A YAML file of a CI: its editor, and what is to be said about it. Raises :class:`UnreadableError` where it is no YAML."""

    def __init__(self, source: Source, wishes: Wishes) -> None:
        self.source = source
        self.wishes = wishes
        self.editor = Editor(source.path, source.data)
        self.result = FileSetup(source.path, source.data, Status.NOT_NEEDED)

    @property
    def documents(self) -> list[Document]:
        """The documents of the file."""
        return self.editor.documents

    def note(self, node: Node | None, kind: str, text: str) -> None:
        """Say something about a place of the file; ``None`` is its start. What was said already is not said again."""
        at = node.span.start if node else 0
        if all((said.kind, said.text) != (kind, text) for said in self.result.notes):
            self.result.notes.append(Note(self.source.path, self.editor.line(at), kind, text))

    def by_hand(self, node: Node | None, text: str) -> None:
        """Say that something is needed that is not done here."""
        self.result.status = Status.BY_HAND
        self.note(node, "by-hand", text)

    def line(self, form: Form = Form.LINE) -> str:
        """The login as the user wants it, ``form`` where there is no wish."""
        return login(Form.ROBUST if self.wishes.robust else form, self.wishes.region)

    def finish(self, work: Callable[[], None]) -> FileSetup:
        """Do the work on the file, then prove it; what cannot be done is said."""
        try:
            work()
            if self.editor.changed:
                self.result.edits, self.result.after = self.editor.finish()
                self.result.status = Status.CHANGES
        except SelfCheckFailed as error:
            self.result.status, self.result.edits = Status.REFUSED, []
            self.note(None, "refused", error.message)
        except RefusedError as error:
            self.result.edits = []
            self.by_hand(None, f"{error.message}; log in there by hand: {self.line()}")
        return self.result

    def own(self, holder: Mapping, key: str, document: Document) -> Pair | None:
        """The last pair of that name. Raises :class:`RefusedError` where the key comes from a merge, which others may use."""
        found = next((pair for pair in reversed(holder.pairs) if pair.name == key), None)
        if found is None and next(document.lookup(holder, key), None) is not None:
            raise RefusedError(f"line {self.editor.line(holder.span.start)}: {key} comes from a merged mapping, which others may use")
        if found is not None and isinstance(found.value, Alias):
            raise RefusedError(f"line {self.editor.line(found.span.start)}: {key} is an alias, whose value others may use")
        return found

    def logins(self, told: Story, place: str) -> bool:
        """Report logins of a job that cannot work, or mend them; whether it has a login that comes in time."""
        for event in told.wrong_regions:
            act = event.act
            if act is None:
                continue
            if self.wishes.repair and not act.path and isinstance(event.node, Scalar):
                repair_texts(self.editor, event.node, of_text(self.source, event.node.mapped), self.wishes.region)
                continue
            mend = "mend it by hand" if act.path else "--repair mends it"
            self.note(event.node, "login-region", f"{place}: {region_problem(act)}; {mend}")
        if told.first(Does.LOGIN) is None:
            return False
        if not told.is_late:
            return True
        if not self.wishes.repair:
            use = told.first(Does.USE)
            text = f"{place}: the login comes after the first use of images ({use.shown if use else ''}); --repair puts one in front"
            self.note(told.all(Does.LOGIN)[0].node, "login-late", text)
            return True
        return False

    def hub_logins(self, told: Story, place: str, remove: Callable[[Event], bool]) -> None:
        """Count and report logins to Docker Hub; ``remove`` takes one out on request, and says whether it could."""
        for event in told.all(Does.HUB_LOGIN):
            self.result.hub_logins += 1
            if not self.wishes.remove_hub_login:
                self.note(event.node, "hub-login", f"{place} logs in to Docker Hub")
            elif not remove(event):
                self.note(event.node, "hub-login", f"{place} logs in to Docker Hub among other things; take that out by hand")

    def remove_step(self, steps: Node | None, event: Event, told: Story) -> bool:
        """Take a step out of a job that does nothing but log in to Docker Hub; whether it could be done."""
        if not isinstance(steps, Sequence) or steps.flow or (len(steps.items) == 1 and not self.editor.inserts_into(steps)):
            return False
        step = steps.items[event.at]
        if not isinstance(step, Mapping) or step.anchor is not None or step.text("id") is not None:
            return False
        inside = step.span.start <= event.node.span.start <= event.node.span.end <= step.span.end
        alone = [other for other in told.events if other.at == event.at] == [event]
        simple = event.act is None or (not event.act.path and isinstance(event.node, Scalar) and is_one_command(event.node.mapped.data))
        if inside and alone and simple:
            self.editor.remove_item(steps, event.at)
            return True
        return False


def is_one_command(script: bytes) -> bool:
    """Whether a script is one command, a pipe into it included."""
    text = script.strip()
    return b"\n" not in text and re.search(rb"&&|\|\||;", text) is None
