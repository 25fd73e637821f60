#include "cluster/history/core/syslog.hpp"

#include <gtest/gtest.h>

namespace mesh::history {

namespace {

StoredAudit sampleResult(int status)
{
    AuditRecord record{WallTime(std::chrono::microseconds(1714564800123456)), "acme", "admin", "10.0.0.9:4711", "agg-a", "POST",
                       "/redfish/v1/Systems/A_1", std::string(32, 'a'), Phase::result, status};
    return {1, record, {12, std::string(64, 'f')}};
}

}  // namespace

TEST(Syslog, ARecordIsALineOfRfc5424)
{
    EXPECT_EQ(syslogLine(sampleResult(204)),
              "<109>1 2024-05-01T12:00:00.123456Z agg-a mesh-aggregatord - audit [audit@32473 tenant=\"acme\" account=\"admin\" "
              "client=\"10.0.0.9:4711\" method=\"POST\" uri=\"/redfish/v1/Systems/A_1\" request=\"" + std::string(32, 'a') +
              "\" phase=\"result\" status=\"204\" position=\"12\" hash=\"" + std::string(64, 'f') + "\"]");
}

TEST(Syslog, AFailureIsAWarning)
{
    EXPECT_TRUE(syslogLine(sampleResult(503)).starts_with("<108>1 "));
    EXPECT_TRUE(syslogLine(sampleResult(0)).starts_with("<108>1 "));
}

TEST(Syslog, AnIntentHasNoStatus)
{
    StoredAudit stored = sampleResult(0);
    stored.record.phase = Phase::intent;
    const std::string line = syslogLine(stored);
    EXPECT_TRUE(line.starts_with("<109>1 "));
    EXPECT_NE(line.find("phase=\"intent\" position="), std::string::npos);
}

TEST(Syslog, NothingInAFieldCanEndIt)
{
    StoredAudit stored = sampleResult(204);
    stored.record.account = "a\"]\\";
    EXPECT_NE(syslogLine(stored).find("account=\"a\\\"\\]\\\\\" client"), std::string::npos);
}

}  // namespace mesh::history
