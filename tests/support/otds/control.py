"""The side door: its own port, for tests alone. README.md lists its calls."""
import json
from urllib.parse import unquote, urlsplit

from loopback import Handler
from world import Refusal


class Control:
    """Everything runs under the face's lock; an answer is any JSON value."""

    def __init__(self, face):
        self.face, self.world = face, face.world

    def read(self, words):
        if words == ["settings"]:
            return self.world.settings
        if words == ["requests"]:
            return self.face.log
        if words == ["undocumented"]:
            return self.face.comparison.result()
        if words == ["recycled"]:
            return [f"{entry.name}@{entry.partition}" for entry in self.world.recycled]
        if words == ["consolidations"]:
            return self.world.finished_consolidations()
        if len(words) == 2 and words[0] in ("users", "groups", "roles"):
            return self.facts(self.world.find(words[0][:-1], words[1]))
        raise Refusal(404, "Not Found")

    def facts(self, entry):
        """An entry as it is, past all spellings and shapes of the protocol."""
        return {"name": entry.name, "partition": entry.partition, "uuid": entry.uuid, "location": entry.location,
                "description": entry.description, "values": entry.values, "disabled": entry.disabled,
                "groups": sorted(f"{self.world.entries[key].name}@{self.world.entries[key].partition}"
                                 for key in entry.groups),
                "roles": sorted(self.world.entries[key].name for key in entry.roles)}

    def change(self, method, words, body):
        if method == "PATCH" and words == ["settings"]:
            return self.settings(body)
        if method == "POST" and words == ["reset"]:
            return self.face.reset()
        if method == "POST" and words == ["expire"]:
            return self.face.sessions.expire_all()
        if method == "POST" and words == ["faults"]:
            self.face.faults.append({"count": 1, **body})
            return None
        if method == "DELETE" and words in (["requests"], ["faults"]):
            (self.face.log if words == ["requests"] else self.face.faults).clear()
            return None
        if method == "POST" and words == ["restore"]:
            return self.facts(self.world.restore(body["id"]))
        if method == "POST" and words == ["memberships"]:
            return self.membership(body)
        if words and words[0] in ("users", "groups", "roles"):
            return self.entry(method, words[0][:-1], words[1:], body)
        raise Refusal(404, "Not Found")

    def settings(self, body):
        for name, value in body.items():
            if name not in self.world.settings or not isinstance(value, (str, int, float)):
                raise Refusal(400, f"no setting {name} of {json.dumps(value)}")
            self.world.settings[name] = value
        return self.world.settings

    def membership(self, body):
        member = self.world.find_any(["user", "group"], body["member"])
        group = self.world.find("group", body["group"])
        (member.groups.add if body.get("add", True) else member.groups.discard)(group.uuid)

    def entry(self, method, kind, words, body):
        """Changes by other hands: synchronized partitions as well, no right is asked for."""
        if method == "POST" and not words and "names" in body:
            for name in body["names"]:
                self.world.add(kind, body["partition"], name)
            return None
        if method == "POST" and not words:
            return self.facts(self.world.add(kind, body["partition"], body["name"], body.get("description"),
                                             body.get("values")))
        entry = self.world.find(kind, words[0])
        if method == "DELETE":
            return self.world.remove(entry)
        if body.get("name"):
            self.world.rename(entry, body["name"])
        if "description" in body:
            entry.description = body["description"]
        self.world.set_values(entry, body.get("values") or [])
        return self.facts(entry)


def handler_of(control):
    class ControlHandler(Handler):
        def do(self):
            body = self.read_body()
            words = [unquote(word) for word in urlsplit(self.path).path.strip("/").split("/")]
            with control.face.lock:
                try:
                    if self.command == "GET":
                        status, answer = 200, control.read(words)
                    else:
                        status, answer = 200, control.change(self.command, words, json.loads(body or b"{}"))
                except Refusal as refusal:
                    status, answer = refusal.status, refusal.body
                except (KeyError, ValueError, TypeError) as error:
                    status, answer = 400, {"error": repr(error)}
                text = json.dumps(answer).encode()
            self.answer(status, text, [("Content-Type", "application/json")])

        do_GET = do_POST = do_PATCH = do_DELETE = do

    return ControlHandler
