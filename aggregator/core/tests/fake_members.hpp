#pragma once

#include "aggregator/core/cluster_keeper.hpp"

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// Writes down what is asked of it; finish() answers the oldest question.
class FakeMembers final : public MembershipPort {
public:
    void addSpare(std::uint64_t id, const std::string& name, Done done) override { note("add " + std::to_string(id) + " " + name, std::move(done)); }
    void makeVoter(std::uint64_t id, Done done) override { note("voter " + std::to_string(id), std::move(done)); }
    void removeMember(std::uint64_t id, Done done) override { note("remove " + std::to_string(id), std::move(done)); }
    void transferTo(std::uint64_t id, Done done) override { note("transfer " + std::to_string(id), std::move(done)); }

    bool finish(Result<void> result = {})
    {
        if (waiting.empty()) {
            return false;
        }
        const Done done = std::move(waiting.front());
        waiting.pop_front();
        done(std::move(result));
        return true;
    }
    std::vector<std::string> asked;

private:
    void note(std::string what, Done done)
    {
        asked.push_back(std::move(what));
        waiting.push_back(std::move(done));
    }
    std::deque<Done> waiting;
};

}  // namespace mesh::aggregator
