#include "shoset/zmq/keys.hpp"

#include "shoset/host/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <zmq.h>

namespace mesh::shoset {
namespace {

constexpr std::size_t maxFileBytes = 512;

Error systemError(const std::string& what, const std::string& path, int code)
{
    const Code kind = code == ENOENT   ? Code::notFound
                      : code == EEXIST ? Code::alreadyExists
                      : code == EACCES ? Code::permissionDenied
                                       : Code::ioError;
    return Error{kind, what + " " + path + ": " + std::strerror(code)};
}

class Descriptor {
public:
    explicit Descriptor(int opened) : fd(opened) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor()
    {
        if (fd >= 0) {
            close(fd);
        }
    }
    const int fd;
};

// A buffer for text that contains a secret.
struct WipedText {
    std::array<char, maxFileBytes + 1> bytes{};
    std::size_t size = 0;

    WipedText() = default;
    WipedText(const WipedText&) = delete;
    WipedText& operator=(const WipedText&) = delete;
    ~WipedText() { sodium_memzero(bytes.data(), bytes.size()); }
    std::string_view view() const { return {bytes.data(), size}; }
    void append(std::string_view text)
    {
        const std::size_t count = std::min(text.size(), bytes.size() - size);
        std::copy_n(text.begin(), count, bytes.begin() + static_cast<std::ptrdiff_t>(size));
        size += count;
    }
};

Result<void> readAll(int fd, const std::string& path, WipedText& text)
{
    while (text.size < text.bytes.size()) {
        const ssize_t got = read(fd, text.bytes.data() + text.size, text.bytes.size() - text.size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return systemError("cannot read key file", path, errno);
        }
        if (got == 0) {
            return {};
        }
        text.size += static_cast<std::size_t>(got);
    }
    return Error{Code::corrupt, "key file " + path + " is too long to be one"};
}

Result<void> writeAll(int fd, const std::string& path, std::string_view text)
{
    while (!text.empty()) {
        const ssize_t done = write(fd, text.data(), text.size());
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return systemError("cannot write key file", path, errno);
        }
        text.remove_prefix(static_cast<std::size_t>(done));
    }
    if (fsync(fd) != 0) {
        return systemError("cannot write key file to disk", path, errno);
    }
    return {};
}

std::string_view trimmed(std::string_view line)
{
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) {
        line.remove_prefix(1);
    }
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
        line.remove_suffix(1);
    }
    return line;
}

// Takes "name: value" into `value`; false when the line is another one or the name appears twice.
bool takeField(std::string_view line, std::string_view name, std::string_view& value)
{
    if (!line.starts_with(name) || !value.empty()) {
        return false;
    }
    value = trimmed(line.substr(name.size()));
    return true;
}

Result<KeyPair> parseKeyFile(std::string_view text, const std::string& path)
{
    std::string_view stated;
    std::string_view secret;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!line.empty() && !takeField(line, "public:", stated) && !takeField(line, "secret:", secret)) {
            return Error{Code::corrupt,
                         "key file " + path + " has a line that is not 'public: <key>' or 'secret: <key>'"};
        }
    }
    if (!isValidKey(secret)) {
        return Error{Code::corrupt, "key file " + path + " has no valid line 'secret: <40 characters of Z85>'"};
    }
    KeyPair pair;
    pair.secretKey = SecretKey(secret);
    std::array<char, keyChars + 1> derived{};
    if (zmq_curve_public(derived.data(), pair.secretKey.cString()) != 0) {
        return Error{Code::unsupported, "cannot derive the public key: " + std::string(zmq_strerror(errno))};
    }
    pair.publicKey = derived.data();
    if (!stated.empty() && !sameKey(stated, pair.publicKey)) {
        return Error{Code::corrupt, "key file " + path + ": the public key does not belong to the secret one"};
    }
    return pair;
}

Result<void> syncDirectoryOf(const std::string& path)
{
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened.fd < 0 || fsync(opened.fd) != 0) {
        return systemError("cannot write to disk the directory", directory, errno);
    }
    return {};
}

}  // namespace

SecretKey::SecretKey(std::string_view z85)
{
    if (isValidKey(z85)) {
        std::copy(z85.begin(), z85.end(), chars.begin());
    }
}

SecretKey::SecretKey(SecretKey&& other) noexcept : chars(other.chars)
{
    other.wipe();
}

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept
{
    if (this != &other) {
        chars = other.chars;
        other.wipe();
    }
    return *this;
}

SecretKey::~SecretKey()
{
    wipe();
}

void SecretKey::wipe()
{
    sodium_memzero(chars.data(), chars.size());
}

Result<KeyPair> generateKeyPair()
{
    std::array<char, keyChars + 1> open{};
    std::array<char, keyChars + 1> secret{};
    if (zmq_curve_keypair(open.data(), secret.data()) != 0) {
        return Error{Code::unsupported, "cannot make a CURVE key pair: " + std::string(zmq_strerror(errno))};
    }
    KeyPair pair{std::string(open.data()), SecretKey(std::string_view(secret.data(), keyChars))};
    sodium_memzero(secret.data(), secret.size());
    return pair;
}

Result<KeyPair> loadKeyFile(const std::string& path)
{
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.fd < 0) {
        return systemError("cannot open key file", path, errno);
    }
    struct stat info {};
    if (fstat(file.fd, &info) != 0) {
        return systemError("cannot examine key file", path, errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return Error{Code::invalidArgument, "key file " + path + " is not a regular file"};
    }
    const bool credential = host::isCredential(path, std::getenv("CREDENTIALS_DIRECTORY"));
    if ((info.st_mode & (credential ? 037 : 077)) != 0) {
        return Error{Code::permissionDenied,
                     "key file " + path + " is open to others than its owner: chmod 600 " + path};
    }
    WipedText text;
    if (auto done = readAll(file.fd, path, text); !done) {
        return done.error();
    }
    return parseKeyFile(text.view(), path);
}

Result<void> writeKeyFile(const std::string& path, const KeyPair& pair)
{
    if (!isValidKey(pair.publicKey) || pair.secretKey.empty()) {
        return Error{Code::invalidArgument, "not a key pair"};
    }
    WipedText text;
    for (const std::string_view piece :
         {std::string_view("public: "), std::string_view(pair.publicKey), std::string_view("\nsecret: "),
          std::string_view(pair.secretKey.cString(), keyChars), std::string_view("\n")}) {
        text.append(piece);
    }
    {
        const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
        if (file.fd < 0) {
            return systemError("cannot create key file", path, errno);
        }
        if (auto done = writeAll(file.fd, path, text.view()); !done) {
            unlink(path.c_str());
            return done;
        }
    }
    return syncDirectoryOf(path);
}

bool isValidKey(std::string_view z85)
{
    if (z85.size() != keyChars) {
        return false;
    }
    std::array<char, keyChars + 1> text{};
    std::copy(z85.begin(), z85.end(), text.begin());
    std::array<std::uint8_t, 32> raw{};
    const bool terminated = std::memchr(text.data(), '\0', keyChars) == nullptr;
    const bool valid = terminated && zmq_z85_decode(raw.data(), text.data()) != nullptr;
    sodium_memzero(text.data(), text.size());
    sodium_memzero(raw.data(), raw.size());
    return valid;
}

bool sameKey(std::string_view a, std::string_view b)
{
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace mesh::shoset
