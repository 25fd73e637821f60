#include "aggregator/core/messages.hpp"

#include "aggregator/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view registry = "Base.1.18.";

struct Entry {
    std::string_view id;
    std::string_view text;  // %1, %2 … are the arguments
    std::string_view severity;
    std::string_view resolution;
};

constexpr std::array entries{
    Entry{"Success", "The request completed successfully.", "OK", "None."},
    Entry{"GeneralError",
          "A general error has occurred.  See Resolution for information on how to resolve the error, or "
          "@Message.ExtendedInfo if Resolution is not provided.", "Critical", "See the message of the error."},
    Entry{"Created", "The resource was created successfully.", "OK", "None."},
    Entry{"NoOperation",
          "The request body submitted contain no data to act upon and no changes to the resource took place.", "Warning",
          "Add properties in the JSON object and resubmit the request."},
    Entry{"MalformedJSON",
          "The request body submitted was malformed JSON and could not be parsed by the receiving service.", "Critical",
          "Ensure that the request body is valid JSON and resubmit the request."},
    Entry{"EmptyJSON",
          "The request body submitted contained an empty JSON object and the service is unable to process it.", "Warning",
          "Add properties in the JSON object and resubmit the request."},
    Entry{"UnrecognizedRequestBody", "The service detected a malformed request body that it was unable to interpret.",
          "Warning", "Correct the request body and resubmit the request if it failed."},
    Entry{"ResourceNotFound", "The requested resource of type %1 named '%2' was not found.", "Critical",
          "Provide a valid resource identifier and resubmit the request."},
    Entry{"ResourceMissingAtURI", "The resource at the URI '%1' was not found.", "Critical",
          "Place a valid resource at the URI or correct the URI and resubmit the request."},
    Entry{"ResourceAlreadyExists",
          "The requested resource of type %1 with the property %2 with the value '%3' already exists.", "Critical",
          "Do not repeat the create operation as the resource was already created."},
    Entry{"ResourceInUse", "The change to the requested resource failed because the resource is in use or in transition.",
          "Warning", "Remove the condition and resubmit the request if the operation failed."},
    Entry{"CreateLimitReachedForResource",
          "The create operation failed because the resource has reached the limit of possible resources.", "Critical",
          "Either delete resources and resubmit the request if the operation failed or do not resubmit the request."},
    Entry{"InsufficientPrivilege",
          "There are insufficient privileges for the account or credentials associated with the current session to "
          "perform the requested operation.", "Critical",
          "Either abandon the operation or change the associated access rights and resubmit the request if the "
          "operation failed."},
    Entry{"NoValidSession", "There is no valid session established with the implementation.", "Critical",
          "Establish a session before attempting any operations."},
    Entry{"ResourceAtUriUnauthorized",
          "While accessing the resource at '%1', the service received an authorization error '%2'.", "Critical",
          "Ensure that the appropriate access is provided for the service in order for it to access the URI."},
    Entry{"PasswordChangeRequired",
          "The password provided for this account must be changed before access is granted.  PATCH the Password "
          "property for this account located at the target URI '%1' to complete this process.", "Critical",
          "Change the password for this account using a PATCH to the Password property at the URI provided."},
    Entry{"SessionLimitExceeded",
          "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the "
          "implementation.", "Critical",
          "Reduce the number of other sessions before trying to establish the session or increase the limit of "
          "simultaneous sessions, if supported."},
    Entry{"PropertyUnknown", "The property %1 is not in the list of valid properties for the resource.", "Warning",
          "Remove the unknown property from the request body and resubmit the request if the operation failed."},
    Entry{"PropertyNotWritable", "The property %1 is a read-only property and cannot be assigned a value.", "Warning",
          "Remove the property from the request body and resubmit the request if the operation failed."},
    Entry{"PropertyMissing", "The property %1 is a required property and must be included in the request.", "Warning",
          "Ensure that the property is in the request body and has a valid value and resubmit the request if the "
          "operation failed."},
    Entry{"PropertyValueTypeError", "The value '%1' for the property %2 is not a type that the property can accept.",
          "Warning",
          "Correct the value for the property in the request body and resubmit the request if the operation failed."},
    Entry{"PropertyValueNotInList", "The value '%1' for the property %2 is not in the list of acceptable values.",
          "Warning",
          "Choose a value from the enumeration list that the implementation can support and resubmit the request if "
          "the operation failed."},
    Entry{"PropertyValueFormatError", "The value '%1' for the property %2 is not a format that the property can accept.",
          "Warning",
          "Correct the value for the property in the request body and resubmit the request if the operation failed."},
    Entry{"PropertyValueError", "The value provided for the property %1 is not valid.", "Warning",
          "Correct the value for the property in the request body and resubmit the request if the operation failed."},
    Entry{"ActionNotSupported", "The action %1 is not supported by the resource.", "Critical",
          "Check the Actions property in the resource for the supported actions."},
    Entry{"ActionParameterMissing", "The action %1 requires the parameter %2 to be present in the request body.",
          "Critical", "Supply the action with the required parameter in the request body when the request is resubmitted."},
    Entry{"ActionParameterValueError", "The value for the parameter %1 in the action %2 is invalid.", "Warning",
          "Correct the value for the parameter in the request body and resubmit the request if the operation failed."},
    Entry{"OperationNotAllowed", "The HTTP method is not allowed on this resource.", "Critical",
          "Do not repeat the operation; see the Allow header for what is allowed."},
    Entry{"QueryNotSupported", "Querying is not supported by the implementation.", "Warning",
          "Remove the query parameters and resubmit the request if the operation failed."},
    Entry{"QueryNotSupportedOnResource", "Querying is not supported on the requested resource.", "Warning",
          "Remove the query parameters and resubmit the request if the operation failed."},
    Entry{"QueryParameterValueFormatError",
          "The value '%1' for the parameter %2 is not a format that the parameter can accept.", "Warning",
          "Correct the value for the query parameter in the request and resubmit the request if the operation failed."},
    Entry{"PreconditionFailed", "The ETag supplied did not match the ETag required to change this resource.", "Critical",
          "Try the operation again using the appropriate ETag."},
    Entry{"HeaderInvalid", "Header '%1' is invalid.", "Critical", "Resubmit the request with a valid request header."},
    Entry{"PayloadTooLarge", "The supplied payload exceeds the maximum size supported by the service.", "Critical",
          "Check that the supplied payload is correct and supported by this service."},
    Entry{"ServiceTemporarilyUnavailable", "The service is temporarily unavailable.  Retry in %1 seconds.", "Critical",
          "Wait for the indicated retry duration and retry the operation."},
    Entry{"ServiceShuttingDown",
          "The operation failed because the service is shutting down and can no longer take incoming requests.",
          "Critical", "When the service becomes available, resubmit the request if the operation failed."},
    Entry{"InternalError", "The request failed due to an internal service error.  The service is still operational.",
          "Critical", "Resubmit the request.  If the problem persists, consider resetting the service."},
    Entry{"OperationFailed",
          "An error occurred internal to the service as part of the overall request.  Partial results may have been "
          "returned.", "Warning", "Resubmit the request.  If the problem persists, consider resetting the service or provider."},
    Entry{"CouldNotEstablishConnection", "The service failed to establish a connection with the URI '%1'.", "Critical",
          "Ensure that the URI contains a valid and reachable node name, protocol information, and other URI "
          "components."},
    Entry{"ResourceInStandby", "The request could not be performed because the resource is in standby.", "Critical",
          "Ensure that the resource is in the correct power state and resubmit the request."},
    Entry{"OperationTimeout",
          "A timeout internal to the service occurred as part of the request.  Partial results may have been returned.",
          "Warning", "Resubmit the request.  If the problem persists, consider resetting the service or provider."},
};

const Entry& entryOf(std::string_view id)
{
    const auto found = std::find_if(entries.begin(), entries.end(), [id](const Entry& entry) { return entry.id == id; });
    return found == entries.end() ? entries[1] : *found;
}

std::string fill(std::string_view text, const std::vector<std::string>& args)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::size_t which = i + 1 < text.size() && text[i] == '%' ? static_cast<std::size_t>(text[i + 1] - '1') : 9;
        if (which < args.size()) {
            out += args[which];
            ++i;
        } else {
            out += text[i];
        }
    }
    return out;
}

json toJson(const RedfishMessage& message, std::string_view sentence)
{
    const Entry& entry = entryOf(message.id);
    json out{{"@odata.type", "#Message.v1_2_1.Message"},
             {"MessageId", std::string(registry) + std::string(entry.id)},
             {"Message", sentence.empty() ? fill(entry.text, message.args) : std::string(sentence)},
             {"MessageArgs", message.args},
             {"MessageSeverity", entry.severity},
             {"Severity", entry.severity},
             {"Resolution", entry.resolution}};
    if (!message.related.empty()) {
        out["RelatedProperties"] = {message.related};
    }
    return out;
}

// Errors of the lower modules are "no path"; a message is "No path."
std::string asSentence(std::string text)
{
    if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') {
        text.front() = static_cast<char>(text.front() - 'a' + 'A');
    }
    return text.empty() || text.ends_with('.') ? text : text + '.';
}

std::string wrap(const json& list)
{
    json error{{"code", list[0]["MessageId"]}, {"message", list[0]["Message"]}, {"@Message.ExtendedInfo", list}};
    return jsonText({{"error", std::move(error)}});
}

Answer answerWith(int status, std::string body)
{
    return {{status, {{"Content-Type", "application/json"}, {"OData-Version", "4.0"}, {"Cache-Control", "no-store"}}},
            std::move(body)};
}

}  // namespace

std::string messageJson(const RedfishMessage& message)
{
    return jsonText(toJson(message, {}));
}

std::string errorBody(const std::vector<RedfishMessage>& messages)
{
    json list = json::array();
    for (const RedfishMessage& message : messages) {
        list.push_back(toJson(message, {}));
    }
    return wrap(list);
}

std::string errorBody(const RedfishMessage& message, std::string_view sentence)
{
    return wrap(json::array({toJson(message, asSentence(std::string(sentence)))}));
}

Answer errorAnswer(int status, const RedfishMessage& message)
{
    return answerWith(status, errorBody({message}));
}

Answer errorAnswer(int status, const RedfishMessage& message, std::string_view sentence)
{
    return answerWith(status, errorBody(message, sentence));
}

Answer temporarilyUnavailable(const std::string& sentence)
{
    Answer answer = errorAnswer(503, {"ServiceTemporarilyUnavailable", {"1"}, {}}, sentence);
    answer.head.headers.push_back({"Retry-After", "1"});
    return answer;
}

Answer notRecorded()
{
    return temporarilyUnavailable("Nothing was done, because this node cannot record now who does what; its log says why.");
}

Answer errorAnswerForStatus(int status, std::string_view sentence)
{
    switch (status) {
        case 408: return errorAnswer(status, {"OperationTimeout", {}, {}}, sentence);
        case 413: return errorAnswer(status, {"PayloadTooLarge", {}, {}}, sentence);
        case 503: return errorAnswer(status, {"ServiceTemporarilyUnavailable", {"1"}, {}}, sentence);
        default: return errorAnswer(status, {"GeneralError", {}, {}}, sentence);
    }
}

Answer satelliteFailure(const Error& error, std::string_view name, std::string_view uri)
{
    const std::string who = "The satellite " + std::string(name);
    const std::string why = error.message.empty() ? std::string() : ": " + error.message;
    switch (error.code) {
        case Code::notSent:
        case Code::full: {
            Answer answer = errorAnswer(503, {"ServiceTemporarilyUnavailable", {"1"}, {}},
                                        who + " cannot be reached" + why + ". The request was not sent; it may be repeated.");
            answer.head.headers.push_back({"Retry-After", "1"});
            return answer;
        }
        case Code::deadlineExceeded:
        case Code::outcomeUnknown:
        case Code::ioError:
            return errorAnswer(504, {"OperationTimeout", {}, {}},
                               error.code == Code::deadlineExceeded
                                   ? who + " did not take the request in time" + why + "."
                                   : who + " gave no usable answer" + why + ". Whether the request was executed is not known.");
        case Code::permissionDenied:
            return errorAnswer(403, {"InsufficientPrivilege", {}, {}}, who + " refuses the request" + why + ".");
        case Code::invalidArgument:
            return errorAnswer(400, {"PropertyValueNotInList", {error.message, "@odata.id"}, {}});
        default:
            return errorAnswer(502,
                               error.code == Code::refused
                                   ? RedfishMessage{"ResourceAtUriUnauthorized", {std::string(uri), error.message}, {}}
                                   : RedfishMessage{"OperationFailed", {}, {}},
                               who + " gave no usable answer" + why + ".");
    }
}

}  // namespace mesh::aggregator
