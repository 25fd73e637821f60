"""GET, PATCH, POST, DELETE on the tree."""

from reply import Refused, Reply, encode, error_body, json_reply, message, refuse
from tree import ROOT, parent

# Collections whose members clients may create and delete.
CREATABLE = {
    "AggregateCollection", "AggregationSourceCollection", "BootOptionCollection", "CertificateCollection",
    "ConnectionCollection", "EndpointCollection", "EndpointGroupCollection", "EventDestinationCollection",
    "JobCollection", "KeyCollection", "LicenseCollection", "ManagerAccountCollection",
    "MetricReportDefinitionCollection", "ResourceBlockCollection", "RoleCollection", "SessionCollection",
    "StoragePoolCollection", "TriggersCollection", "VLanNetworkInterfaceCollection", "VolumeCollection",
    "ZoneCollection"}
# Resources that nobody may PATCH, and properties likewise.
FIXED = {"", "JsonSchemaFile", "MessageRegistry", "MessageRegistryFile", "AttributeRegistry", "ServiceRoot", "Session",
         "Task", "ActionInfo", "PrivilegeRegistry", "MetricReport"}
READ_ONLY = {"Id", "Name", "UUID", "SerialNumber", "PowerState", "Status", "Actions", "Members", "MemberId", "RedfishVersion",
             "Reading", "FirmwareVersion", "SubscriptionType", "Manufacturer"}
# Properties that may be written although the stored body lacks them.
OPTIONAL = {"AssetTag", "Password", "IndicatorLED", "LocationIndicatorActive", "HostName", "Enabled", "Locked", "Boot",
            "Context", "ServiceLabel", "UserLabel", "DateTime", "DateTimeLocalOffset", "Oem"}
PROTOCOLS = ("Redfish", "SNMPv1", "SNMPv2c", "SNMPv3", "SMTP", "OEM", "SyslogTLS", "SyslogTCP", "SyslogUDP",
             "SyslogRELP", "Kafka")


def allow(tree, key):
    """Methods of a resource, as its Allow header says."""
    meta = tree.meta(key)
    methods = ["GET", "HEAD"]
    if meta.collection:
        return methods + (["POST"] if meta.type in CREATABLE else [])
    if meta.json and meta.type not in FIXED and not meta.type.endswith("Collection"):
        methods.append("PATCH")
    if deletable(tree, key):
        methods.append("DELETE")
    return methods


def deletable(tree, key):
    listing = tree.find(parent(key))
    kind = tree.meta(listing).type if listing else ""
    return kind in CREATABLE or kind == "LogEntryCollection" or tree.meta(key).type == "Task"


# PATCH

def patch(satellite, call, key, body):
    """Merges what can be merged; 400 if nothing of it can, else 200 with the new body and what was refused."""
    tree, problems, changed = satellite.tree, [], []
    if not body:
        refuse(400, "EmptyJSON")
    if all(name.startswith("@odata.") for name in body):
        refuse(400, "NoOperation")
    before = tree.json(key)
    after = merge(before, body, "", problems, changed)
    if not changed:
        raise Refused(json_reply(400, error_body(problems or [message("NoOperation")])))
    secret = "Password" in body and tree.meta(key).type == "ManagerAccount"
    tree.put(key, dict(after, Password=None) if secret else after)
    if tree.meta(key).type == "ManagerAccount":
        satellite.auth.account_changed(before, after, body)
    satellite.events.emit("ResourceEvent.1.3.0.ResourceChanged", [], key, event_type="ResourceUpdated")
    value = tree.json(key)
    if problems:
        value["@Message.ExtendedInfo"] = problems
    return json_reply(200, value, ETag=tree.meta(key).etag)


def merge(old, new, at, problems, changed):
    """A copy of the object `old` with `new` merged in; problems and changed names are appended."""
    result = dict(old)
    for name, value in new.items():
        path = f"{at}.{name}" if at else name
        if "@" in name:
            continue
        if not at and name in READ_ONLY:
            problems.append(message("PropertyNotWritable", name, properties=[path]))
        elif name not in old and name not in OPTIONAL and at != "Attributes" and not at.startswith("Oem"):
            problems.append(message("PropertyUnknown", name, properties=[path]))
        else:
            problem = unacceptable(old, name, value, path)
            if problem:
                problems.append(problem)
            else:
                result[name] = combine(old.get(name), value, path, problems, changed)
    return result


def combine(old, value, path, problems, changed):
    if isinstance(value, dict) and isinstance(old, dict):
        return merge(old, value, path, problems, changed)
    if isinstance(value, list) and isinstance(old, list):
        changed.append(path)
        return merge_array(old, value, path, problems, changed)
    changed.append(path)
    return value


def merge_array(old, new, path, problems, changed):
    """Redfish array PATCH: null removes an element, {} leaves it, a shorter array truncates."""
    result = []
    for index, value in enumerate(new):
        if value is None:
            continue
        if value == {} and index < len(old):
            result.append(old[index])
        elif isinstance(value, dict) and index < len(old) and isinstance(old[index], dict):
            result.append(merge(old[index], value, f"{path}.{index}", problems, changed))
        else:
            result.append(value)
    return result


def kind(value):
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def unacceptable(old, name, value, path):
    present = old.get(name)
    if present is not None and value is not None and kind(present) != kind(value):
        return message("PropertyValueTypeError", value, name, properties=[path])
    if isinstance(present, (dict, list)) and value is None:
        return message("PropertyValueTypeError", "null", name, properties=[path])
    allowed = old.get(f"{name}@Redfish.AllowableValues")
    if allowed and isinstance(value, str) and value not in allowed:
        return message("PropertyValueNotInList", value, name, properties=[path])
    return None


# POST to a collection

def create(satellite, call, key, body):
    tree = satellite.tree
    collection_type = tree.meta(key).type
    if collection_type == "EventDestinationCollection":
        check_subscription(body)
    if collection_type == "ManagerAccountCollection":
        check_account(tree, key, body)
    name = tree.free_name(key, str(body.get("Id") or body.get("UserName") or body.get("RoleId") or ""))
    value = {"@odata.id": f"{key}/{name}", "@odata.type": tree.member_type(key), "Id": name, "Name": name}
    value.update((each, given) for each, given in body.items() if not each.startswith("@odata.") and each != "Id")
    if collection_type == "ManagerAccountCollection":
        value = {"Enabled": True, "Locked": False, **value, "Password": None}
        satellite.auth.account_changed({}, value, body)
    if collection_type == "EventDestinationCollection":
        value = {"SubscriptionType": "RedfishEvent", "Context": None, "EventFormatType": "Event", **value,
                 "HttpHeaders": []}
    tree.create(key, name, value)
    if collection_type == "EventDestinationCollection" and value["Protocol"] == "Redfish":
        satellite.events.subscribed(value["@odata.id"], body.get("HttpHeaders"))
    satellite.events.emit("ResourceEvent.1.3.0.ResourceCreated", [], value["@odata.id"], event_type="ResourceAdded")
    return json_reply(201, tree.json(value["@odata.id"]), Location=value["@odata.id"],
                      ETag=tree.meta(value["@odata.id"]).etag)


def check_subscription(body):
    for name in ("Destination", "Protocol"):
        if not isinstance(body.get(name), str):
            refuse(400, "PropertyMissing", name, properties=[name])
    if body["Protocol"] not in PROTOCOLS:
        refuse(400, "PropertyValueNotInList", body["Protocol"], "Protocol", properties=["Protocol"])
    if body["Protocol"] == "Redfish" and not body["Destination"].startswith(("http://", "https://")):
        refuse(400, "PropertyValueNotInList", body["Destination"], "Destination", properties=["Destination"])


def check_account(tree, key, body):
    for name in ("UserName", "Password", "RoleId"):
        if not isinstance(body.get(name), str):
            refuse(400, "PropertyMissing", name, properties=[name])
    for member in tree.json(key)["Members"]:
        if tree.get(str(member.get("@odata.id"))).get("UserName") == body["UserName"]:
            refuse(400, "ResourceAlreadyExists", "ManagerAccount", "UserName", body["UserName"],
                   properties=["UserName"])


# DELETE

def delete(satellite, call, key):
    task = satellite.tasks.of_key(key)
    if task is not None:
        return satellite.tasks.cancel(task)
    before = satellite.tree.json(key)
    kind_of = satellite.tree.meta(key).type
    satellite.tree.remove(key)
    satellite.auth.forget(key)
    satellite.events.forget(key)
    if kind_of == "ManagerAccount":
        satellite.auth.account_changed(before, {}, {})
    if kind_of != "Session":
        satellite.events.emit("ResourceEvent.1.3.0.ResourceRemoved", [], key, event_type="ResourceRemoved")
    return Reply(204)


# what answers without being stored

def odata_document(tree):
    """`/redfish/v1/odata` where the tree has none."""
    root = tree.get(ROOT)
    entries = [{"name": "Service", "kind": "Singleton", "url": "/redfish/v1/"}]
    for name, value in root.items():
        if isinstance(value, dict) and "@odata.id" in value:
            entries.append({"name": name, "kind": "Singleton", "url": value["@odata.id"]})
    return encode({"@odata.context": "/redfish/v1/$metadata", "value": entries})
