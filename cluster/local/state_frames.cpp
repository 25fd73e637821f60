#include "cluster/local/state_frames.hpp"

#include "shoset/base/limits.hpp"

#include <sodium/crypto_generichash.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace mesh::cluster {

namespace {

constexpr std::string_view header = "BMCMESH STATE 1\n";
constexpr std::string_view headerStem = "BMCMESH STATE ";
constexpr std::string_view frameMagic = "FRAM";
constexpr std::size_t checkBytes = 16;
static_assert(header.size() == fileHeaderBytes && frameMagic.size() + 4 + 8 + checkBytes == frameHeaderBytes);

// The longest frame there can be: an unfinished write at the end of a file is no longer than that.
constexpr std::size_t maxFrameBytes =
    frameHeaderBytes + std::max(limits::maxStateBytes, limits::maxBatchBytes + limits::maxEntryBytes);

void putNumber(std::string& out, std::uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; ++i) {
        out.push_back(static_cast<char>(value >> (8 * i)));
    }
}

std::uint64_t getNumber(std::string_view in, std::size_t offset, std::size_t bytes)
{
    std::uint64_t value = 0;
    for (std::size_t i = bytes; i > 0; --i) {
        value = value << 8 | static_cast<unsigned char>(in[offset + i - 1]);
    }
    return value;
}

std::string check(std::string_view lengthAndSequence, std::string_view payload)
{
    const auto bytes = [](std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); };
    crypto_generichash_state state;
    std::string out(checkBytes, '\0');
    crypto_generichash_init(&state, nullptr, 0, out.size());
    crypto_generichash_update(&state, bytes(lengthAndSequence), lengthAndSequence.size());
    crypto_generichash_update(&state, bytes(payload), payload.size());
    crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(out.data()), out.size());
    return out;
}

struct Frame {
    std::uint64_t sequence;
    std::string_view payload;
};

// The frame that begins `bytes`, if it is whole and its check is right.
std::optional<Frame> readFrame(std::string_view bytes)
{
    if (bytes.size() < frameHeaderBytes || !bytes.starts_with(frameMagic)) {
        return std::nullopt;
    }
    const std::uint64_t length = getNumber(bytes, 4, 4);
    if (length > bytes.size() - frameHeaderBytes) {
        return std::nullopt;
    }
    const Frame frame{getNumber(bytes, 8, 8), bytes.substr(frameHeaderBytes, length)};
    if (bytes.substr(16, checkBytes) != check(bytes.substr(4, 12), frame.payload)) {
        return std::nullopt;
    }
    return frame;
}

// Is there a sound frame of a later sequence anywhere in `bytes`?
bool holdsLaterFrame(std::string_view bytes, std::uint64_t sequence)
{
    for (std::size_t at = bytes.find(frameMagic); at != std::string_view::npos; at = bytes.find(frameMagic, at + 1)) {
        const auto frame = readFrame(bytes.substr(at));
        if (frame && frame->sequence > sequence) {
            return true;
        }
    }
    return false;
}

bool readBatch(std::string_view payload, std::vector<std::string>& entries)
{
    while (!payload.empty()) {
        const std::uint64_t length = payload.size() < 4 ? UINT64_MAX : getNumber(payload, 0, 4);
        if (length > payload.size() - std::min<std::size_t>(payload.size(), 4)) {
            return false;
        }
        entries.emplace_back(payload.substr(4, length));
        payload.remove_prefix(4 + length);
    }
    return true;
}

Error damaged(std::size_t offset, const std::string& what)
{
    return Error{Code::corrupt, "damaged at byte " + std::to_string(offset) + ": " + what};
}

}  // namespace

std::string fileHeader()
{
    return std::string(header);
}

std::string encodeFrame(std::uint64_t sequence, std::string_view payload)
{
    std::string out(frameMagic);
    out.reserve(frameHeaderBytes + payload.size());
    putNumber(out, payload.size(), 4);
    putNumber(out, sequence, 8);
    out += check(std::string_view(out).substr(4), payload);
    out += payload;
    return out;
}

std::string encodeBatch(const std::vector<std::string>& entries)
{
    std::string out;
    for (const std::string& entry : entries) {
        putNumber(out, entry.size(), 4);
        out += entry;
    }
    return out;
}

Result<StateFrames> parseStateFile(std::string_view bytes)
{
    if (!bytes.starts_with(header)) {
        if (bytes.starts_with(headerStem)) {
            return Error{Code::unsupported,
                         "written in a layout that this program does not know; upgrade this program"};
        }
        return damaged(0, "this is not a state file");
    }
    StateFrames frames;
    std::size_t at = fileHeaderBytes;
    for (std::uint64_t sequence = 0; at < bytes.size() || sequence == 0; ++sequence) {
        const auto frame = readFrame(bytes.substr(at));
        if (!frame || frame->sequence != sequence) {
            if (sequence == 0) {
                return damaged(at, "the snapshot is incomplete or altered");
            }
            if (bytes.size() - at > maxFrameBytes || holdsLaterFrame(bytes.substr(at), sequence)) {
                return damaged(at, "change " + std::to_string(sequence) + " is altered, but later ones are there");
            }
            break;
        }
        if (sequence == 0) {
            frames.snapshot.assign(frame->payload);
        } else if (!readBatch(frame->payload, frames.entries)) {
            return damaged(at, "change " + std::to_string(sequence) + " is malformed");
        }
        at += frameHeaderBytes + frame->payload.size();
        frames.nextSequence = sequence + 1;
    }
    frames.soundBytes = at;
    return frames;
}

}  // namespace mesh::cluster
