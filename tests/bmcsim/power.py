"""Power of systems and chassis: transitions that take their time, and what a reset does on the way."""

import asyncio

TYPES = ("On", "ForceOn", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "PowerCycle",
         "FullPowerCycle", "PushPowerButton", "Nmi", "Pause", "Resume", "Suspend")
UP, DOWN = [("PoweringOn", "On")], [("PoweringOff", "Off")]


def transitions(reset_type, state):
    """[(state during, state after)]; an On while it is on changes nothing, nor an Off while it is off."""
    on = state in ("On", "PoweringOn")
    if reset_type == "PushPowerButton":
        return DOWN if on else UP
    if reset_type in ("On", "ForceOn"):
        return [] if on else UP
    if reset_type in ("ForceOff", "GracefulShutdown"):
        return DOWN if on else []
    if reset_type in ("GracefulRestart", "ForceRestart", "PowerCycle", "FullPowerCycle"):
        return (DOWN if on else []) + UP
    return []


class Power:
    def __init__(self, options, tree, emit):
        self._options = options
        self._tree = tree
        self._emit = emit
        self._running = {}      # key -> task

    def reset(self, key, reset_type):
        steps = transitions(reset_type, self._tree.json(key).get("PowerState", "On"))
        if not steps:
            return
        old = self._running.pop(key, None)
        if old is not None:
            old.cancel()
        self._running[key] = asyncio.ensure_future(self._run(key, steps))

    async def _run(self, key, steps):
        for during, after in steps:
            self._set(key, during)
            await asyncio.sleep(self._options.power_ms / 1000)
            self._set(key, after)
        self._running.pop(key, None)

    def _set(self, key, state):
        if self._tree.find(key) is None:
            return
        value = self._tree.json(key)
        if value.get("PowerState") == state:
            return
        value["PowerState"] = state
        boot = value.get("Boot")
        if state == "On" and isinstance(boot, dict) and boot.get("BootSourceOverrideEnabled") == "Once":
            boot["BootSourceOverrideEnabled"] = "Disabled"
            if "BootSourceOverrideTarget" in boot:
                boot["BootSourceOverrideTarget"] = "None"
        self._tree.put(key, value)
        if state in ("On", "Off"):
            self._emit("ResourceEvent.1.3.0.ResourceStateChanged", [f"{key}/PowerState", state], key)

    async def stop(self):
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
