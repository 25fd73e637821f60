#pragma once

#include "shoset/base/result.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace mesh::shoset {

// CURVE keys are written in Z85 (ZeroMQ RFC 32): 32 bytes as 40 printable characters.
constexpr std::size_t keyChars = 40;

// The secret half. Never on the heap, wiped when it is destroyed, moved from or overwritten. Never log it.
class SecretKey {
public:
    SecretKey() = default;
    // `z85` must be a valid key; anything else leaves the key empty.
    explicit SecretKey(std::string_view z85);
    SecretKey(const SecretKey&) = default;
    SecretKey& operator=(const SecretKey&) = default;
    SecretKey(SecretKey&& other) noexcept;
    SecretKey& operator=(SecretKey&& other) noexcept;
    ~SecretKey();

    bool empty() const { return chars[0] == '\0'; }
    // Zero-terminated Z85.
    const char* cString() const { return chars.data(); }

private:
    void wipe();
    std::array<char, keyChars + 1> chars{};
};

struct KeyPair {
    std::string publicKey;  // Z85
    SecretKey secretKey;
};

// Code::unsupported when libzmq was built without CURVE.
Result<KeyPair> generateKeyPair();

// Reads a key file:
//
//     public: <z85>       optional; when it is there it must fit the secret
//     secret: <z85>
//
// Empty lines are skipped; anything else is refused (Code::corrupt). A file that is open to group or others is refused
// with the command that mends it (Code::permissionDenied), but for a credential (host::isCredential), which its group may read.
// Code::notFound, Code::ioError. No message contains the secret.
Result<KeyPair> loadKeyFile(const std::string& path);

// Creates the file with mode 0600 and both lines, and returns after it and its directory entry are on disk. An existing
// file is never overwritten (Code::alreadyExists).
Result<void> writeKeyFile(const std::string& path, const KeyPair& pair);

// 40 characters that decode as Z85.
bool isValidKey(std::string_view z85);

// Equality in a time that depends on the lengths only.
bool sameKey(std::string_view a, std::string_view b);

}  // namespace mesh::shoset
