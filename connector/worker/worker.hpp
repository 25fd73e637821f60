#pragma once

#include "shoset/base/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A worker of a bmcmesh connector: functions that the mesh may call. README.md says what that is, and how to begin.
namespace mesh::worker {

// How a command ended. Payloads are JSON texts, or empty.
struct Outcome {
    bool success = true;
    std::string payload = {};
    std::string failure = {};  // of one that failed: a code of the worker's own
    std::string text = {};     // and why
    static Outcome done(std::string payload = {}) { return {true, std::move(payload), {}, {}}; }
    static Outcome failed(std::string failure, std::string text = {}) { return {false, {}, std::move(failure), std::move(text)}; }
};

// One execution of a command, for its function; only as long as that runs.
class Call {
public:
    virtual ~Call() = default;
    // As often as it likes; the newest is passed on now and then. 0 to 100 percent.
    virtual void progress(unsigned percent, std::string_view text) = 0;
    virtual const std::string& id() const = 0;
    virtual const std::string& user() const = 0;  // on whose behalf
    // Until nobody waits for the answer any more; negative afterwards.
    virtual std::chrono::milliseconds remaining() const = 0;
};

// Where an event stands among those of its connector.
struct Accepted {
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
};

struct Event {
    std::string source;   // "tenant/connector"
    std::string topic;
    std::string name;
    std::string payload;  // JSON
    std::string time;     // RFC 3339
    std::string cursor;
    std::uint64_t lost = 0;  // not 0: so many events of this source are lost, and there is neither topic nor name nor payload
};
using Listener = std::function<void(const Event& event)>;
// Of what a listener would hear: it hears nothing, and why. Code::permissionDenied: the connector's configuration does not let this user;
// Code::full: the connector, or all aggregators, have too many subscriptions. The text begins with the connector's code.
using Unheard = std::function<void(const Error& why)>;
enum class From { now, start };  // the latter: also those that are stored already

// Who is to execute what a worker sends: one connector by its name, or any one of a type, or all of them.
struct Target {
    std::string name = {};
    std::string type = {};     // connector type; beside a name, of which the worker there has to be
    bool all = false;
    std::string version = {};  // of the worker there, "1.2"; empty: any
};

// What came of it. `executed`: "yes", "no" or "unknown".
struct Answer {
    bool success = false;
    std::string payload = {};  // JSON, or empty
    std::string code = {};     // of one that failed: the mesh's word,
    std::string failure = {};  // and the code of the worker that has executed it, if one did
    std::string text = {};
    std::string executed = {};
};
using Progress = std::function<void(unsigned percent, const std::string& text)>;

class Worker {
public:
    struct About {
        std::string name;     // of versions of one name a newer one takes the older one's place
        std::string type;     // connector type
        std::string version;  // "1.0"
        std::string socket = "/run/bmcmesh/worker.sock";
    };
    // Runs on a thread of its own. What it throws is a failure with the code "exception".
    using Function = std::function<Outcome(const std::string& payload, Call& call)>;

    explicit Worker(About about);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Before run(). `schema`: of the payload, a JSON Schema as README.md names it; empty: any.
    void serve(const std::string& command, const std::string& schema, Function function);
    // Before run(). Called with one event after the other, on a thread of its own. Topics: "sensor.fan", or "sensor.*". `refused` is
    // called on that thread each time that a connector will not have the subscription, which is asked of the next one, or of the same
    // one when it was restarted; where it is empty, stderr says so.
    void listen(std::vector<std::string> topics, Listener listener, From from = From::now, Unheard refused = {});
    // While run() runs on another thread. Returns when the event is on the connector's disk: whatever happens, it will reach who
    // listens. The error's text begins with the connector's code ("outbox_full: …"); Code::outcomeUnknown after `patience`.
    // Emitted again after the connector was restarted it may come twice.
    Result<Accepted> emit(const std::string& topic, const std::string& name, const std::string& payload = {},
                          std::chrono::milliseconds patience = std::chrono::seconds(30));
    // Before run(). `take` is called with each version of the connector's configuration, JSON texts of its values and resources, on a
    // thread of its own, one after the other; also with the same one again after a restart. Code::ok is taken, any error refuses
    // that version for the error's reason.
    using Configure = std::function<Result<void>(const std::string& values, const std::string& resources)>;
    void configuration(Configure take);
    // Serves until stop(), or until a newer version has taken over, and then until what runs has ended. The error is the
    // connector's refusal, Code::refused, or of libzmq. Once.
    Result<void> run(std::size_t threads = 4);
    // The value of a secret that is granted to this connector; for functions, while run() runs. notFound: none of that name is;
    // permissionDenied: workers.allow does not let this user have it; unavailable, unsupported. Ask each time: the next answer
    // may be a newer one.
    Result<std::string> secret(const std::string& name, std::chrono::milliseconds patience = std::chrono::seconds(10));
    // Has others execute a command, and waits for how that ends. Any thread but that of run(), which has to run meanwhile. The
    // connector's configuration says what may be sent (`send`), and the mesh's policy to whom.
    Answer send(const Target& target, const std::string& command, const std::string& payload = {},
                std::chrono::milliseconds timeout = std::chrono::seconds(30), const Progress& progress = {});
    // Any thread, and signal handlers.
    void stop();

private:
    class Service;
    std::unique_ptr<Service> service;
};

}  // namespace mesh::worker
