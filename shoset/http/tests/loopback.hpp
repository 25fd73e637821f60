#pragma once

#include "shoset/http/certificate.hpp"
#include "shoset/http/stream.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>

namespace mesh::http {

// Real sockets on 127.0.0.1, one loop for both ends.
class Loopback : public testing::Test {
protected:
    using Outcome = std::optional<Result<std::unique_ptr<Stream>>>;

    Loopback() : acceptor(context, {boost::asio::ip::address_v4::loopback(), 0}) {}

    std::string port() const { return std::to_string(acceptor.local_endpoint().port()); }

    // Runs the loop until `condition`; false if that takes longer than 10 s.
    bool runUntil(const std::function<bool()>& condition)
    {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            context.restart();
            context.run_one_for(std::chrono::milliseconds(100));
        }
        return true;
    }

    void acceptOne(std::shared_ptr<ServerTls> tls)
    {
        acceptor.async_accept([this, tls](boost::system::error_code error, boost::asio::ip::tcp::socket socket) {
            ASSERT_FALSE(error);
            acceptStream(std::move(socket), tls, [this](auto outcome) { served.emplace(std::move(outcome)); });
        });
    }

    // Both ends connected, or the errors in `served` and `connected`.
    void connectBoth(std::shared_ptr<ServerTls> serverTls, std::shared_ptr<ClientTls> clientTls,
                     const std::string& host = "127.0.0.1")
    {
        served.reset();
        connected.reset();
        acceptOne(std::move(serverTls));
        connectStream(context.get_executor(), host, port(), std::move(clientTls),
                      [this](auto outcome) { connected.emplace(std::move(outcome)); });
        ASSERT_TRUE(runUntil([this] { return served && connected; }));
    }

    Stream& server() { return ***served; }
    Stream& client() { return ***connected; }

    // Sends `text` from one end and receives as much at the other.
    std::string transfer(Stream& from, Stream& to, const std::string& text)
    {
        const boost::asio::const_buffer out(text.data(), text.size());
        bool sent = false;
        from.write({&out, 1}, [&](boost::system::error_code error, std::size_t size) {
            EXPECT_FALSE(error) << error.message();
            EXPECT_EQ(size, text.size());
            sent = true;
        });
        std::string received;
        std::string part(50000, '\0');
        std::function<void()> readOn = [&] {
            to.read(part, [&](boost::system::error_code error, std::size_t size) {
                EXPECT_FALSE(error) << error.message();
                received.append(part, 0, size);
                if (!error && received.size() < text.size()) {
                    readOn();
                }
            });
        };
        readOn();
        EXPECT_TRUE(runUntil([&] { return sent && received.size() >= text.size(); }));
        return received;
    }

    std::optional<boost::system::error_code> readOutcome(Stream& stream)
    {
        const auto outcome = std::make_shared<std::optional<boost::system::error_code>>();
        const auto into = std::make_shared<std::string>(100, '\0');
        stream.read(*into, [outcome, into](boost::system::error_code error, std::size_t) { *outcome = error; });
        runUntil([&] { return outcome->has_value(); });
        return *outcome;
    }

    boost::asio::io_context context;
    boost::asio::ip::tcp::acceptor acceptor;
    Outcome served;
    Outcome connected;
};

}  // namespace mesh::http
