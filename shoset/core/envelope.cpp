#include "shoset/core/message.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace mesh::shoset {

namespace {

// Of wire::Header. That both readers agree is tested.
constexpr int idField = 1;
constexpr int sourceField = 2;
constexpr int destinationField = 3;

}  // namespace

Result<Envelope> peekEnvelope(std::string_view header)
{
    using google::protobuf::internal::WireFormatLite;
    google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(header.data()),
                                              static_cast<int>(header.size()));
    Envelope envelope;
    while (const std::uint32_t tag = in.ReadTag()) {
        std::uint32_t length = 0;
        const int field = WireFormatLite::GetTagFieldNumber(tag);
        if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
            if (!WireFormatLite::SkipField(&in, tag)) {
                return Error{Code::corrupt, "a header that ends within a field"};
            }
            continue;
        }
        if (!in.ReadVarint32(&length)) {
            return Error{Code::corrupt, "a header that ends within a field"};
        }
        const auto at = static_cast<std::size_t>(in.CurrentPosition());
        if (length > header.size() - at || !in.Skip(static_cast<int>(length))) {
            return Error{Code::corrupt, "a header that ends within a field"};
        }
        const std::string_view value = header.substr(at, length);
        if (field == idField) {
            envelope.id = value;
        } else if (field == sourceField) {
            envelope.source = value;
        } else if (field == destinationField) {
            envelope.destination = value;
        }
    }
    return in.ConsumedEntireMessage() ? Result<Envelope>{envelope} : Result<Envelope>{Error{Code::corrupt, "a header that is no protobuf"}};
}

}  // namespace mesh::shoset
