#include "connector/state_files.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <boost/asio/post.hpp>

#include <memory>

namespace mesh::connector {

namespace {

std::size_t mostBytesOf(StateFile file)
{
    return file == StateFile::configuration ? limits::maxConfigurationFileBytes : limits::maxSmallStateBytes;
}

}  // namespace

std::string stateFilePath(const std::string& directory, const std::string& connector, StateFile file)
{
    const char* ending = "";
    switch (file) {
        case StateFile::fence: ending = ".fence"; break;
        case StateFile::aggregators: ending = ".aggregators"; break;
        case StateFile::configuration: ending = ".configuration"; break;
        case StateFile::rotation: ending = ".rotation"; break;
        case StateFile::secrets: ending = ".secrets"; break;
    }
    return directory + "/" + connector + ending;
}

StateFiles::StateFiles(std::string folder, std::string name, host::BlockingWorker& blocking, boost::asio::io_context& context,
                       Saved handler)
    : directory(std::move(folder)), connector(std::move(name)), worker(blocking), loop(context), saved(std::move(handler))
{
}

std::string StateFiles::path(StateFile file) const
{
    return stateFilePath(directory, connector, file);
}

Result<std::string> StateFiles::load(StateFile file) const
{
    Result<std::string> content = host::readFile(path(file), mostBytesOf(file));
    if (!content && content.error().code == Code::notFound) {
        return std::string();
    }
    return content;
}

// Of what it is given no copy outlives the writing: keys are among it.
void StateFiles::save(StateFile file, std::string content)
{
    if (content.size() > mostBytesOf(file)) {
        const Error tooLarge{Code::tooLarge, path(file) + " would have " + std::to_string(content.size()) + " bytes, and what has more than " +
                                                 std::to_string(mostBytesOf(file)) + " is not read again"};
        return boost::asio::post(loop, [this, file, tooLarge] { saved(file, tooLarge); });
    }
    auto result = std::make_shared<Result<void>>();
    auto text = std::make_shared<const sealing::SecretText>(content);
    sealing::wipe(content);
    const bool taken = worker.submit(
        [result, where = path(file), text = std::move(text)] { *result = host::writeFileAtomic(where, text->view(), 0600); },
        [this, file, result] { saved(file, *result); });
    if (!taken) {
        boost::asio::post(loop, [this, file] { saved(file, Error{Code::full, "too much waits for the disk"}); });
    }
}

}  // namespace mesh::connector
