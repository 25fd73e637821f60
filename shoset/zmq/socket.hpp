#pragma once

#include "shoset/base/result.hpp"
#include "shoset/zmq/context.hpp"
#include "shoset/zmq/keys.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <zmq.h>

// Inner header of this module: libzmq's sockets and frames with an owner. Nothing here waits.
namespace mesh::shoset {

// What a frame that waits in a queue of ours costs beside its bytes.
constexpr std::size_t queueEntryBytes = 64;

// One frame.
class Part {
public:
    Part() { zmq_msg_init(&message); }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    ~Part() { zmq_msg_close(&message); }

    // A frame with these bytes: those of a long string are handed to libzmq without a copy and freed by its I/O thread,
    // a short one is copied, which is cheaper.
    void assign(std::string&& bytes);
    // Gives an unsent string back. Only after assign(), and only when the frame was not sent.
    std::string takeBack();
    void clear();

    std::string_view view() const;
    bool more() const { return zmq_msg_more(&message) != 0; }
    // A property of the connection that the frame came from ("User-Id", "Peer-Address"), or nullptr.
    const char* property(const char* name) const { return zmq_msg_gets(&message, name); }
    // The connection's descriptor, -1 when it has none.
    int sourceDescriptor() const;
    zmq_msg_t* raw() { return &message; }

private:
    // libzmq's accessors take a pointer to non-const although they change nothing.
    mutable zmq_msg_t message;
    std::string* lent = nullptr;  // owned by the frame until it is sent
};

// A socket; closed on destruction, its unsent frames dropped (LINGER 0).
class Socket {
public:
    static Result<Socket> open(const Context& context, int type);
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) = delete;
    ~Socket();

    // An option of libzmq. Code::unsupported names the option in the message.
    Result<void> set(int option, int value);
    Result<void> set(int option, std::string_view value);
    // Code::invalidArgument, or Code::unavailable when the address is taken.
    Result<void> bind(const std::string& endpoint);
    Result<void> connect(const std::string& endpoint);
    // The address that bind() got, with the real port.
    std::string lastEndpoint() const;

    void* handle() const { return raw; }

private:
    Socket(Context owner, void* opened) : context(std::move(owner)), raw(opened) {}
    Context context;
    void* raw;
};

// The options that listeners and dialers share. `maxFrameBytes` is what a sender may put into one frame.
struct LinkSettings {
    std::size_t maxFrameBytes = 0;
    int highWaterMark = 0;
};
Result<void> applyLinkSettings(Socket& socket, const LinkSettings& settings, std::string_view endpoint);

// The first error of a sequence of settings.
Result<void> firstError(std::initializer_list<Result<void>> results);

}  // namespace mesh::shoset
