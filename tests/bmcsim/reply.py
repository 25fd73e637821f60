"""What a satellite answers: status, headers, body; and Redfish errors in Base registry words."""

import json
from dataclasses import dataclass, field
from typing import AsyncIterator, Optional

REGISTRY = "Base.1.13"

# MessageId -> (sentence with %1.. for arguments, severity)
MESSAGES = {
    "Success": ("The request completed successfully.", "OK"),
    "Created": ("The resource was created successfully.", "OK"),
    "NoValidSession": ("There is no valid session established with the implementation.", "Critical"),
    "InsufficientPrivilege": ("There are insufficient privileges for the account or credentials associated with the "
                              "current session to perform the requested operation.", "Critical"),
    "ResourceMissingAtURI": ("The resource at the URI '%1' was not found.", "Critical"),
    "OperationNotAllowed": ("The HTTP method is not allowed on this resource.", "Critical"),
    "MalformedJSON": ("The request body submitted was malformed JSON and could not be parsed.", "Critical"),
    "UnrecognizedRequestBody": ("The service detected a malformed request body.", "Warning"),
    "EmptyJSON": ("The request body submitted contained an empty JSON object.", "Warning"),
    "PropertyUnknown": ("The property '%1' is not in the list of valid properties for the resource.", "Warning"),
    "PropertyMissing": ("The property '%1' is a required property and must be included in the request.", "Warning"),
    "PropertyNotWritable": ("The property '%1' is a read-only property and cannot be assigned a value.", "Warning"),
    "PropertyValueTypeError": ("The value '%1' for the property '%2' is not a type that the property can accept.",
                               "Warning"),
    "PropertyValueNotInList": ("The value '%1' for the property '%2' is not in the list of acceptable values.",
                               "Warning"),
    "NoOperation": ("The request body submitted contain no data to act upon.", "Warning"),
    "ActionNotSupported": ("The action '%1' is not supported by the resource.", "Critical"),
    "ActionParameterMissing": ("The action '%1' requires the parameter '%2' to be present in the request body.",
                               "Critical"),
    "ActionParameterValueNotInList": ("The value '%1' for the parameter '%2' in the action '%3' is not in the list of "
                                      "acceptable values.", "Warning"),
    "PreconditionFailed": ("The ETag supplied did not match the ETag required to change this resource.", "Critical"),
    "PreconditionRequired": ("A precondition header or annotation is required to change this resource.", "Critical"),
    "QueryNotSupported": ("Querying is not supported by the implementation.", "Warning"),
    "QueryNotSupportedOnResource": ("Querying is not supported on the requested resource.", "Warning"),
    "QueryParameterValueTypeError": ("The value '%1' for the query parameter '%2' is not a type that the parameter can "
                                     "accept.", "Warning"),
    "HeaderInvalid": ("The HTTP header '%1' is not valid or not supported.", "Warning"),
    "SessionLimitExceeded": ("The session establishment failed due to the number of simultaneous sessions exceeding "
                             "the limit of the implementation.", "Critical"),
    "PayloadTooLarge": ("The supplied payload exceeds the maximum size supported by the implementation.", "Critical"),
    "ResourceAlreadyExists": ("The requested resource of type %1 with the property %2 with the value '%3' already "
                              "exists.", "Critical"),
    "InternalError": ("The request failed due to an internal service error.", "Critical"),
    "GeneralError": ("A general error has occurred.", "Critical"),
}


@dataclass
class Reply:
    """`stream` replaces `body`; its `length` None means chunked. Header values of None are left out."""
    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    stream: Optional[AsyncIterator[bytes]] = None
    length: Optional[int] = None

    def set(self, **headers):
        for name, value in headers.items():
            self.headers[name.replace("_", "-")] = value
        return self


class Refused(Exception):
    """Raised by handlers to end the request with the reply it carries."""

    def __init__(self, reply):
        super().__init__(reply.status)
        self.reply = reply


def encode(value):
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def json_reply(status, value, **headers):
    return Reply(status, encode(value), {"Content-Type": "application/json"}).set(**headers)


def message(name, *args, properties=()):
    text, severity = MESSAGES[name]
    for number, arg in enumerate(args, 1):
        text = text.replace(f"%{number}", str(arg))
    entry = {"@odata.type": "#Message.v1_1_1.Message", "MessageId": f"{REGISTRY}.{name}", "Message": text,
             "MessageArgs": [str(arg) for arg in args], "MessageSeverity": severity, "Severity": severity,
             "Resolution": "None." if severity == "OK" else "Correct the request and submit it again."}
    if properties:
        entry["RelatedProperties"] = ["#/" + name.replace(".", "/") for name in properties]
    return entry


def error_body(messages):
    first = messages[0]
    return {"error": {"code": first["MessageId"], "message": first["Message"], "@Message.ExtendedInfo": messages}}


def error(status, name, *args, properties=(), **headers):
    return json_reply(status, error_body([message(name, *args, properties=properties)]), **headers)


def refuse(status, name, *args, properties=(), **headers):
    raise Refused(error(status, name, *args, properties=properties, **headers))


def success(*args, **headers):
    return json_reply(200, {"@Message.ExtendedInfo": [message("Success", *args)]}, **headers)
