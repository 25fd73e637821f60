#pragma once

#include "shoset/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::cluster {

// The bytes of a state file:
//
//   file   = "BMCMESH STATE 1\n" snapshot-frame *batch-frame
//   frame  = "FRAM" length:u32 sequence:u64 check:16 payload     numbers little-endian
//   check  = BLAKE2b-128 of length, sequence and payload
//   batch  = 1*( length:u32 entry )
//
// The snapshot has sequence 0, batches count from 1. A batch is what one fsync covered, and the next one begins only
// after it succeeded: so what a power loss can leave behind is one unfinished frame at the end, and a sound frame after
// an unsound one proves damage.
constexpr std::size_t fileHeaderBytes = 16;
constexpr std::size_t frameHeaderBytes = 32;

std::string fileHeader();
std::string encodeFrame(std::uint64_t sequence, std::string_view payload);
std::string encodeBatch(const std::vector<std::string>& entries);

struct StateFrames {
    std::string snapshot;
    std::vector<std::string> entries;
    std::uint64_t nextSequence = 1;
    std::size_t soundBytes = 0;  // the rest is an unfinished write, to be cut off
};

// Errors: unsupported (another version of the layout), corrupt (says at which byte). Never reads beyond `bytes`.
Result<StateFrames> parseStateFile(std::string_view bytes);

}  // namespace mesh::cluster
