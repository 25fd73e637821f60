#pragma once

#include "shoset/http/parser.hpp"

#include <string>
#include <vector>

namespace mesh::http {

// What a parser told, with body pieces joined, so that runs over differently cut input compare equal.
template <class Head>
struct Message {
    Head head;
    std::optional<std::uint64_t> contentLength;
    std::string body;
    bool ended = false;
    bool keepAlive = false;
};

template <class Head>
struct Recorder final : Parser<Head>::Events {
    Message<Head> message;

    void onHead(Head head, std::optional<std::uint64_t> contentLength) override
    {
        message.head = std::move(head);
        message.contentLength = contentLength;
    }
    void onBody(std::string_view piece) override { message.body += piece; }
    void onEnd() override { message.ended = true; }
};

template <class Head>
struct Run {
    std::vector<Message<Head>> messages;  // those that ended
    Message<Head> unfinished;
    std::optional<Error> error;
    bool targetTooLong = false;
};

// Feeds `pieces` one after the other as a connection would: what is not taken is kept, a message that ends starts the
// next.
template <class Head>
Run<Head> parseAll(const std::vector<std::string>& pieces)
{
    Run<Head> run;
    Parser<Head> parser;
    Recorder<Head> recorder;
    std::string kept;
    for (const std::string& piece : pieces) {
        kept += piece;
        while (!kept.empty()) {
            const auto used = parser.consume(kept, recorder);
            run.targetTooLong = parser.targetTooLong();
            if (!used) {
                run.error = used.error();
                return run;
            }
            kept.erase(0, *used);
            if (!parser.done()) {
                break;
            }
            recorder.message.keepAlive = parser.keepAlive();
            run.messages.push_back(std::exchange(recorder.message, {}));
            parser.reset();
        }
    }
    run.unfinished = recorder.message;
    return run;
}

using Request = Run<RequestHead>;
using Response = Run<ResponseHead>;

inline Request requests(const std::string& text)
{
    return parseAll<RequestHead>({text});
}

inline Response responses(const std::string& text)
{
    return parseAll<ResponseHead>({text});
}

}  // namespace mesh::http
