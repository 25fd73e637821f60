"""TaskService of one satellite: 202 with a monitor, polls, the final answer."""

import asyncio
import datetime
import json
from dataclasses import dataclass
from typing import Callable, Optional

from reply import Reply, error, json_reply, message, success
from tree import ROOT

MOST_TASKS = 1000
HIDDEN = ("authorization", "x-auth-token", "cookie")


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


@dataclass
class Task:
    number: int
    key: str
    monitor: str
    final: Callable[[], Reply]
    timer: Optional[asyncio.TimerHandle] = None
    result: Optional[Reply] = None


class Tasks:
    def __init__(self, options, tree, emit):
        self._options = options
        self._tree = tree
        self._emit = emit           # (MessageId, args, origin)
        self._tasks = {}            # number -> Task
        self._number = 0

    def _collection(self):
        service = self._tree.get(self._tree.get(ROOT).get("Tasks", {}).get("@odata.id", f"{ROOT}/TaskService"))
        return service.get("Tasks", {}).get("@odata.id", f"{ROOT}/TaskService/Tasks").rstrip("/")

    def start(self, call, body, name, final=None):
        """Answers 202; `final()` makes the result when the task ends (None: 200 with Success)."""
        self._number += 1
        collection = self._collection()
        while self._tree.find(f"{collection}/{self._number}") is not None:
            self._number += 1
        number = str(self._number)
        key = f"{collection}/{number}"
        monitor = f"{key}/Monitor" if self._options.monitor == "tasks" else f"{ROOT}/TaskService/TaskMonitors/{number}"
        task = Task(self._number, key, monitor, final or (lambda: success(call.path)))
        headers = [f"{each}: {text}" for each, text in call.headers.items() if each.lower() not in HIDDEN]
        payload = {"TargetUri": call.path, "HttpOperation": call.method, "HttpHeaders": headers}
        if isinstance(body, dict):
            payload["JsonBody"] = body_text(body)
        value = {"@odata.id": key, "@odata.type": "#Task.v1_7_1.Task", "Id": number, "Name": name,
                 "TaskState": "Running", "TaskStatus": "OK", "StartTime": now(), "PercentComplete": 0,
                 "TaskMonitor": monitor, "HidePayload": False, "Payload": payload,
                 "Messages": [message("Success", name)]}
        self._tree.create(collection, number, value)
        self._tasks[self._number] = task
        self._bound()
        self._emit("TaskEvent.1.0.3.TaskStarted", [number], key)
        if not self._options.hold_tasks:
            half = self._options.task_ms / 2000
            task.timer = asyncio.get_running_loop().call_later(half, self._half, task, half)
        return self._pending(task)

    def _bound(self):
        ended = [number for number, task in self._tasks.items() if task.result is not None]
        for number in ended[:max(0, len(self._tasks) - MOST_TASKS)]:
            self._tree.remove(self._tasks.pop(number).key)

    def _pending(self, task):
        return json_reply(202, self._tree.json(task.key), Location=task.monitor,
                          Retry_After=str(self._options.retry_after))

    def _half(self, task, rest):
        self._change(task, PercentComplete=50)
        task.timer = asyncio.get_running_loop().call_later(rest, self.finish, task)

    def _change(self, task, **values):
        if self._tree.find(task.key) is not None:
            self._tree.put(task.key, dict(self._tree.json(task.key), **values))

    def finish(self, task, state="Completed"):
        if task.result is not None:
            return
        if task.timer is not None:
            task.timer.cancel()
        good = state == "Completed"
        task.result = task.final() if good else error(500, "InternalError")
        if self._tree.find(task.key) is not None:
            payload = self._tree.json(task.key)["Payload"]
            if "Location" in task.result.headers:
                payload["HttpHeaders"].append(f"Location: {task.result.headers['Location']}")
            self._change(task, TaskState=state, TaskStatus="OK" if good else "Critical", PercentComplete=100,
                         EndTime=now(), Payload=payload)
        name = "TaskCompletedOK" if good else "TaskAborted"
        self._emit(f"TaskEvent.1.0.3.{name}", [str(task.number)], task.key)

    def finish_all(self, state, number=None):
        chosen = [task for task in self._tasks.values()
                  if task.result is None and number in (None, task.number)]
        for task in chosen:
            self.finish(task, state)
        return len(chosen)

    def at(self, path):
        """The task whose monitor has this path."""
        for task in self._tasks.values():
            if task.monitor.lower() == path.lower():
                return task
        return None

    def poll(self, task):
        return task.result or self._pending(task)

    def cancel(self, task):
        """DELETE of the task or of its monitor."""
        if task.timer is not None:
            task.timer.cancel()
        if self._tasks.pop(task.number, None) and self._tree.find(task.key) is not None:
            self._tree.remove(task.key)
        return Reply(204)

    def of_key(self, key):
        return next((task for task in self._tasks.values() if task.key == key), None)

    def stop(self):
        for task in self._tasks.values():
            if task.timer is not None:
                task.timer.cancel()


def body_text(body):
    return json.dumps(body, ensure_ascii=False)
