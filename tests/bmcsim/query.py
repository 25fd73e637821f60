"""Query options of GET: paging always, the others where the ServiceRoot's ProtocolFeaturesSupported says so."""

import re
from urllib.parse import quote

from reply import refuse
from tree import clean

MOST_LEVELS = 3
COMPARISON = re.compile(r"([\w/@.]+)\s+(eq|ne|gt|ge|lt|le)\s+('(?:[^']|'')*'|[^\s()]+)")


def integer(name, text):
    if not re.fullmatch(r"\d{1,9}", text):
        refuse(400, "QueryParameterValueTypeError", text, name)
    return int(text)


def apply(tree, key, pairs, page):
    """The value to answer instead of the stored bytes, or None where they can be sent as they are."""
    features = tree.get("/redfish/v1").get("ProtocolFeaturesSupported", {}) if pairs else {}
    meta = tree.meta(key)
    options = {}
    for name, value in pairs:
        if name.startswith("$") and name not in ("$skip", "$top", "$select", "$expand", "$filter"):
            refuse(501, "QueryNotSupported")
        options[name] = value
    for name, feature in (("$select", "SelectQuery"), ("$filter", "FilterQuery"), ("$expand", "ExpandQuery")):
        if name in options and not features.get(feature):
            refuse(501, "QueryNotSupported")
    if "only" in options and features.get("OnlyMemberQuery"):
        return only(tree, key, options["only"])
    value = None
    if "$filter" in options:
        if not meta.collection:
            refuse(400, "QueryNotSupportedOnResource")
        value = filtered(tree, tree.json(key), options["$filter"])
    if meta.collection:
        value = paged(tree, key, value, options, page)
    if "$expand" in options:
        value = expanded(tree, value or tree.json(key), options["$expand"], features["ExpandQuery"])
    if "$select" in options:
        value = selected(value or tree.json(key), options["$select"].split(","))
    return value


def only(tree, key, text):
    if text:
        refuse(400, "QueryParameterValueTypeError", text, "only")
    if not tree.meta(key).collection:
        refuse(400, "QueryNotSupportedOnResource")
    body = tree.json(key)
    member = tree.find(body["Members"][0]["@odata.id"]) if len(body["Members"]) == 1 else None
    return tree.json(member) if member else None


def paged(tree, key, value, options, page):
    """Members from $skip, at most $top; the next link is given where the page size, not $top, ended the list."""
    body = value or tree.json(key)
    skip = integer("$skip", options["$skip"]) if "$skip" in options else 0
    top = integer("$top", options["$top"]) if "$top" in options else None
    members = body["Members"]
    if not page and skip == 0 and top is None:
        return value
    wanted = len(members) - skip if top is None else min(top, len(members) - skip)
    given = min(wanted, page) if page else wanted
    if skip == 0 and given == len(members):
        return value
    body = dict(body, Members=members[skip:skip + max(given, 0)])
    body["Members@odata.count"] = len(members)
    body.pop("Members@odata.nextLink", None)
    if 0 < given < wanted:
        rest = f"&$top={top - given}" if top is not None else ""
        other = "".join(f"&{name}={quote(text)}" for name, text in options.items() if name not in ("$skip", "$top"))
        body["Members@odata.nextLink"] = f"{body.get('@odata.id', key)}?$skip={skip + given}{rest}{other}"
    return body


def literal(text):
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    try:
        return float(text)
    except ValueError:
        return refuse(400, "QueryParameterValueTypeError", text, "$filter")


def matches(value, path, operator, wanted):
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, dict) else None
    if operator in ("eq", "ne"):
        return (value == wanted) == (operator == "eq")
    try:
        return {"gt": value > wanted, "ge": value >= wanted, "lt": value < wanted, "le": value <= wanted}[operator]
    except TypeError:
        return False


def filtered(tree, body, text):
    """Comparisons joined by `and`, those by `or`; no parentheses."""
    def holds(member):
        key = tree.find(str(member.get("@odata.id", ""))) if len(member) == 1 else None
        value = tree.json(key) if key else member
        return any(all(matches(value, *one) for one in group) for group in groups)

    groups = []
    for group in re.split(r"\s+or\s+", text):
        parts = [COMPARISON.fullmatch(part.strip()) for part in re.split(r"\s+and\s+", group)]
        if not all(parts):
            refuse(400, "QueryParameterValueTypeError", text, "$filter")
        groups.append([(part[1], part[2], literal(part[3])) for part in parts])
    members = [member for member in body["Members"] if holds(member)]
    return dict(body, Members=members, **{"Members@odata.count": len(members)})


def expanded(tree, body, text, features):
    found = re.fullmatch(r"([.*~])(?:\(\$levels=(\d)\))?", text)
    allowed = {".": "NoLinks", "*": "ExpandAll", "~": "Links"}
    if not found or not features.get(allowed[found[1]]):
        refuse(400, "QueryParameterValueTypeError", text, "$expand")
    levels = min(int(found[2] or 1), features.get("MaxLevels", 1), MOST_LEVELS)

    def walk(value, depth, in_links):
        if isinstance(value, list):
            return [walk(each, depth, in_links) for each in value]
        if not isinstance(value, dict):
            return value
        wanted = found[1] == "*" or in_links == (found[1] == "~")
        if set(value) == {"@odata.id"} and wanted and depth < levels:
            key = tree.find(clean(str(value["@odata.id"]).partition("#")[0]))
            if key is None or "#" in value["@odata.id"] or not tree.meta(key).json:
                return value
            return walk(tree.json(key), depth + 1, False)
        return {name: walk(each, depth, in_links or name == "Links") for name, each in value.items()}

    return {name: walk(each, 0, name == "Links") for name, each in body.items()}


def selected(body, names):
    always = ("@odata.id", "@odata.type", "@odata.context", "@odata.etag")
    result = {name: value for name, value in body.items() if name in always}
    for path in names:
        source, target = body, result
        *steps, last = path.strip().split("/")
        for step in steps:
            source = source.get(step, {}) if isinstance(source, dict) else {}
            target = target.setdefault(step, {})
        if isinstance(source, dict) and last in source:
            target[last] = source[last]
    return result
