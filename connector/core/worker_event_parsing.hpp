#pragma once

#include "connector/core/worker_event_words.hpp"
#include "shoset/base/result.hpp"

#include <nlohmann/json_fwd.hpp>

// For parseWorkerMessage() only.
namespace mesh::connector {

// Code::invalidArgument with a sentence for who writes the worker. `document` is an object, and was bounded.
Result<WorkerEmit> parseEmit(const nlohmann::json& document);
Result<WorkerSubscribe> parseSubscribe(const nlohmann::json& document);
Result<WorkerUnsubscribe> parseUnsubscribe(const nlohmann::json& document);
Result<WorkerTaken> parseTaken(const nlohmann::json& document);

}  // namespace mesh::connector
