"""What a made-up BMC has for each of its systems; `make` is generate.py's Builder."""

import uuid

from tree import ROOT

OK = {"State": "Enabled", "Health": "OK"}
RESETS = ["On", "ForceOff", "GracefulShutdown", "ForceRestart", "GracefulRestart", "PowerCycle", "PushPowerButton"]


def link(uri):
    return {"@odata.id": uri}


def raw(text):
    """A value that is written as this very text: 1.50, 1e3, an object with a key twice."""
    return f"<<{text}>>"


def add_system(make, number, name, entries):
    base, chassis = f"{ROOT}/Systems/{name}", f"{ROOT}/Chassis/{name}_chassis"
    serial = f"SIM{make.random.randrange(10 ** 6):06d}"
    processors = add_processors(make, base)
    memory = add_memory(make, base)
    add_storage(make, base, chassis)
    add_logs(make, base, chassis, entries)
    add_chassis(make, number, base, chassis, serial)
    reset = f"{base}/Actions/ComputerSystem.Reset"
    # every second system names its reset types in an ActionInfo, as some BMCs do
    types = {"@Redfish.ActionInfo": f"{base}/ResetActionInfo"} if number % 2 == 0 else {
        "ResetType@Redfish.AllowableValues": RESETS}
    make.add(f"{base}/ResetActionInfo", "#ActionInfo.v1_4_0.ActionInfo", "Reset Action Info",
             Parameters=[{"Name": "ResetType", "Required": True, "DataType": "String", "AllowableValues": RESETS}])
    make.add(base, "#ComputerSystem.v1_22_0.ComputerSystem", name, SystemType="Physical", Manufacturer="bmcsim",
             Model="Simulated", SerialNumber=serial, AssetTag="", HostName=name, PowerState="On", IndicatorLED="Off",
             LocationIndicatorActive=False, BiosVersion="1.0.0",
             UUID=str(uuid.UUID(int=make.random.getrandbits(128), version=4)),
             Status={"State": "Enabled", "Health": "OK", "HealthRollup": "OK"},
             ProcessorSummary={"Count": len(processors), "Status": OK},
             MemorySummary={"TotalSystemMemoryGiB": 32 * len(memory), "Status": OK},
             Boot={"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None",
                   "BootSourceOverrideMode": "UEFI",
                   "BootSourceOverrideEnabled@Redfish.AllowableValues": ["Disabled", "Once", "Continuous"],
                   "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Hdd", "Cd", "BiosSetup"]},
             Processors=link(f"{base}/Processors"), Memory=link(f"{base}/Memory"), Storage=link(f"{base}/Storage"),
             LogServices=link(f"{base}/LogServices"), Bios=link(f"{base}/Bios"),
             Links={"Chassis": [link(chassis)], "ManagedBy": [link(f"{ROOT}/Managers/bmc")]},
             Actions={"#ComputerSystem.Reset": {"target": reset, **types},
                      "Oem": {"#OemSim.Blink": {"target": f"{base}/Actions/Oem/OemSim.Blink"}}})
    bios = f"{base}/Bios"
    attributes = {"BootMode": "Uefi", "NumLock": True, "Delay": 5}
    make.add(bios, "#Bios.v1_2_2.Bios", "BIOS Settings", Attributes=attributes, AttributeRegistry="BiosSim.1.0.0",
             Actions={"#Bios.ResetBios": {"target": f"{bios}/Actions/Bios.ResetBios"}},
             **{"@Redfish.Settings": {"@odata.type": "#Settings.v1_3_5.Settings",
                                      "SettingsObject": link(f"{bios}/Settings"),
                                      "SupportedApplyTimes": ["OnReset"]}})
    make.add(f"{bios}/Settings", "#Bios.v1_2_2.Bios", "BIOS Pending Settings", Attributes=attributes)


def add_processors(make, base):
    uris = []
    for number in (1, 2):
        uris.append(make.add(f"{base}/Processors/CPU{number}", "#Processor.v1_18_0.Processor", f"CPU {number}",
                             ProcessorType="CPU", Socket=f"CPU.{number}", TotalCores=32, TotalThreads=64,
                             MaxSpeedMHz=3600, Status=OK))
    make.collection(f"{base}/Processors", "Processor", uris)
    return uris


def add_memory(make, base):
    uris = []
    for number in range(1, 5):
        uris.append(make.add(f"{base}/Memory/DIMM{number}", "#Memory.v1_18_0.Memory", f"DIMM {number}",
                             MemoryDeviceType="DDR5", CapacityMiB=32768, OperatingSpeedMhz=4800, Status=OK,
                             SerialNumber=f"{make.random.randrange(16 ** 8):08X}"))
    make.collection(f"{base}/Memory", "Memory", uris)
    return uris


def add_storage(make, base, chassis):
    storage = f"{base}/Storage/1"
    drives = []
    for number in (1, 2):
        uri = f"{storage}/Drives/{number}"
        drives.append(make.add(uri, "#Drive.v1_18_0.Drive", f"Drive {number}", MediaType="SSD", Protocol="NVMe",
                               CapacityBytes=make.random.choice((960197124096, 1920383410176)), Status=OK,
                               Links={"Chassis": link(chassis)},
                               Actions={"#Drive.SecureErase": {"target": f"{uri}/Actions/Drive.SecureErase"}}))
    volume = make.add(f"{storage}/Volumes/1", "#Volume.v1_10_0.Volume", "Volume 1", CapacityBytes=960197124096,
                      RAIDType="RAID1", Status=OK, Links={"Drives": [link(drive) for drive in drives]})
    make.collection(f"{storage}/Volumes", "Volume", [volume])
    make.add(storage, "#Storage.v1_15_1.Storage", "Storage 1", Drives=[link(drive) for drive in drives],
             Volumes=link(f"{storage}/Volumes"), Status=OK, **{"Drives@odata.count": len(drives)})
    make.collection(f"{base}/Storage", "Storage", [storage])


def add_logs(make, base, chassis, entries):
    """Entries stand inline only, as on most BMCs; they name URIs in every way that real ones do."""
    log = f"{base}/LogServices/SEL"
    make.add(log, "#LogService.v1_4_0.LogService", "System Event Log", Entries=link(f"{log}/Entries"),
             MaxNumberOfRecords=1000, OverWritePolicy="WrapsWhenFull", ServiceEnabled=True,
             Actions={"#LogService.ClearLog": {"target": f"{log}/Actions/LogService.ClearLog"}})
    make.collection(f"{base}/LogServices", "LogService", [log])
    sensor = f"{chassis}/Sensors/temp1"
    listed = []
    for number in range(1, entries + 1):
        reading = make.random.randrange(200, 900) / 10
        entry = {"@odata.id": f"{log}/Entries/{number}", "@odata.type": "#LogEntry.v1_15_0.LogEntry",
                 "Id": str(number), "Name": f"Log Entry {number}", "EntryType": "Event",
                 "Created": f"2025-01-{number % 28 + 1:02d}T{number % 24:02d}:00:00+00:00",
                 "Severity": make.random.choice(("OK", "Warning", "Critical")),
                 "MessageId": "SensorEvent.1.0.1.ReadingAboveUpperCriticalThreshold",
                 "MessageArgs": [sensor, str(reading)],
                 "Message": f"The sensor at {sensor} reads {reading}; see {base}.",
                 "Links": {"OriginOfCondition": link(sensor)}}
        if number == 1:
            entry["AdditionalDataURI"] = f"{ROOT}/Download/1048576"
            entry["AdditionalDataSizeBytes"] = 1048576
        listed.append(entry)
    make.collection(f"{log}/Entries", "LogEntry", listed)


def add_chassis(make, number, base, chassis, serial):
    manager = link(f"{ROOT}/Managers/bmc")
    make.add(chassis, "#Chassis.v1_25_0.Chassis", f"Chassis {number}", _style="odd", ChassisType="RackMount",
             Manufacturer="bmcsim", SerialNumber=serial, AssetTag="", PowerState="On", IndicatorLED="Off", Status=OK,
             HeightMm=raw("44.50"), WeightKg=raw("1.5e1"), Sensors=link(f"{chassis}/Sensors"),
             Power=link(f"{chassis}/Power"), Thermal=link(f"{chassis}/Thermal"),
             Links={"ComputerSystems": [link(base)], "ManagedBy": [manager]},
             Oem={"Sim": {"Twice": raw('{ "a": 1, "a" : 2 }')}},
             Actions={"#Chassis.Reset": {"target": f"{chassis}/Actions/Chassis.Reset",
                                         "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "PowerCycle"]}})
    add_sensors(make, chassis)
    power = f"{chassis}/Power"
    make.add(power, "#Power.v1_7_3.Power", "Power", _style="escaped",
             PowerControl=[{"@odata.id": f"{power}#/PowerControl/0", "MemberId": "0", "Name": "System Power Control",
                            "PowerConsumedWatts": raw("344.0"), "RelatedItem": [link(base), link(chassis)]}],
             PowerSupplies=[{"@odata.id": f"{power}#/PowerSupplies/{each}", "MemberId": str(each),
                             "Name": f"PSU {each}", "Status": OK} for each in range(2)])
    thermal = f"{chassis}/Thermal"
    make.add(thermal, "#Thermal.v1_8_0.Thermal", "Thermal", _style="compact",
             Temperatures=[{"@odata.id": f"{thermal}#/Temperatures/0", "MemberId": "0", "Name": "Inlet",
                            "ReadingCelsius": raw("24.0"), "RelatedItem": [link(chassis)]}],
             Fans=[{"@odata.id": f"{thermal}#/Fans/0", "MemberId": "0", "Name": "Fan 0", "Reading": 5600,
                    "ReadingUnits": "RPM"}])


def add_sensors(make, chassis):
    units = {"temp": ("Temperature", "Cel"), "fan": ("Rotational", "{rev}/min"), "power": ("Power", "W")}
    uris = []
    for kind, (reading_type, unit) in units.items():
        for number in (1, 2):
            values = {"@odata.etag": f'W/"{make.random.getrandbits(32):08X}"'} if kind == "fan" else {}
            uris.append(make.add(
                f"{chassis}/Sensors/{kind}{number}", "#Sensor.v1_9_0.Sensor", f"{kind} {number}",
                _style="odd" if kind == "temp" else "plain", ReadingType=reading_type, ReadingUnits=unit, Status=OK,
                Reading=raw(f"{make.random.randrange(20, 90)}.50"), ReadingRangeMax=raw("1e3"),
                ReadingRangeMin=raw("-0.0"), **values,
                Thresholds={"UpperCritical": {"Reading": raw("9.50E+1")}},
                RelatedItem=[link(chassis), link(f"{chassis}/Thermal#/Temperatures/0")]))
    make.collection(f"{chassis}/Sensors", "Sensor", uris)
