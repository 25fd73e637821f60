#include "connector/key_files.hpp"

#include "connector/state_files.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/log.hpp"

#include <boost/asio/post.hpp>

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <utility>

namespace mesh::connector {

bool canChangeFilesBeside(const std::string& file)
{
    const std::filesystem::path folder = std::filesystem::path(file).parent_path();
    return ::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) == 0;
}

KeyFiles::KeyFiles(std::string given, bool beside, const std::string& stateDirectory, const std::string& connector,
                   host::BlockingWorker& blocking, boost::asio::io_context& context, Done handler)
    : configured(std::move(given)),
      noteFile(stateFilePath(stateDirectory, connector, StateFile::rotation)),
      inPlace(beside),
      file(inPlace ? configured : stateDirectory + "/" + connector + ".key"),
      nextFile(file + ".next"),
      worker(blocking),
      loop(context),
      done(std::move(handler))
{
}

Result<KeysOnDisk> KeyFiles::load()
{
    Result<shoset::KeyPair> pair = shoset::loadKeyFile(configured);
    if (!pair) {
        return pair.error();
    }
    configuredKey = pair->publicKey;
    current = std::move(*pair);
    const Result<std::string> text = host::readFile(noteFile, limits::maxSmallStateBytes);
    if (!text && text.error().code != Code::notFound) {
        return text.error();
    }
    const std::string note = text ? text->substr(0, text->find('\n') + 1) : std::string();
    const bool ofThisKey = text && text->substr(note.size()) == configuredKey + "\n";
    if (!inPlace && ofThisKey) {
        Result<shoset::KeyPair> rotated = shoset::loadKeyFile(file);
        if (!rotated && rotated.error().code != Code::notFound) {
            return rotated.error();
        }
        if (rotated) {
            current = std::move(*rotated);
        }
    }
    if (Result<void> loaded = loadNext(); !loaded) {
        return loaded.error();
    }
    return KeysOnDisk{current.publicKey, next.publicKey, note};
}

Result<void> KeyFiles::loadNext()
{
    Result<shoset::KeyPair> pair = shoset::loadKeyFile(nextFile);
    if (pair) {
        next = std::move(*pair);
        return {};
    }
    if (pair.error().code == Code::notFound) {
        return {};
    }
    if (pair.error().code != Code::corrupt) {
        return pair.error();
    }
    log::warning("next_key_removed", {{"file", nextFile}, {"reason", pair.error().message}});
    return host::removeFile(nextFile);
}

const shoset::KeyPair* KeyFiles::find(const std::string& publicKey) const
{
    if (!next.publicKey.empty() && next.publicKey == publicKey) {
        return &next;
    }
    return current.publicKey == publicKey ? &current : nullptr;
}

// `job` runs on the worker; where it succeeds, `taken` runs on the loop.
void KeyFiles::run(std::function<void(Outcome&)> job, std::function<void(Outcome&)> taken)
{
    auto outcome = std::make_shared<Outcome>();
    const bool accepted = worker.submit([job = std::move(job), outcome] { job(*outcome); },
                                        [this, outcome, taken = std::move(taken)] {
                                            if (!outcome->result) {
                                                return done(outcome->result.error());
                                            }
                                            taken(*outcome);
                                            done(outcome->made.publicKey);
                                        });
    if (!accepted) {
        boost::asio::post(loop, [this] { done(Error{Code::full, "too much waits for the disk"}); });
    }
}

void KeyFiles::make(std::string note)
{
    const auto job = [noteAs = noteFile, note = note + configuredKey + "\n", as = nextFile](Outcome& outcome) {
        if (outcome.result = host::writeFileAtomic(noteAs, note, 0600); !outcome.result) {
            return;
        }
        if (outcome.result = host::removeFile(as); !outcome.result) {  // the rest of an attempt that failed
            return;
        }
        Result<shoset::KeyPair> pair = shoset::generateKeyPair();
        outcome.result = pair ? shoset::writeKeyFile(as, *pair) : Result<void>(pair.error());
        if (outcome.result) {
            outcome.made = std::move(*pair);
        }
    };
    run(job, [this](Outcome& outcome) { next = outcome.made; });
}

void KeyFiles::adopt()
{
    run([from = nextFile, to = file](Outcome& outcome) { outcome.result = host::renameFile(from, to); },
        [this](Outcome&) {
            current = std::move(next);
            next = {};
            configuredKey = inPlace ? current.publicKey : configuredKey;
        });
}

void KeyFiles::drop()
{
    run([as = nextFile](Outcome& outcome) { outcome.result = host::removeFile(as); }, [this](Outcome&) { next = {}; });
}

} // namespace mesh::connector
