#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;
using Row = std::array<std::string, 5>;  // time, difference, node, from and to, what

std::string milliseconds(std::int64_t micros)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", static_cast<double>(micros) / 1000);
    return text;
}

std::string whatOf(const json& hop, const std::string& asked)
{
    const std::string over = hop.value("over", "");
    const std::string message = hop.value("message", "");
    const std::int64_t left = hop.value("left_us", std::int64_t{0});
    std::string text = hop.value("kind", "") + " " + hop.value("what", "");
    text += hop.contains("code") ? " " + hop.value("code", "") : "";
    text += over.empty() || over == hop.value("to", "") ? "" : " over " + over;
    if (left != 0 && hop.value("kind", "") == "event") {
        text += ", told " + milliseconds(hop.value("at_us", std::int64_t{0}) - left) + " ms before, by its connector's clock";
    } else if (left != 0) {
        text += ", which left " + hop.value("from", "") + " at most " + milliseconds(hop.value("at_us", std::int64_t{0}) - left) + " ms before";
    }
    return text + (message.empty() || message == asked ? "" : "  as " + message);
}

std::vector<Row> rowsOf(const json& trace)
{
    std::vector<Row> rows;
    std::int64_t before = 0;
    for (const json& hop : trace.value("hops", json::array())) {
        const std::int64_t at = hop.value("at_us", std::int64_t{0});
        const std::string to = hop.value("to", "");
        rows.push_back({hop.value("time", ""), "+" + milliseconds(rows.empty() ? 0 : at - before), hop.value("node", ""),
                        hop.value("from", "") + (to.empty() ? "" : " -> " + to), whatOf(hop, trace.value("id", ""))});
        before = at;
    }
    return rows;
}

// In columns; the last one is as long as it is.
void printTable(const std::vector<Row>& rows)
{
    std::array<std::size_t, std::tuple_size_v<Row>> widths{};
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    for (const Row& row : rows) {
        for (std::size_t i = 0; i + 1 < row.size(); ++i) {
            const std::string space(widths[i] - row[i].size(), ' ');
            std::cout << (i == 1 ? space + row[i] : row[i] + space) << "  ";
        }
        std::cout << row.back() << '\n';
    }
}

std::string lineOfClock(const json& clock, const std::string& asked)
{
    const std::int64_t offset = clock.value("offset_us", std::int64_t{0});
    const std::string within = " (+/- " + milliseconds(clock.value("uncertainty_us", std::int64_t{0})) + " ms)";
    const std::string whose = "The clock of " + clock.value("node", "");
    return clock.value("corrected", false) ? whose + " is " + milliseconds(offset < 0 ? -offset : offset) + " ms " + (offset < 0 ? "behind " : "ahead of ") +
                                                 asked + "'s" + within + "; its times are put right here"
                                           : whose + " does not differ from " + asked + "'s as far as can be told" + within;
}

}  // namespace

int trace(Connection connection, const std::string& given)
{
    std::string id = given;
    if (const std::size_t slash = id.find('/'); slash != std::string::npos) {
        id[slash] = ':';
    }
    const bool plain = id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:._-@") == std::string::npos;
    if (id.empty() || !plain) {
        return complain({Code::invalidArgument, "an id is 32 hexadecimal digits, TENANT/CONNECTOR:EPOCH:SEQUENCE of an event, or "
                                                "TENANT/CONNECTOR:vVERSION of a configuration"});
    }
    const Result<json> told = ask(connection, "GET", "/mesh/v1/trace/" + id, nullptr);
    if (!told) {
        return complain(told.error());
    }
    const json silent = told->value("silent", json::array());
    if (connection.json) {
        std::cout << told->dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
        return silent.empty() ? exitOk : exitPartly;
    }
    printTable(rowsOf(*told));
    for (const json& clock : told->value("clocks", json::array())) {
        std::cout << lineOfClock(clock, told->value("node", "")) << '\n';
    }
    if (told->value("more", false)) {
        std::cerr << "meshctl: there are more hops than are shown\n";
    }
    for (const json& node : silent) {
        std::cerr << "meshctl: " << (node.is_string() ? node.get<std::string>() : "") << " has not answered: what it has noted is missing\n";
    }
    return silent.empty() ? exitOk : exitPartly;
}

}  // namespace mesh::ctl
