#include "connector/worker/worker.hpp"

#include "connector/worker/service.hpp"

#include <utility>

namespace mesh::worker {

using nlohmann::json;

Worker::Worker(About about) : service(std::make_unique<Service>(std::move(about))) {}
Worker::~Worker() = default;

void Worker::serve(const std::string& command, const std::string& schema, Function function)
{
    // What is no JSON is sent as a text, and refused by the connector with the command's name.
    json rules = schema.empty() ? json() : json::parse(schema, nullptr, false);
    service->commands[command] = {rules.is_discarded() ? json(schema) : std::move(rules), std::move(function)};
}

void Worker::listen(std::vector<std::string> topics, Listener listener, From from, Unheard refused)
{
    service->events.listen(std::move(topics), std::move(listener), from, std::move(refused));
}

Result<Accepted> Worker::emit(const std::string& topic, const std::string& name, const std::string& payload,
                              std::chrono::milliseconds patience)
{
    return service->events.emit(topic, name, payload, patience);
}

void Worker::configuration(Configure take)
{
    service->configure = std::move(take);
}

Result<void> Worker::run(std::size_t threads)
{
    return service->run(threads);
}

Result<std::string> Worker::secret(const std::string& name, std::chrono::milliseconds patience)
{
    return service->secret(name, patience);
}

Answer Worker::send(const Target& target, const std::string& command, const std::string& payload, std::chrono::milliseconds timeout,
                    const Progress& progress)
{
    return service->sends.send(target, command, payload, timeout, progress, [this] { service->poke(); });
}

void Worker::stop()
{
    service->stopping = true;
    service->poke();
}

}  // namespace mesh::worker
