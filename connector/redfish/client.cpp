#include "connector/redfish/client.hpp"

#include "connector/redfish/client_impl.hpp"

#include <utility>

namespace mesh::connector {

RedfishClient::RedfishClient(boost::asio::io_context& context, BmcTarget target, BmcEvents& events,
                             std::function<Now()> now)
    : impl(std::make_shared<Impl>(context, target, events, std::move(now)))
{
    wipe(target.password);
}

RedfishClient::~RedfishClient()
{
    impl->abandon();
}

Result<void> RedfishClient::configure()
{
    return impl->configure();
}

void RedfishClient::start(BmcExchange id, RequestHead head, std::string body, bool bodyFollows,
                          std::int64_t bodyLength, bool repeatable, Instant deadline)
{
    impl->start(id, std::move(head), std::move(body), bodyFollows, bodyLength, repeatable, deadline);
}

void RedfishClient::sendBody(BmcExchange id, std::string piece, bool last)
{
    impl->sendBody(id, piece, last);
}

void RedfishClient::grant(BmcExchange id, std::size_t bytes)
{
    impl->grant(id, bytes);
}

void RedfishClient::cancel(BmcExchange id)
{
    impl->cancel(id);
}

void RedfishClient::stop(std::function<void()> done)
{
    impl->stop(std::move(done));
}

const BmcCounters& RedfishClient::counters() const
{
    return impl->counters();
}

}  // namespace mesh::connector
