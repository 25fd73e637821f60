"""POST to an action's target: what the resource advertises is checked, the well-known ones do something."""

from power import TYPES
from reply import Reply, json_reply, refuse
from tree import clean

LARGE = 1048576     # bytes behind the AdditionalDataURI of collected diagnostic data


def advertised(body, path):
    """(name, description) of the action with this target, or None."""
    actions = body.get("Actions", {})
    every = list(actions.items()) + list(actions.get("Oem", {}).items() if isinstance(actions.get("Oem"), dict) else [])
    for name, value in every:
        if isinstance(value, dict) and clean(str(value.get("target", ""))).lower() == path.lower():
            return name.lstrip("#"), value
    return None


class Actions:
    def __init__(self, satellite):
        self._sat = satellite
        self._tree = satellite.tree
        self._known = {
            "ComputerSystem.Reset": self._reset, "Chassis.Reset": self._reset, "Manager.Reset": self._manager_reset,
            "LogService.ClearLog": self._clear_log, "LogService.CollectDiagnosticData": self._collect,
            "EventService.SubmitTestEvent": self._test_event, "UpdateService.SimpleUpdate": self._simple_update,
            "VirtualMedia.InsertMedia": self._insert, "VirtualMedia.EjectMedia": self._eject,
            "CertificateService.GenerateCSR": self._csr, "ManagerAccount.ChangePassword": self._password,
        }

    def find(self, path):
        """(resource key, action name, description) for the target `path`, None if nothing advertises it."""
        place = path.lower().find("/actions/")
        key = self._tree.find(path[:place]) if place > 0 else None
        if key is None or not self._tree.meta(key).json:
            return None
        found = advertised(self._tree.json(key), path)
        return (key, *found) if found else None

    def run(self, call, found, body):
        key, name, description = found
        self._check(name, description, body)
        handler = self._known.get(name)
        if handler is not None:
            return handler(call, key, body)
        return self._sat.tasks.start(call, body, name)

    def _check(self, name, description, body):
        """Required parameters and allowable values, from annotations or from the ActionInfo."""
        info = self._tree.get(str(description.get("@Redfish.ActionInfo", "")).partition("#")[0] or "/none")
        allowed = {each.partition("@")[0]: values for each, values in description.items()
                   if each.endswith("@Redfish.AllowableValues")}
        required = ["ResetType"] if name in ("ComputerSystem.Reset", "Chassis.Reset") else []
        for parameter in info.get("Parameters", []):
            if parameter.get("AllowableValues"):
                allowed.setdefault(parameter["Name"], parameter["AllowableValues"])
            if parameter.get("Required"):
                required.append(parameter["Name"])
        if "ResetType" in required:
            allowed.setdefault("ResetType", TYPES)
        for parameter in required:
            if parameter not in body:
                refuse(400, "ActionParameterMissing", name, parameter, properties=[parameter])
        for parameter, values in allowed.items():
            given = body.get(parameter)
            if given is not None and not isinstance(given, (list, dict)) and given not in values:
                refuse(400, "ActionParameterValueNotInList", given, parameter, name, properties=[parameter])

    def _reset(self, call, key, body):
        self._sat.power.reset(key, body["ResetType"])
        return Reply(204)

    def _manager_reset(self, call, key, body):
        self._sat.auth.expire()
        if self._sat.options.manager_reset_ms:
            self._sat.leave_network_soon(self._sat.options.manager_reset_ms)
        return Reply(204)

    def _entries(self, key):
        uri = self._tree.json(key).get("Entries", {}).get("@odata.id", f"{key}/Entries")
        return self._tree.find(uri) or clean(uri)

    def _clear_log(self, call, key, body):
        entries = self._entries(key)
        if self._tree.find(entries) is not None:
            value = self._tree.json(entries)
            for member in value["Members"]:
                each = self._tree.find(str(member.get("@odata.id", "")))
                if each is not None:
                    self._tree.remove(each)
            value = dict(self._tree.json(entries), Members=[], **{"Members@odata.count": 0})
            value.pop("Members@odata.nextLink", None)
            self._tree.put(entries, value)
        self._sat.events.emit("ResourceEvent.1.3.0.ResourceChanged", [], key)
        return Reply(204)

    def _collect(self, call, key, body):
        def final():
            entries = self._entries(key)
            name = self._tree.free_name(entries, "diag")
            value = {"@odata.id": f"{entries}/{name}", "@odata.type": "#LogEntry.v1_15_0.LogEntry", "Id": name,
                     "Name": "Diagnostic data", "EntryType": "Event", "Severity": "OK",
                     "Message": f"Collected for {key}.", "DiagnosticDataType": body.get("DiagnosticDataType", "Manager"),
                     "AdditionalDataURI": f"/redfish/v1/Download/{LARGE}", "AdditionalDataSizeBytes": LARGE}
            self._tree.create(entries, name, value)
            return json_reply(201, value, Location=value["@odata.id"])
        return self._sat.tasks.start(call, body, "LogService.CollectDiagnosticData", final)

    def _test_event(self, call, key, body):
        origin = body.get("OriginOfCondition")
        origin = origin.get("@odata.id") if isinstance(origin, dict) else origin
        self._sat.events.emit(body.get("MessageId", "Base.1.13.TestMessage"), body.get("MessageArgs", []),
                              origin, body.get("Message"), body.get("MessageSeverity") or body.get("Severity"),
                              body.get("EventType", "Alert"))
        return Reply(204)

    def _simple_update(self, call, key, body):
        if not isinstance(body.get("ImageURI"), str):
            refuse(400, "ActionParameterMissing", "UpdateService.SimpleUpdate", "ImageURI", properties=["ImageURI"])
        return self._sat.tasks.start(call, body, "UpdateService.SimpleUpdate")

    def _insert(self, call, key, body):
        if not isinstance(body.get("Image"), str):
            refuse(400, "ActionParameterMissing", "VirtualMedia.InsertMedia", "Image", properties=["Image"])
        self._media(key, body["Image"], body.get("Inserted", True))
        return Reply(204)

    def _eject(self, call, key, body):
        self._media(key, None, False)
        return Reply(204)

    def _media(self, key, image, inserted):
        name = image.rpartition("/")[2] if image else None
        self._tree.put(key, dict(self._tree.json(key), Image=image, ImageName=name, Inserted=inserted,
                                 ConnectedVia="URI" if inserted else "NotConnected"))

    def _csr(self, call, key, body):
        collection = body.get("CertificateCollection")
        if not isinstance(collection, dict):
            refuse(400, "ActionParameterMissing", "CertificateService.GenerateCSR", "CertificateCollection")
        return json_reply(200, {"CSRString": "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n"
                                             "-----END CERTIFICATE REQUEST-----\n",
                                "CertificateCollection": collection})

    def _password(self, call, key, body):
        if not isinstance(body.get("NewPassword"), str):
            refuse(400, "ActionParameterMissing", "ManagerAccount.ChangePassword", "NewPassword")
        account = self._tree.json(key)
        self._sat.auth.account_changed(account, account, {"Password": body["NewPassword"]})
        return Reply(204)
