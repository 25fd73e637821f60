#include "shoset/base/limits.hpp"
#include "shoset/http/parser.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

// The first byte says how the rest is cut. However it is cut, the same requests must come out complete: two ways of
// reading one stream of bytes are what request smuggling lives on.
namespace {

using namespace mesh;

struct Collector final : http::RequestParser::Events {
    std::vector<std::string> requests;
    std::string current;

    void onHead(RequestHead head, std::optional<std::uint64_t> contentLength) override
    {
        current = head.method + " " + head.target + " " + (contentLength ? std::to_string(*contentLength) : "-") + "\n";
        for (const Header& header : head.headers) {
            for (const char c : header.value) {
                if (c == '\r' || c == '\n' || c == '\0') {
                    std::abort();
                }
            }
            current += header.name + ": " + header.value + "\n";
        }
        if (head.headers.size() > limits::maxHttpHeaders || head.target.size() > limits::maxHttpTargetBytes + 1) {
            std::abort();
        }
    }
    void onBody(std::string_view piece) override { current += piece; }
    void onEnd() override { requests.push_back(std::move(current)); }
};

std::vector<std::string> parse(std::string_view input, std::size_t step)
{
    http::RequestParser parser;
    Collector collector;
    std::string kept;
    while (!input.empty()) {
        kept += input.substr(0, step);
        input.remove_prefix(std::min(step, input.size()));
        while (!kept.empty()) {
            const auto used = parser.consume(kept, collector);
            if (!used) {
                return collector.requests;
            }
            if (*used > kept.size() || kept.size() - *used > limits::httpBufferBytes) {
                std::abort();
            }
            kept.erase(0, *used);
            if (!parser.done()) {
                break;
            }
            parser.reset();
        }
    }
    return collector.requests;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) {
        return 0;
    }
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto whole = parse(input, size);
    if (whole != parse(input, 1) || whole != parse(input, data[0] + std::size_t(1))) {
        std::abort();
    }
    return 0;
}
