#pragma once

#include "connector/core/key_rotation.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/zmq/keys.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <string>

namespace mesh::connector {

// The connector's key, and the one that a rotation makes. The new one is written beside the configured file, as
// FILE.next, and replaces it by a rename. Where that folder cannot be written to (a credential that systemd hands
// over), both are in the state directory, as NAME.key.next and NAME.key; NAME.key counts for as long as the configured
// file holds the key that it was rotated from. NAME.rotation in the state directory: the core's note, a line, and that
// key, a line. All have mode 0600. Written on the worker thread. Loop thread.
class KeyFiles {
public:
    // What the last order did; of make(), the next key's public half. Never called from inside an order.
    using Done = std::function<void(Result<std::string> done)>;

    // `beside`: the configured file can be replaced; see canChangeFilesBeside().
    KeyFiles(std::string configured, bool beside, const std::string& stateDirectory, const std::string& connector,
             host::BlockingWorker& worker, boost::asio::io_context& loop, Done done);

    // Blocking, for the start. A next key that is not whole was never told to anybody, and is removed.
    Result<KeysOnDisk> load();
    // One that load() found or an order made, by its public half; nullptr: none.
    const shoset::KeyPair* find(const std::string& publicKey) const;
    // In this order at most one at a time.
    void make(std::string note);
    void adopt();
    void drop();

private:
    struct Outcome {
        Result<void> result;
        shoset::KeyPair made;
    };
    void run(std::function<void(Outcome&)> job, std::function<void(Outcome&)> taken);
    Result<void> loadNext();

    const std::string configured;
    const std::string noteFile;
    const bool inPlace;     // beside the configured file
    const std::string file;  // the key in force, once it was rotated
    const std::string nextFile;
    host::BlockingWorker& worker;
    boost::asio::io_context& loop;
    const Done done;
    std::string configuredKey;  // public half of what the configured file held at the start
    shoset::KeyPair current;
    shoset::KeyPair next;  // without public half: none
};

// This process may make and rename files in the folder that `file` is in.
bool canChangeFilesBeside(const std::string& file);

} // namespace mesh::connector
