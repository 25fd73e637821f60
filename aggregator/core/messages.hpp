#pragma once

#include "shoset/base/http.hpp"
#include "shoset/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// One entry of DMTF's Base message registry (DSP8011, Base.1.18) with its arguments filled in.
struct RedfishMessage {
    std::string id;  // without the registry: "ResourceNotFound"
    std::vector<std::string> args;
    std::string related;  // JSON pointer of the property it is about, or empty
};

// A message object as JSON text: MessageId, Message, MessageArgs, Severity, MessageSeverity, Resolution. An id that the
// registry does not have becomes GeneralError.
std::string messageJson(const RedfishMessage& message);
// {"error": {code, message, @Message.ExtendedInfo}}. At least one message.
std::string errorBody(const std::vector<RedfishMessage>& messages);
// The same with a text of our own, made a sentence, in place of the registry's, for what the registry has no words for.
std::string errorBody(const RedfishMessage& message, std::string_view sentence);

struct Answer {
    ResponseHead head;
    std::string body;
};
Answer errorAnswer(int status, const RedfishMessage& message);
Answer errorAnswer(int status, const RedfishMessage& message, std::string_view sentence);
// 503 that may be repeated after a second, with the reason.
Answer temporarilyUnavailable(const std::string& sentence);
// 503: nothing was done, because it cannot be recorded who does it. Why is for the operator, in the log.
Answer notRecorded();
// For answers that the HTTP server makes itself.
Answer errorAnswerForStatus(int status, std::string_view sentence);
// A satellite's failure as an answer (redfish.md, "Errors of a satellite"): 503 with Retry-After only if nothing was
// sent, 504 for an unknown outcome, 502 for a refusal or nonsense. `name` is the satellite's.
Answer satelliteFailure(const Error& error, std::string_view name, std::string_view uri);

}  // namespace mesh::aggregator
