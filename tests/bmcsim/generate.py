"""A made-up BMC tree, the same for the same seed; `generate_system.py` makes what is below systems and chassis."""

import functools
import json
import random
import re
import uuid

from generate_system import add_system, link
from tree import ROOT, Store

LOG_PAGE = 50
SERVICES = ("AccountService", "CertificateService", "EventService", "SessionService", "TelemetryService",
            "UpdateService")
RAW = re.compile(r'"<<(.*?)>>"')     # what generate_system.raw leaves, as json.dumps writes it


class Builder:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.store = Store()
        self.types = set()

    def add(self, uri, odata_type, name, _style="plain", **values):
        """Styles: plain; compact; odd (tabs, CRLF, spaces before colons); escaped (slashes as \\/)."""
        namespace = odata_type.lstrip("#").rpartition(".")[0]
        kind = namespace.partition(".")[0]
        self.types.add(namespace)
        body = {"@odata.context": f"{ROOT}/$metadata#{kind}.{kind}", "@odata.id": uri, "@odata.type": odata_type,
                "Id": uri.rpartition("/")[2], "Name": name, **values}
        if kind.endswith("Collection"):
            del body["Id"]
        self.store.add(uri, render(body, _style))
        return uri

    def collection(self, uri, kind, members, **values):
        """`members` are URIs, or whole objects to stand inline."""
        listed = [{"@odata.id": each} if isinstance(each, str) else each for each in members]
        return self.add(uri, f"#{kind}Collection.{kind}Collection", f"{kind} Collection",
                        Members=listed, **{"Members@odata.count": len(listed)}, **values)


def render(body, style):
    if style == "compact":
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    elif style == "odd":
        text = json.dumps(body, ensure_ascii=False, indent="\t", separators=(" ,", " :  ")).replace("\n", "\r\n")
    else:
        text = json.dumps(body, ensure_ascii=False, indent=2)
    text = RAW.sub(lambda found: json.loads(f'"{found[1]}"'), text)
    if style == "escaped":
        text = text.replace("/", "\\/")
    return text.encode() + b"\n"


@functools.lru_cache(maxsize=16)
def store(systems, entries, seed, user):
    """The Store of such a tree; satellites with equal arguments share it."""
    make = Builder(seed)
    identity = str(uuid.UUID(int=make.random.getrandbits(128), version=4))
    names = [f"system{number}" for number in range(1, systems + 1)]
    for number, name in enumerate(names, 1):
        add_system(make, number, name, entries)
    make.collection(f"{ROOT}/Systems", "ComputerSystem", [f"{ROOT}/Systems/{name}" for name in names])
    make.collection(f"{ROOT}/Chassis", "Chassis", [f"{ROOT}/Chassis/{name}_chassis" for name in names])
    add_manager(make, names)
    add_accounts(make, user)
    add_events_and_tasks(make)
    add_update(make, names)
    add_telemetry(make, names)
    add_registries(make)
    add_root(make, identity)
    return make.store


def add_root(make, identity):
    links = {"Systems": link(f"{ROOT}/Systems"), "Chassis": link(f"{ROOT}/Chassis"),
             "Managers": link(f"{ROOT}/Managers"), "Tasks": link(f"{ROOT}/TaskService"),
             "Registries": link(f"{ROOT}/Registries"), **{name: link(f"{ROOT}/{name}") for name in SERVICES}}
    make.add(ROOT, "#ServiceRoot.v1_15_0.ServiceRoot", "Root Service", RedfishVersion="1.17.0", UUID=identity,
             Product="Simulated BMC", Vendor="bmcsim",
             ProtocolFeaturesSupported={
                 "ExcerptQuery": False, "FilterQuery": True, "OnlyMemberQuery": True, "SelectQuery": True,
                 "ExpandQuery": {"ExpandAll": True, "Levels": True, "Links": True, "MaxLevels": 3, "NoLinks": True},
                 "DeepOperations": {"DeepPATCH": False, "DeepPOST": False}},
             Links={"Sessions": link(f"{ROOT}/SessionService/Sessions"),
                    "ManagerProvidingService": link(f"{ROOT}/Managers/bmc")}, **links)
    store = make.store
    body = json.loads(store.sources[ROOT])
    store.sources[ROOT] = render(dict(body, **{"@odata.id": ROOT + "/", "Id": "RootService"}), "plain")
    entries = [{"name": "Service", "kind": "Singleton", "url": ROOT + "/"}]
    entries += [{"name": name, "kind": "Singleton", "url": value["@odata.id"]} for name, value in links.items()]
    store.add(f"{ROOT}/odata", render({"@odata.context": f"{ROOT}/$metadata", "value": entries}, "plain"))
    store.add(f"{ROOT}/$metadata", metadata(make.types))
    store.add("/html/console.html", b"<!doctype html><title>console</title><p>/redfish/v1/Systems/system1 is up.\n")


def metadata(types):
    lines = ['<?xml version="1.0" encoding="UTF-8"?>',
             '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">']

    def reference(uri, namespaces):
        lines.append(f'  <edmx:Reference Uri="{uri}">')
        lines.extend(f'    <edmx:Include Namespace="{namespace}"/>' for namespace in namespaces)
        lines.append("  </edmx:Reference>")

    for kind in sorted({namespace.partition(".")[0] for namespace in types}):
        versions = sorted(each for each in types if each.startswith(kind + "."))
        reference(f"http://redfish.dmtf.org/schemas/v1/{kind}_v1.xml", [kind] + versions)
    reference(f"{ROOT}/Schemas/OemSim_v1.xml", ["OemSim"])
    lines += ['  <edmx:DataServices>',
              '    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">',
              '      <EntityContainer Name="Service" Extends="ServiceRoot.v1_15_0.ServiceContainer"/>',
              '    </Schema>', '  </edmx:DataServices>', '</edmx:Edmx>', '']
    return "\n".join(lines).encode()


def add_manager(make, names):
    base = f"{ROOT}/Managers/bmc"
    make.collection(f"{ROOT}/Managers", "Manager", [base])
    make.add(base, "#Manager.v1_19_0.Manager", "BMC", ManagerType="BMC", FirmwareVersion="2.14.0",
             UUID=str(uuid.UUID(int=make.random.getrandbits(128), version=4)), PowerState="On",
             Status={"State": "Enabled", "Health": "OK"}, DateTime="2025-01-01T00:00:00+00:00",
             ServiceEntryPointUUID=None, LogServices=link(f"{base}/LogServices"),
             NetworkProtocol=link(f"{base}/NetworkProtocol"), EthernetInterfaces=link(f"{base}/EthernetInterfaces"),
             VirtualMedia=link(f"{base}/VirtualMedia"),
             Links={"ManagerForServers": [link(f"{ROOT}/Systems/{name}") for name in names],
                    "ManagerForChassis": [link(f"{ROOT}/Chassis/{name}_chassis") for name in names]},
             Oem={"Sim": {"ConsoleUri": "/html/console.html"}},
             Actions={"#Manager.Reset": {"target": f"{base}/Actions/Manager.Reset",
                                         "ResetType@Redfish.AllowableValues": ["GracefulRestart", "ForceRestart"]},
                      "#Manager.ResetToDefaults": {
                          "target": f"{base}/Actions/Manager.ResetToDefaults",
                          "ResetType@Redfish.AllowableValues": ["ResetAll", "PreserveNetworkAndUsers"]}})
    make.add(f"{base}/NetworkProtocol", "#ManagerNetworkProtocol.v1_9_1.ManagerNetworkProtocol", "Network Protocol",
             HostName="bmc", FQDN="bmc.example.org", HTTPS={"ProtocolEnabled": True, "Port": 443},
             SSH={"ProtocolEnabled": True, "Port": 22},
             NTP={"ProtocolEnabled": True, "NTPServers": ["0.pool.example", "1.pool.example", "2.pool.example"]},
             Status={"State": "Enabled", "Health": "OK"})
    make.add(f"{base}/EthernetInterfaces/eth0", "#EthernetInterface.v1_10_0.EthernetInterface", "eth0",
             MACAddress="02:00:00:00:00:01", SpeedMbps=1000, VLAN={"VLANEnable": False, "VLANId": 1},
             IPv4Addresses=[{"Address": "10.0.0.5", "SubnetMask": "255.255.255.0", "AddressOrigin": "Static",
                             "Gateway": "10.0.0.1"}], InterfaceEnabled=True)
    make.collection(f"{base}/EthernetInterfaces", "EthernetInterface", [f"{base}/EthernetInterfaces/eth0"])
    media = f"{base}/VirtualMedia/cd1"
    make.add(media, "#VirtualMedia.v1_6_2.VirtualMedia", "Virtual CD", MediaTypes=["CD", "DVD"], Image=None,
             ImageName=None, Inserted=False, ConnectedVia="NotConnected", WriteProtected=True,
             Actions={f"#VirtualMedia.{name}": {"target": f"{media}/Actions/VirtualMedia.{name}"}
                      for name in ("InsertMedia", "EjectMedia")})
    make.collection(f"{base}/VirtualMedia", "VirtualMedia", [media])
    log = f"{base}/LogServices/Journal"
    make.add(log, "#LogService.v1_4_0.LogService", "Journal", Entries=link(f"{log}/Entries"),
             OverWritePolicy="WrapsWhenFull",
             Actions={"#LogService.ClearLog": {"target": f"{log}/Actions/LogService.ClearLog"},
                      "#LogService.CollectDiagnosticData": {
                          "target": f"{log}/Actions/LogService.CollectDiagnosticData",
                          "DiagnosticDataType@Redfish.AllowableValues": ["Manager", "OEM"]}})
    make.collection(f"{base}/LogServices", "LogService", [log])
    make.collection(f"{log}/Entries", "LogEntry", [])


def add_accounts(make, user):
    base = f"{ROOT}/AccountService"
    make.add(base, "#AccountService.v1_15_0.AccountService", "Account Service", ServiceEnabled=True,
             MinPasswordLength=8, HTTPBasicAuth="Enabled", Accounts=link(f"{base}/Accounts"), Roles=link(f"{base}/Roles"))
    make.add(f"{base}/Accounts/1", "#ManagerAccount.v1_10_0.ManagerAccount", "User Account", UserName=user,
             Password=None, RoleId="Administrator", Enabled=True, Locked=False, AccountTypes=["Redfish"],
             Links={"Role": link(f"{base}/Roles/Administrator")})
    make.collection(f"{base}/Accounts", "ManagerAccount", [f"{base}/Accounts/1"])
    rights = {"Administrator": ["Login", "ConfigureManager", "ConfigureUsers", "ConfigureSelf", "ConfigureComponents"],
              "Operator": ["Login", "ConfigureSelf", "ConfigureComponents"], "ReadOnly": ["Login", "ConfigureSelf"]}
    for name, privileges in rights.items():
        make.add(f"{base}/Roles/{name}", "#Role.v1_3_1.Role", f"{name} Role", RoleId=name, IsPredefined=True,
                 AssignedPrivileges=privileges)
    make.collection(f"{base}/Roles", "Role", [f"{base}/Roles/{name}" for name in rights])
    base = f"{ROOT}/SessionService"
    make.add(base, "#SessionService.v1_1_8.SessionService", "Session Service", ServiceEnabled=True, SessionTimeout=1800,
             Sessions=link(f"{base}/Sessions"))
    make.collection(f"{base}/Sessions", "Session", [])


def add_events_and_tasks(make):
    base = f"{ROOT}/EventService"
    make.add(base, "#EventService.v1_10_0.EventService", "Event Service", ServiceEnabled=True,
             ServerSentEventUri=f"{base}/SSE", Subscriptions=link(f"{base}/Subscriptions"), DeliveryRetryAttempts=3,
             DeliveryRetryIntervalSeconds=1, EventFormatTypes=["Event"], RegistryPrefixes=["Base", "ResourceEvent"],
             Actions={"#EventService.SubmitTestEvent": {
                 "target": f"{base}/Actions/EventService.SubmitTestEvent",
                 "@Redfish.ActionInfo": f"{base}/SubmitTestEventActionInfo"}})
    make.add(f"{base}/SubmitTestEventActionInfo", "#ActionInfo.v1_4_0.ActionInfo", "SubmitTestEvent Action Info",
             Parameters=[{"Name": name, "Required": False, "DataType": "String"}
                         for name in ("MessageId", "Message", "OriginOfCondition")])
    make.collection(f"{base}/Subscriptions", "EventDestination", [])
    base = f"{ROOT}/TaskService"
    make.add(base, "#TaskService.v1_2_1.TaskService", "Task Service", ServiceEnabled=True,
             CompletedTaskOverWritePolicy="Oldest", LifeCycleEventOnTaskStateChange=True, Tasks=link(f"{base}/Tasks"))
    make.collection(f"{base}/Tasks", "Task", [])
    base = f"{ROOT}/CertificateService"
    make.add(base, "#CertificateService.v1_0_5.CertificateService", "Certificate Service",
             CertificateLocations=link(f"{base}/CertificateLocations"),
             Actions={f"#CertificateService.{name}": {"target": f"{base}/Actions/CertificateService.{name}"}
                      for name in ("GenerateCSR", "ReplaceCertificate")})
    make.add(f"{base}/CertificateLocations", "#CertificateLocations.v1_0_4.CertificateLocations", "Locations",
             Links={"Certificates": []})


def add_update(make, names):
    base = f"{ROOT}/UpdateService"
    action = f"{base}/Actions/UpdateService.SimpleUpdate"
    make.add(base, "#UpdateService.v1_14_0.UpdateService", "Update Service", ServiceEnabled=True,
             HttpPushUri=f"{base}/update", MultipartHttpPushUri=f"{base}/update-multipart",
             MaxImageSizeBytes=4294967296, FirmwareInventory=link(f"{base}/FirmwareInventory"),
             Actions={"#UpdateService.SimpleUpdate": {
                 "target": action, "TransferProtocol@Redfish.AllowableValues": ["HTTP", "HTTPS", "SCP"],
                 "@Redfish.ActionInfo": f"{base}/SimpleUpdateActionInfo"}})
    make.add(f"{base}/SimpleUpdateActionInfo", "#ActionInfo.v1_4_0.ActionInfo", "SimpleUpdate Action Info",
             Parameters=[{"Name": "ImageURI", "Required": True, "DataType": "String"},
                         {"Name": "Targets", "Required": False, "DataType": "StringArray",
                          "AllowableValues": [f"{base}/FirmwareInventory/bmc"]}])
    items = {"bmc": [f"{ROOT}/Managers/bmc"]}
    items.update({f"bios_{name}": [f"{ROOT}/Systems/{name}"] for name in names})
    for name, related in items.items():
        make.add(f"{base}/FirmwareInventory/{name}", "#SoftwareInventory.v1_10_0.SoftwareInventory", name,
                 Version=f"2.{make.random.randrange(40)}.0", Updateable=True, Status={"State": "Enabled", "Health": "OK"},
                 RelatedItem=[link(each) for each in related])
    make.collection(f"{base}/FirmwareInventory", "SoftwareInventory", [f"{base}/FirmwareInventory/{n}" for n in items])


def add_telemetry(make, names):
    base = f"{ROOT}/TelemetryService"
    make.add(base, "#TelemetryService.v1_3_2.TelemetryService", "Telemetry Service", ServiceEnabled=True, MaxReports=8,
             MetricReports=link(f"{base}/MetricReports"),
             MetricReportDefinitions=link(f"{base}/MetricReportDefinitions"))
    wildcard = f"{ROOT}/Chassis/{{ChassisId}}/Sensors/temp1#/Reading"
    make.add(f"{base}/MetricReportDefinitions/Temperatures",
             "#MetricReportDefinition.v1_4_4.MetricReportDefinition", "Temperatures",
             MetricReportDefinitionType="Periodic", Schedule={"RecurrenceInterval": "PT10S"},
             MetricProperties=[wildcard], MetricReport=link(f"{base}/MetricReports/Temperatures"),
             Wildcards=[{"Name": "ChassisId", "Values": [f"{name}_chassis" for name in names]}])
    make.collection(f"{base}/MetricReportDefinitions", "MetricReportDefinition",
                    [f"{base}/MetricReportDefinitions/Temperatures"])
    values = [{"MetricId": f"temp{number}", "MetricValue": f"2{number % 10}.50",
               "Timestamp": "2025-01-01T00:00:00+00:00",
               "MetricProperty": f"{ROOT}/Chassis/{name}_chassis/Sensors/temp1#/Reading"}
              for number, name in enumerate(names, 1)]
    make.add(f"{base}/MetricReports/Temperatures", "#MetricReport.v1_5_0.MetricReport", "Temperatures", _style="compact",
             ReportSequence="1", MetricValues=values,
             MetricReportDefinition=link(f"{base}/MetricReportDefinitions/Temperatures"))
    make.collection(f"{base}/MetricReports", "MetricReport", [f"{base}/MetricReports/Temperatures"])


def add_registries(make):
    files = {"Base.1.13.1": "http://redfish.dmtf.org/registries/Base.1.13.1.json",
             "OemSim.1.0.0": f"{ROOT}/Registries/OemSim.1.0.0/OemSim.1.0.0.json"}
    for name, publication in files.items():
        uri = f"{ROOT}/Registries/{name}"
        make.add(uri, "#MessageRegistryFile.v1_1_3.MessageRegistryFile", f"{name} Registry File", Languages=["en"],
                 Registry=name.rpartition(".")[0],
                 Location=[{"Language": "en", "Uri": f"{uri}/{name}.json", "PublicationUri": publication}])
        prefix = name.partition(".")[0]
        text = {"@odata.type": "#MessageRegistry.v1_6_0.MessageRegistry", "Id": name, "Name": f"{name} Registry",
                "Language": "en", "RegistryPrefix": prefix, "RegistryVersion": name.partition(".")[2],
                "OwningEntity": "DMTF" if prefix == "Base" else "bmcsim",
                "Messages": {"Success": {"Description": "Success.", "Message": "The request completed successfully.",
                                         "Severity": "OK", "MessageSeverity": "OK", "NumberOfArgs": 0,
                                         "Resolution": "None"}}}
        make.store.add(f"{uri}/{name}.json", render(text, "plain"))
    make.collection(f"{ROOT}/Registries", "MessageRegistryFile", [f"{ROOT}/Registries/{name}" for name in files])
