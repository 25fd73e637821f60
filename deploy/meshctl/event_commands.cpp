#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "deploy/meshctl/query_text.hpp"
#include "shoset/host/loop.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <thread>
#include <utility>
#include <vector>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr const char* eventsUri = "/mesh/v1/events?limit=1000";
constexpr int waitForEvents = 20;                               // seconds, of one question
constexpr auto answerWithin = std::chrono::seconds(waitForEvents + 15);
constexpr auto awayPatience = std::chrono::seconds(60);         // without any node's answer
constexpr auto pauseBetweenNodes = std::chrono::milliseconds(500);
constexpr std::int64_t overlapSeconds = 600;                    // another node may have stored later, or earlier
constexpr std::int64_t clockSeconds = 5;                        // that nodes' clocks may differ
constexpr int interrupted = 130;

void endAtOnce(int)
{
    ::_exit(interrupted);  // what was printed was flushed
}

std::vector<std::string> urlsOf(const std::string& list)
{
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t comma = std::min(list.find(',', at), list.size());
        std::string one = list.substr(at, comma - at);
        while (one.ends_with('/')) {
            one.pop_back();
        }
        if (!one.empty()) {
            out.push_back(std::move(one));
        }
        at = comma + 1;
    }
    return out;
}

// What is asked for, but for when.
std::string filterOf(const EventOptions& options)
{
    std::string uri = eventsUri;
    for (const auto& [name, value] : {std::pair("tenant", &options.tenant), std::pair("connector", &options.connector),
                                      std::pair("topic", &options.topic)}) {
        if (!value->empty()) {
            uri += std::string("&") + name + "=" + escapeValue(*value);
        }
    }
    return uri;
}

std::string lineOfEvent(const json& event, bool withId)
{
    const std::string tenant = event.value("tenant", "");
    std::string line = event.value("stored", "") + (withId ? "  " + event.value("id", "-") : "") + "  " + (tenant.empty() ? "-" : tenant) + "/" + event.value("connector", "") + "  ";
    if (event.contains("lost_to")) {
        return line + std::to_string(event.value("lost_to", 0ULL) - event.value("sequence", 0ULL) + 1) + " events were lost here";
    }
    line += event.value("topic", "") + "  " + event.value("name", "");
    for (const char* payload : {"payload", "payload_text"}) {
        if (event.contains(payload)) {
            line += "  " + event[payload].dump(-1, ' ', true, json::error_handler_t::replace);
        }
    }
    return line;
}

std::string documentOf(const json& event)
{
    return event.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Follows the nodes' events, of which each has its own order: of each connector nothing is shown again that was, whichever node
// tells it.
class Follower {
public:
    Follower(Connection given, std::string wanted, std::int64_t begin, bool fromNow, bool ids)
        : withIds(ids), connection(std::move(given)), urls(urlsOf(connection.url)), filter(std::move(wanted)),
          first(fromNow ? secondsNow() - clockSeconds : begin), since(first), place(fromNow ? "now" : "")
    {
        connection.patience = answerWithin;
    }

    int run()
    {
        auto answered = Clock::now();
        while (true) {
            connection.url = urls[current];
            const std::string when = place.empty() ? "&since=" + std::to_string(since) : "&after=" + escapeValue(place);
            const Result<json> page = ask(connection, "GET", filter + when + "&wait=" + std::to_string(waitForEvents), nullptr);
            if (page) {
                answered = Clock::now();
                failures = 0;
                show(*page);
                continue;
            }
            if (isOfAnotherNode(page.error()) && !place.empty() && place != "now") {
                place.clear();
                continue;
            }
            if (page.error().code == Code::invalidArgument || isFinal(page.error())) {
                return complain(page.error());
            }
            if (Clock::now() - answered >= awayPatience) {
                return complain({page.error().code, "no node has answered for a minute: " + page.error().message});
            }
            goOn(page.error());
        }
    }

private:
    // A node that is overloaded, or starts, says 503.
    static bool isFinal(const Error& error)
    {
        return error.code == Code::refused && error.message.find("was answered 5") == std::string::npos;
    }
    // Behind one address several nodes may answer.
    static bool isOfAnotherNode(const Error& error)
    {
        return error.code == Code::refused && error.message.find("was answered 400") != std::string::npos;
    }
    static std::int64_t secondsNow() { return toMillis(host::systemNow().wall) / 1000; }
    void show(const json& page)
    {
        noteElsewhere(page, toldElsewhere);
        for (const json& event : page.value("events", json::array())) {
            auto& last = had[event.value("tenant", "") + "/" + event.value("connector", "")];
            const std::pair<std::uint64_t, std::uint64_t> at{event.value("epoch", 0ULL),
                                                             std::max(event.value("sequence", 0ULL), event.value("lost_to", 0ULL))};
            if (at > last) {
                last = at;
                std::cout << (connection.json ? documentOf(event) : lineOfEvent(event, withIds)) << '\n';
            }
        }
        std::cout << std::flush;
        place = page.value("next", "");
        since = std::max(first, secondsNow() - overlapSeconds);
    }
    void goOn(const Error& error)
    {
        const std::size_t next = (current + 1) % urls.size();
        if (failures++ < urls.size()) {
            std::cerr << "meshctl: " << urls[current] << ": " << error.message << "; "
                      << (next == current ? "trying again" : "going on with " + urls[next]) << std::endl;
        }
        if (next != current) {
            current = next;
            place = had.empty() && place == "now" ? place : std::string();
        }
        std::this_thread::sleep_for(pauseBetweenNodes);
    }

    const bool withIds;
    Connection connection;
    const std::vector<std::string> urls;
    const std::string filter;
    const std::int64_t first;  // nothing from before
    std::int64_t since;
    std::string place;  // of the node that is asked; empty: by time
    std::size_t current = 0;
    std::size_t failures = 0;  // since one has answered
    bool toldElsewhere = false;
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> had;  // of each connector
};

// All pages.
int listEvents(Connection& connection, const std::string& uri, bool withIds)
{
    json all = json::array();
    bool told = false;
    std::string after;
    for (bool more = true; more;) {
        Result<json> page = ask(connection, "GET", uri + after, nullptr);
        if (!page) {
            return complain(page.error());
        }
        noteElsewhere(*page, told);
        for (json& event : (*page)["events"]) {
            if (connection.json) {
                all.push_back(std::move(event));
            } else {
                std::cout << lineOfEvent(event, withIds) << '\n';
            }
        }
        after = "&after=" + escapeValue(page->value("next", ""));
        more = page->value("more", false);
    }
    if (connection.json) {
        std::cout << documentOf({{"events", std::move(all)}}) << '\n';
    }
    return exitOk;
}

}  // namespace

int events(Connection connection, const EventOptions& options)
{
    if (Result<void> complete = completeConnection(connection); !complete) {
        return complain(complete.error());
    }
    std::string uri = filterOf(options);
    std::int64_t since = 0;
    for (const auto& [name, text] : {std::pair("since", &options.since), std::pair("until", &options.until)}) {
        if (text->empty()) {
            continue;
        }
        const Result<std::int64_t> seconds = readTime(*text);
        if (!seconds) {
            return complain(seconds.error());
        }
        since = text == &options.since ? std::max<std::int64_t>(*seconds, 0) : since;
        if (!options.follow || text == &options.until) {
            uri += std::string("&") + name + "=" + std::to_string(std::max<std::int64_t>(*seconds, 0));
        }
    }
    if (!options.follow) {
        connection.url = urlsOf(connection.url).empty() ? connection.url : urlsOf(connection.url).front();
        return listEvents(connection, uri, options.ids);
    }
    if (!options.until.empty() || urlsOf(connection.url).empty()) {
        return complain({Code::invalidArgument, "--follow has no end: leave --until out"});
    }
    std::signal(SIGINT, endAtOnce);
    std::signal(SIGTERM, endAtOnce);
    return Follower(std::move(connection), std::move(uri), since, options.since.empty(), options.ids).run();
}

}  // namespace mesh::ctl
