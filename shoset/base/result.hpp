#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace mesh {

// What kind of failure, for code that must decide. The message is for the person who can act.
enum class Code {
    ok,
    invalidArgument,     // the caller's input is wrong; repeating it is useless
    notFound,
    alreadyExists,
    permissionDenied,    // authenticated, but not allowed
    unauthenticated,
    preconditionFailed,  // If-Match and the like
    tooLarge,            // over a limit of limits.hpp
    full,                // a bounded queue or table is full; later may succeed
    notSent,             // nothing left this node: safe to repeat
    outcomeUnknown,      // may or may not have been executed
    refused,             // the other side said no
    deadlineExceeded,    // refused before execution because it would be late
    unavailable,
    corrupt,             // stored or received data is not what it must be
    ioError,
    unsupported,
};

// The code's name as it appears in logs, metrics and error replies: "not_sent", "outcome_unknown", ...
const char* codeName(Code code);

struct Error {
    Code code = Code::ok;
    std::string message;
};

// A value or an error. Never throws; reading the wrong side is a programming error and aborts: the accessors are
// noexcept, so that the checked access below them ends the process.
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state.index() == 0; }
    explicit operator bool() const { return ok(); }
    T& value() noexcept { return std::get<0>(state); }
    const T& value() const noexcept { return std::get<0>(state); }
    T& operator*() noexcept { return value(); }
    const T& operator*() const noexcept { return value(); }
    T* operator->() noexcept { return &value(); }
    const T* operator->() const noexcept { return &value(); }
    const Error& error() const noexcept { return std::get<1>(state); }

private:
    std::variant<T, Error> state;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : failure(std::move(error)) {}

    bool ok() const { return !failure; }
    explicit operator bool() const { return ok(); }
    const Error& error() const noexcept { return failure.value(); }

private:
    std::optional<Error> failure;
};

}  // namespace mesh
