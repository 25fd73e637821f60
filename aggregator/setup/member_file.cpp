#include "aggregator/setup/member_file.hpp"

#include "shoset/host/log.hpp"

#include <boost/system/error_code.hpp>

#include <chrono>
#include <utility>

namespace mesh::aggregator {

MemberFile::MemberFile(boost::asio::io_context& context, host::BlockingWorker& blocking, std::string folder, Duration pause)
    : worker(blocking), timer(context), directory(std::move(folder)), retry(pause)
{
}

void MemberFile::save(const ClusterHome& home)
{
    latest = home;
    saved = false;
    if (writing) {
        changed = true;
    } else {
        write();
    }
}

void MemberFile::write()
{
    timer.cancel();
    changed = false;
    auto result = std::make_shared<Result<void>>();
    writing = worker.submit([result, place = directory, content = latest] { *result = saveClusterHome(place, content); },
                            [this, result, owner = std::weak_ptr<int>(alive)] {
                                if (!owner.expired()) {
                                    onWritten(*result);
                                }
                            });
    if (!writing) {
        onWritten(Error{Code::full, "too much waits for the disk"});
    }
}

void MemberFile::onWritten(const Result<void>& result)
{
    writing = false;
    if (result) {
        if (!reason.empty()) {
            log::info("member_file_written", {{"directory", directory}});
        }
        reason.clear();
        saved = !changed;
        if (changed) {
            write();
        }
        return;
    }
    ++failed;
    if (reason != result.error().message) {
        reason = result.error().message;
        log::error("member_file_not_written", {{"reason", reason}, {"remedy", "make room, or make it writable; it is tried again"}});
    }
    timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(retry));
    timer.async_wait([this, owner = std::weak_ptr<int>(alive)](const boost::system::error_code& error) {
        if (!error && !owner.expired() && !writing) {
            write();
        }
    });
}

}  // namespace mesh::aggregator
