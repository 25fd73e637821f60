#pragma once

#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::sealing {

constexpr std::size_t seedBytes = 32;

// What keys are made of. Wiped when it is destroyed, moved from or overwritten. Never log it.
class Seed {
public:
    Seed() = default;  // of nobody: all zero
    // `rng` must be the kernel's entropy (host::SystemRng), but in tests.
    static Seed make(Rng& rng);
    // Of text(). Code::corrupt.
    static Result<Seed> parse(std::string_view text);
    static Result<Seed> fromBytes(std::string_view raw);
    Seed(const Seed&) = default;
    Seed& operator=(const Seed&) = default;
    Seed(Seed&& other) noexcept;
    Seed& operator=(Seed&& other) noexcept;
    ~Seed();

    // For a file of mode 0600: 43 characters.
    std::string text() const;
    // Another one that follows from this one and `purpose` alone, and does not tell this one.
    Seed derive(std::string_view purpose) const;
    const unsigned char* data() const { return bytes.data(); }
    bool operator==(const Seed& other) const;

private:
    void wipe();
    std::array<unsigned char, seedBytes> bytes{};
};

// A secret in the clear. It has one place in memory, which is wiped when it is destroyed.
class SecretText {
public:
    SecretText() = default;
    explicit SecretText(std::string_view text);
    explicit SecretText(std::size_t size) : bytes(size) {}
    SecretText(const SecretText&) = delete;
    SecretText& operator=(const SecretText&) = delete;
    SecretText(SecretText&& other) noexcept = default;
    SecretText& operator=(SecretText&& other) noexcept;
    ~SecretText();

    std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
    unsigned char* data() { return bytes.data(); }
    std::size_t size() const { return bytes.size(); }
    void shorten(std::size_t size);

private:
    std::vector<unsigned char> bytes;
};

// Overwrites it, all that it has room for. What it was moved from, or grew out of, is elsewhere.
void wipe(std::string& text);

// RFC 4648 with '-' and '_', no padding. Of what is secret, too: its time depends on the length only.
std::string toBase64(std::string_view raw);
// Code::corrupt.
Result<std::string> fromBase64(std::string_view text);

}  // namespace mesh::sealing
