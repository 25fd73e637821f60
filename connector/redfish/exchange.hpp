#pragma once

#include "connector/core/bmc.hpp"
#include "connector/core/bmc_body.hpp"
#include "connector/core/bmc_pool.hpp"
#include "connector/redfish/inflater.hpp"
#include "shoset/base/limits.hpp"

#include <memory>
#include <optional>
#include <string_view>

namespace mesh::connector {

// What the shell keeps of one exchange; a plain record.
struct Exchange {
    RequestHead head;
    BmcBody body;
    BmcConnection connection = 0;  // that carries it now; 0: it waits
    bool failed = false;           // onFailure is on its way

    // Of the answer, from send to send.
    bool discard = false;
    std::size_t discarded = 0;
    std::shared_ptr<Inflater> inflater;  // shared with the one delivery that runs
    std::optional<ResponseHead> bodiless;  // given when the connection is free again, for the next request to use it
    std::string_view held;                 // the newest piece: it may turn out to be the last
    bool ended = false, reusable = false;  // all was received, but not yet delivered
    std::size_t credit = limits::streamWindowBytes;
};

}  // namespace mesh::connector
