#pragma once

#include "shoset/base/time.hpp"

#include <cstddef>
#include <cstdint>

// Every bound of the system, in one place. A queue, cache, retry or buffer without a name here is a defect.
namespace mesh::limits {

// Frames and links.
constexpr std::size_t maxFrameBytes = 256 * 1024;        // MAXMSGSIZE of every mesh socket
constexpr std::size_t coalesceBytes = 16 * 1024;         // records for one peer in one loop turn share a message up to here
constexpr std::size_t maxHeaderBytes = 48 * 1024;        // protobuf header of one record
constexpr std::size_t inlineBodyBytes = 64 * 1024;       // a body up to here travels with its request or reply
constexpr std::size_t chunkBytes = 64 * 1024;            // one piece of a streamed body
constexpr std::size_t streamWindowBytes = 512 * 1024;    // credit granted ahead per stream and hop
constexpr std::size_t peerQueueBytes = 4 * 1024 * 1024;  // waiting for one peer beyond its socket's high-water mark
constexpr int socketHighWaterMark = 1000;                // messages, per peer
constexpr std::size_t messagesPerTurn = 64;              // of one socket, before the loop turns to others,
constexpr std::size_t bytesPerTurn = 32 * 1024;          // and their bytes, the last one's whole
constexpr std::size_t zeroCopyBytes = 4096;              // longer frames go to libzmq without a copy (measured)
constexpr int listenBacklog = 1024;                      // connections that wait to be accepted
constexpr int maxZmqSockets = 4096;                      // of one ZeroMQ context
constexpr int tcpKeepaliveSeconds = 30;                  // idle time and interval; three unanswered end a connection
constexpr int maxHops = 4;
constexpr std::size_t routesPerRecord = 256;             // a name has at most 127 bytes, a header 48 KiB
constexpr std::size_t maxLinks = 8192;
constexpr std::size_t maxAggregators = 16;
constexpr std::size_t maxEndpointBytes = 128;            // "tcp://HOST:PORT"
constexpr std::size_t maxEnrolSecretBytes = 256;
constexpr std::size_t maxRoutes = 16384;                 // addresses in one route table

// Time.
constexpr Duration heartbeatInterval = 100ms;            // of a link among few peers; grows with their number
constexpr Duration heartbeatPerLink = 1ms;               // so that all links together beat 1000 times a second at most
constexpr Duration calmAfter = 5s;                       // without a word but heartbeats, before a link's pace becomes
constexpr Duration calmHeartbeat = 400ms;                // this; who is gone is noticed after three of them then
constexpr Duration reconnectInitial = 100ms;
constexpr Duration reconnectMax = 500ms;
constexpr Duration linkRecovery = 2s;                    // a request or answer whose last link died waits so long for another
constexpr Duration handshakeTimeout = 5s;
constexpr Duration contactPatience = 10s;                // without any link, before a connector dials what its file says, too
constexpr Duration farewellTime = 1s;                    // for a bye to leave before its connection is closed
constexpr Duration enrolPatience = 10s;                  // for one aggregator's answer
constexpr Duration connectTimeout = 3s;                  // of one TCP connect
constexpr Duration blockedPeerRetry = 5ms;               // between attempts to send to a peer above its high-water mark
constexpr Duration refusalReportInterval = 1s;           // refused strangers are reported at most this often
constexpr Duration defaultRequestDeadline = 30s;
constexpr Duration maxRequestDeadline = 600s;
constexpr Duration collectionDeadline = 2s;

// Requests in flight.
constexpr std::size_t maxPendingRequests = 16384;        // per node
constexpr std::size_t maxPendingPerTenant = maxPendingRequests / 2;  // so that one cannot have all others' refused
constexpr std::size_t maxPendingPerConnector = 256;
constexpr std::size_t maxRememberedReplies = 1024;       // of finished commands, for repeats, per connector
constexpr std::size_t maxRememberedReplyBytes = 1024 * 1024;
constexpr std::size_t maxJournalEntries = 4096;
constexpr std::size_t maxJournalBytes = 4 * 1024 * 1024;
constexpr std::size_t maxSmallStateBytes = 64 * 1024;    // of a connector's file with its fence or its aggregators
constexpr std::size_t maxConfigBytes = 1024 * 1024;
constexpr std::size_t maxAlternatives = 3;              // satellites asked in turn where another could not answer
constexpr std::size_t maxGetFollowers = 64;              // waiting for the answer to one GET, at most inlineBodyBytes for each
constexpr std::size_t maxGathers = 8;                    // collections that are being fetched from satellites
constexpr std::size_t maxGathersPerTenant = maxGathers / 2;  // so that one with a slow BMC does not have all
constexpr std::size_t maxGatheredBytes = 8 * 1024 * 1024;  // of one of them, what all satellites answered together

// Commands to workers. What a connector announces of them fits one record's header.
constexpr std::size_t maxOffers = 32;                    // connector types and versions that one connector's workers have
constexpr std::size_t maxOfferedCommands = 256;          // of all of them together
constexpr std::size_t maxWorkerOffers = maxOffers - 1;   // of these, without the connector's own, redfish.*
constexpr std::size_t maxOfferedByWorkers = maxOfferedCommands - 4;
constexpr std::size_t maxPayloadBytes = inlineBodyBytes; // of a command, and of each reply
constexpr std::size_t maxPayloadDepth = 64;              // arrays and objects inside each other
constexpr std::size_t maxReplyTextBytes = 1024;          // of a worker: what it is doing, or why it failed
constexpr std::size_t maxFailureCodeBytes = 64;
constexpr std::size_t maxCommands = 4096;                // under way and remembered, per node
constexpr std::size_t maxCommandsPerTenant = 512;        // under way, of one tenant at one node
constexpr std::size_t maxCommandsPerAsker = 64;          // under way, of one connector that asks for them
constexpr std::size_t maxPastAsks = maxCommands;         // that connectors asked for and that were forgotten before their deadline
constexpr std::size_t maxFanOut = 1024;                  // connectors that one command goes to
constexpr std::size_t maxCommandChoices = 8;             // of any one of a type: connectors tried while none has got it
constexpr std::size_t maxCommandResultBytes = 1024 * 1024;     // of one command: what its replies brought
constexpr std::size_t maxCommandMemoryBytes = 16 * 1024 * 1024;  // of ended commands, per node
constexpr Duration commandMemory = 600s;                 // how long an ended one can be asked for, at most
constexpr std::size_t maxCommandWaiters = 8;             // requests that wait for one command to go on
constexpr Duration maxCommandWait = 30s;                 // of one of them
constexpr std::size_t maxPeerQuestions = 64;             // of one node to all others, for what each of them alone knows
constexpr Duration peerQuestionPatience = 1s;            // for their answers
constexpr Duration progressInterval = 200ms;             // a connector passes on the newest ON_GOING of a command so often
static_assert(maxOfferedCommands * 112 + maxOffers * 96 <= maxHeaderBytes / 2 + maxHeaderBytes / 4);

// Notes of where messages have been, in memory, of the newest ones: for each tenant that has any, so that nobody's are pushed out by
// another's flood.
constexpr std::size_t hopNotesOfMessages = 2048;         // of commands to workers, their replies, and configuration
constexpr std::size_t hopNotesOfRequests = 1024;         // of Redfish requests, and of what is passed on for other nodes
constexpr std::size_t hopNotesOfEvents = 1024;           // each of events that follow each other
constexpr std::size_t maxHopTenants = 256;               // beyond, the one with the oldest notes loses them
constexpr std::size_t maxHopNames = 16384;               // of connectors and nodes in them; beyond, all notes are begun anew
constexpr std::size_t maxTracedIds = 64;                 // messages that are traced at once, as they belong to the same one
constexpr std::size_t maxTracedHops = 200;               // that one node tells of them: they fit maxPayloadBytes

// HTTP, both sides.
constexpr std::size_t maxHttpHeaderBytes = 32 * 1024;
constexpr std::size_t maxHttpTargetBytes = 8 * 1024;
constexpr std::size_t maxHttpHeaders = 100;
constexpr std::size_t maxHttpConnections = 2048;
constexpr std::size_t maxOwnBodyBytes = 256 * 1024;      // of requests to resources that the facade owns
constexpr std::size_t maxOwnBodyDepth = 72;              // arrays and objects inside each other, of such a body
constexpr std::size_t maxReportedProperties = 32;        // of one request, named in its answer because they were not taken
constexpr std::uint64_t maxRequestBodyBytes = 512ull * 1024 * 1024;
constexpr std::size_t httpBufferBytes = 64 * 1024;
constexpr std::size_t httpWriteBytes = 128 * 1024;      // of one write; progress is judged by writes
constexpr std::size_t httpProgressBytes = 16 * 1024;     // of a body have to come within the idle timeout
constexpr std::size_t httpDiscardBytes = 4 * 1024 * 1024;  // of an unwanted request body, read to keep the connection
constexpr std::size_t httpRefusedConnections = 64;       // beyond the maximum, open just to be told 503
constexpr int tcpSilentSeconds = 30;                     // without a byte: the kernel asks three times whether the other side is there
constexpr Duration httpIdleTimeout = 60s;
constexpr Duration httpHeaderTimeout = 10s;
constexpr Duration httpLingerTime = 5s;                  // for the client to read the last answer and close
constexpr std::size_t bmcConnections = 8;                // of one connector to its BMC
constexpr std::size_t bmcQueuedRequests = 256;           // waiting for one of them
constexpr std::size_t bmcEventStreams = 4;               // of these connections may carry endless answers
constexpr std::size_t bmcReadBytes = 16 * 1024;          // read buffer of one of them
constexpr std::size_t bmcSupersededSessions = 4;         // replaced by a new login, not ended yet; more are left to the BMC
constexpr Duration answerStall = 15min;                  // of which nothing is taken; slower than any client is let be
constexpr std::size_t maxRefreshTickets = 256;           // writes whose answers wait until member lists were read again
constexpr std::size_t maxMemberPages = 256;              // of one collection
constexpr Duration bmcConnectTimeout = 5s;
constexpr Duration watchPatience = 10s;                  // until the member watch's request is sent, and from then until the answer
constexpr Duration bmcConnectPause = 1s;                 // after a failed connect while other connections work
constexpr Duration bmcIdleClose = 45s;                   // longer than memberPollInterval, so that polling needs no handshakes
constexpr Duration bmcReuseWindow = 1s;                  // idle longer than this: not for what must not be repeated
constexpr Duration bmcLoginDeadline = 10s;
constexpr Duration bmcLogoutDeadline = 1s;
constexpr Duration bmcLoginBackoff = 2s;                 // doubled per refusal, so that accounts are not locked out
constexpr Duration bmcLoginBackoffMax = 300s;
constexpr Duration bmcReloginPauseMax = 30s;             // between new logins that changed nothing
constexpr std::uint64_t inflateFreeBytes = 1024 * 1024;  // of a decoded body before its ratio counts
constexpr std::uint64_t maxInflateRatio = 256;

// Events.
constexpr std::size_t maxTopicBytes = 64;                // of a topic, and of an event's name
constexpr std::size_t maxEventBytes = 64 * 1024;         // of one event's payload
constexpr std::size_t maxSubscriptionTopics = 32;        // of one subscription
constexpr std::size_t maxEventCursors = 256;             // that one subscription begins with

// A connector's outbox: its events until a majority of the aggregators has them. These are what its configuration may change:
constexpr std::size_t maxOutboxBytes = 4 * 1024 * 1024;  // of all its events, as they stand on disk
constexpr std::uint64_t outboxDailyBytes = 256ull * 1024 * 1024;  // written to the flash on a day, in whole pages
// and these are not.
constexpr std::size_t maxOutboxEvents = 32768;
constexpr std::size_t outboxTopicParts = 2;              // one topic has at most one part of so many
constexpr std::size_t outboxSegmentBytes = 128 * 1024;   // of one of its files, before the next one is begun
constexpr std::size_t outboxBatchBytes = 256 * 1024;     // written and synced at once
constexpr std::size_t maxOutboxFileBytes = 128 * 1024 * 1024;  // of one file, when it is read
constexpr std::size_t flashPageBytes = 4096;             // in which writes are counted
constexpr Duration outboxPause = 20ms;                   // between the beginnings of two syncs
constexpr Duration outboxSlowPauseMax = 10s;             // the same, at most, when three quarters of the daily bytes are written
constexpr Duration outboxReport = 60s;                   // between two lines in the log about what waits in it
constexpr Duration outboxRetryPause = 1s;                // after a write that failed
constexpr std::size_t eventWindow = 512;                 // events sent to one aggregator that it has not confirmed
constexpr std::size_t eventWindowBytes = 256 * 1024;     // and their bytes
constexpr Duration eventResendPause = 500ms;             // between two times that events are sent again from the same place
constexpr Duration eventPatience = 10s;                  // without a confirmation, before they are
constexpr unsigned epochsAtOnce = 4;                     // begun because an aggregator knew more; each writes all that waits anew
constexpr Duration epochPause = 1h;                      // after these

// What its workers emit and subscribe to.
constexpr std::size_t maxWorkerSubscriptions = 16;       // of all workers of one connector
constexpr std::size_t subscriptionWindow = 64;           // events that its worker has not taken, of one of them
constexpr std::size_t maxUnansweredEvents = 256;         // that one worker has emitted
constexpr std::size_t maxBeginningWords = 64;            // that wait for its worker: where one of them begins, 256 sources each
constexpr std::size_t maxUntoldWords = 64;               // that wait for workers: what was refused
constexpr Duration subscriptionRetry = 5s;               // after all aggregators have refused one that had begun before
constexpr Duration workerRetry = 100ms;                  // after a worker's socket was full

// Workers: processes beside a connector that execute commands, and what they are asked and answer.
constexpr std::size_t maxWorkers = 16;                   // attached to one connector, also those that only end their commands
constexpr std::size_t maxWorkerCommands = 64;            // that one of them serves
constexpr std::size_t maxCommandsAtWorker = 32;          // given to one worker and not ended
constexpr std::size_t maxWorkerFrameBytes = 256 * 1024;  // of the worker's socket: a registration with its schemas
constexpr std::size_t maxSchemaBytes = 16 * 1024;
constexpr std::size_t maxSchemaDepth = 16;
constexpr std::size_t maxSchemaRules = 1024;             // (sub)schemas of one schema
constexpr std::size_t maxSchemaSteps = 256 * 1024;       // of one check: some milliseconds of a BMC
constexpr Duration workerHeartbeat = 2s;                 // how often a worker has to say something
constexpr Duration workerPatience = 3 * workerHeartbeat;  // without a word, before it is given up
constexpr Duration workerLook = 1s;                      // between looks whether a worker's connection still is
constexpr Duration workerLookBusy = 100ms;               // the same while it has commands
constexpr std::size_t maxAsks = maxCommandsPerAsker;     // commands of a connector's workers to others, under way
constexpr std::size_t maxAsksOfWorker = maxAsks / 2;     // of one of these workers

// Named secrets. A sealed one is a document of the replicated state, whose limits bound how many there are.
constexpr std::size_t maxSecretBytes = 4096;             // of its value: a password, a token, a key, a certificate
constexpr std::size_t secretBlockBytes = 64;             // a sealed one tells its length in steps of this
constexpr std::size_t maxSecretRecipients = 32;
constexpr std::size_t maxSecretEnvelopeBytes = 16 * 1024;
constexpr std::size_t maxSecretsPerTenant = 64;
constexpr std::size_t maxSecretOperators = 8;            // whom one connector trusts
constexpr std::size_t maxSealingKeys = 4;                // of a connector: the one in force, and the last ones before it
constexpr std::size_t maxSecretsSeen = 256;              // whose versions a connector remembers
constexpr std::size_t maxSecretAsks = 32;                // of a connector's workers, under way
constexpr Duration secretPatience = 5s;                  // for the answer to one of them
constexpr Duration secretAttempt = 1500ms;               // for one aggregator's, before another one is asked, too
constexpr Duration resealRetry = 5s;                     // after a round of resealing that left something undone
constexpr Duration resealLook = 600s;                    // between looks for what came back sealed to a former key
constexpr Duration resealSpread = 60s;                   // so that not all connectors look at once
constexpr Duration resealWindow = 10s;                   // in which a node takes from one connector at most
constexpr std::size_t maxReseals = maxSecretsPerTenant;  // so many new seals

// Configuration: pivots, products and components.
constexpr std::size_t maxConfigurationBytes = 7 * 1024;  // of one document; the schema made of a pivot and a product fits maxSchemaBytes
constexpr std::size_t maxContractNames = 64;             // keys, events, or resource types of a pivot or product
constexpr std::size_t maxConfiguredResources = 256;      // of one type, of a component
constexpr std::size_t maxYamlValues = 4096;              // of one such document as a person writes it
constexpr std::uint32_t maxContractMajor = 65535;
constexpr std::size_t maxContractVersions = 4;           // major versions of one connector type, in one tenant
constexpr std::size_t maxConfigReasonBytes = 512;        // why a connector has refused its configuration
constexpr std::size_t maxConfigurationChecks = 4;        // of one upload or removal, where others change what it was checked against
// Of a connector's file with its configuration, as a text in JSON: each byte of the body takes two there at most, and of the reason six.
constexpr std::size_t maxConfigurationFileBytes = 2 * maxPayloadBytes + 6 * maxConfigReasonBytes + 1024;

// Members that a connector announces.
constexpr Duration memberPollInterval = 30s;
constexpr std::size_t maxMembersPerSatellite = 4096;
constexpr std::size_t maxRootLinks = 64;                 // of a satellite's ServiceRoot
constexpr std::size_t maxMemberBodyBytes = 1024 * 1024;
constexpr std::size_t maxUriBytes = 2048;

// URI mapping in bodies.
constexpr std::size_t maxPropertyNameBytes = 256;        // longer names are nobody's: the value is plain text
constexpr std::size_t maxJsonDepth = 1024;
constexpr std::size_t maxHeldBytes = 64 * 1024;          // of an object whose Id comes before its @odata.id
constexpr std::size_t maxNestedMembers = 16;             // expanded inside each other
constexpr std::size_t maxForeignUris = 16;               // named in one refusal
constexpr std::size_t maxUpdateParametersBytes = 64 * 1024;

// Accounts and sessions.
constexpr std::size_t maxAccounts = 200;
constexpr std::size_t maxSessions = 1000;
constexpr Duration sessionSettling = 10s;                // after a start: what is told of sessions may be the log once more
constexpr std::size_t maxSessionsEnding = 32;            // proposals of the primary that end expired ones, at a time
constexpr Duration sessionSweepRetry = 5s;
constexpr std::size_t maxPasswordBytes = 256;
constexpr Duration credentialMemory = 60s;
constexpr std::size_t maxRememberedCredentials = 256;
constexpr std::size_t maxWaitingPasswordChecks = 32;
constexpr std::size_t maxWaitingPasswordChanges = 16;
constexpr std::size_t maxBlockingJobs = 256;

// Tenants' registry.
constexpr std::size_t maxTenants = 256;
constexpr std::size_t maxConnectors = 8192;
constexpr std::size_t maxGrants = 1024;                  // policies by which connectors may send commands
constexpr std::uint64_t maxQuotaMessagesPerSecond = 1'000'000;  // what a tenant's quota can be; see tenants/quota.hpp
constexpr std::uint64_t maxQuotaBytesInFlight = 1'000'000'000'000;
constexpr std::uint64_t maxQuotaStoredEvents = 1'000'000'000;
constexpr Duration quotaBurst = 1s;                      // what the rate gives in that time may also come at once
constexpr std::size_t maxRemovalChanges = 64;            // told one by one of a removed tenant; beyond, all is read again
constexpr std::size_t maxLabelBytes = 64;                // of a connector's product and type
constexpr std::size_t maxJoinStringBytes = 6 * 1024;
constexpr std::size_t maxRegistryFileBytes = 4 * 1024 * 1024;

// Replicated state.
constexpr std::size_t maxStateBytes = 2 * 1024 * 1024;
constexpr std::size_t maxEntryBytes = 256 * 1024;        // one proposal
// Budgets of its tables, in bytes of encoded records; together they keep a snapshot below maxStateBytes. One row for each
// feature level, beginning with the first: nodes with different programs must refuse alike, so that a row which a
// released program has stays as it is.
struct TableBytes {
    std::size_t accounts = 0;
    std::size_t roles = 0;
    std::size_t sessions = 0;
    std::size_t registry = 0;  // tenants and connectors
    std::size_t prefixes = 0;
    std::size_t properties = 0;
    std::size_t remembered = 0;  // results
    std::size_t nodes = 0;
    std::size_t enrolments = 0;
    std::size_t tasks = 0;
    std::size_t sources = 0;
    std::size_t documents = 0;
    std::size_t cursors = 0;
};
constexpr TableBytes stateTableBytes[] = {
    {.accounts = 96 * 1024,
     .roles = 16 * 1024,
     .sessions = 224 * 1024,
     .registry = 768 * 1024,
     .prefixes = 448 * 1024,
     .properties = 256 * 1024,
     .remembered = 192 * 1024},
    {.accounts = 64 * 1024,
     .roles = 8 * 1024,
     .sessions = 144 * 1024,
     .registry = 544 * 1024,
     .prefixes = 376 * 1024,
     .properties = 160 * 1024,
     .remembered = 128 * 1024,
     .nodes = 16 * 1024,
     .enrolments = 40 * 1024,
     .tasks = 256 * 1024,
     .sources = 96 * 1024,
     .documents = 192 * 1024,
     .cursors = 16 * 1024},
};
constexpr std::size_t maxRoles = 64;
constexpr std::size_t maxUnusedNodeIds = 64;             // passed over by a node that came with a higher id of its own
constexpr std::size_t maxEnrolments = 256;
constexpr std::size_t maxTasks = 2000;
constexpr std::size_t maxTaskMessages = 8;
constexpr std::size_t maxTaskMessageBytes = 256;
constexpr std::size_t maxSources = 512;
constexpr std::size_t maxHostNameBytes = 256;            // of a source
constexpr std::size_t maxFingerprintBytes = 96;          // SHA-256 in hexadecimal digits, with colons
constexpr std::size_t sealedPasswordBlock = 32;          // so that a sealed password tells little of its length
constexpr std::size_t maxSealedPasswordBytes = maxPasswordBytes + sealedPasswordBlock + 48;
constexpr std::size_t maxDocuments = 2048;
constexpr std::size_t maxDocumentBytes = 16 * 1024;
constexpr std::size_t maxFormerVersions = 8;             // of a document whose versions are counted, within maxDocumentBytes
constexpr std::size_t maxTenantDocumentBytes = 128 * 1024;  // of all documents of one tenant
constexpr std::size_t maxCursorBytes = 256;
constexpr std::size_t maxFacadeUrlBytes = 256;
constexpr std::size_t maxSessionsPerAccount = 100;
constexpr std::size_t maxPropertyBytes = 16 * 1024;
constexpr std::size_t maxRememberedResults = 1024;       // of proposals, for repeats of the same request id
constexpr std::size_t maxRememberedChanges = 4096;       // for watchers that come back
constexpr std::size_t maxWatchers = 64;
constexpr std::size_t maxQueuedProposals = 1024;
constexpr std::size_t maxProposalAttempts = 3;           // of one request, while its outcome is unknown
constexpr std::size_t maxBatchBytes = 1024 * 1024;       // of proposals that share one fsync
constexpr std::size_t compactionBytes = 1024 * 1024;     // appended to the state file before it is rewritten
constexpr std::size_t maxStateFileBytes = 16 * 1024 * 1024;

// Consensus. The disk that a member needs is about six segments and three snapshots.
constexpr std::size_t maxRaftMessageBytes = 4 * 1024 * 1024;  // between two members: a snapshot, or entries under way
constexpr std::size_t raftInflightEntries = 14;          // to one member; all of them fit one message
constexpr std::size_t raftEntryOperations = 32;          // proposals that share one entry, within maxEntryBytes
constexpr std::size_t raftInflightBatches = 4;           // entries of a primary that are not committed yet
constexpr std::size_t raftSegmentBytes = 512 * 1024;     // of the log on disk
constexpr std::size_t raftReserveBytes = 320 * 1024;     // reserved on disk, or nothing is proposed: one entry at least
constexpr std::size_t raftQueueBytes = 8 * 1024 * 1024;  // from members, waiting for raft; and from raft, for the loop
constexpr unsigned raftSnapshotThreshold = 512;          // entries after which a snapshot is taken
constexpr unsigned raftSnapshotTrailing = 64;            // entries kept behind it, for members that lag a little
constexpr std::size_t maxForwardedProposals = 1024;      // of other members, unanswered
constexpr Duration raftElection = 1s;
constexpr Duration raftHeartbeat = 100ms;
constexpr Duration raftElectionFloor = 300ms;
constexpr Duration raftHeartbeatFloor = 50ms;
constexpr Duration raftPrimaryWait = 5s;                 // a proposal waits so long for a primary to be known
constexpr Duration raftForwardTimeout = 3s;              // for a primary to answer what was forwarded to it
constexpr Duration raftFullAfter = 1s;                   // without room for the log
constexpr Duration raftReopenInitial = 500ms;            // after the disk failed; doubled each time
constexpr Duration raftReopenMax = 5s;
constexpr Duration memberFileRetry = 5s;                 // after member.json could not be written
constexpr Duration raftClose = 10s;                      // for the log to be closed at the end; then it is left as it is
constexpr Duration endPatience = 25s;                    // for a daemon that was told to stop; then its process ends, whatever it waits for
static_assert(raftInflightEntries * (maxEntryBytes + 64) + 4096 <= maxRaftMessageBytes);
static_assert(maxStateBytes + 64 * 1024 <= maxRaftMessageBytes);

// Cluster.
constexpr Duration clusterTick = 50ms;                   // how late a proposal may learn of its deadline
constexpr Duration keeperDeadline = 5s;                  // of one step that keeps state and membership in step
constexpr Duration keeperRetry = 1s;                     // after one that failed
constexpr Duration authorityLease = 10min;               // of a node without a majority, for writes to satellites
constexpr std::size_t enrolmentsPerSecond = 10;          // secrets looked at, of all strangers together
constexpr std::size_t maxEnrolmentFrameBytes = 4096;
constexpr std::size_t maxEnrolmentPeers = 64;
constexpr std::size_t maxStrangers = maxEnrolmentPeers / 2;  // of them may stay; beyond, the oldest has to go
constexpr Duration enrolmentLook = 60s;                  // at most, between looks at the clock for a secret's expiry
constexpr Duration keyOfferPause = 1s;                   // between proposals of what one connector offers as its new key
constexpr Duration keyRetry = 2s;                        // of a step of a connector's key rotation that led to nothing
constexpr Duration enrolmentReopen = 1s;                 // after the endpoint could not be opened
constexpr Duration hookTimeout = 30s;                    // of an operator's executable that follows the primary
constexpr Duration hookStop = 5s;                        // for what follows the primary, when the node stops
constexpr std::size_t maxUnitNameBytes = 255;            // of systemd
constexpr Duration reportPause = 1s;                     // between two words of a node to another about what it has applied
constexpr Duration reportRefresh = 5s;                   // all of it once more, since one may get lost
constexpr std::size_t maxReportBytes = 8192;
constexpr std::size_t maxReasonBytes = 512;              // why a node is not ready, as the others are told
constexpr Duration transferPatience = 1s;                // for another node to take the primary's part
constexpr Duration catchUpPatience = 1s;                 // of a standby that asks the primary for what it may have missed
constexpr std::size_t maxCatchUpWaiters = 1024;          // requests that wait for one such question
constexpr Duration hostPatience = 2s;                    // without a link to a node, before the BMCs that it fronts get another
constexpr Duration hostTick = 250ms;                     // how late that, or the end of a lease, may be noticed
constexpr std::size_t maxHostOrders = 32;                // of those that keep BMCs fronted, under way at once
constexpr Duration hostRefusalPause = 10s;               // after one that the state refused: each try is an entry of the log
constexpr Duration hostedStop = 3s;                      // for a connector that a node runs to end by itself
constexpr Duration hostedRestartInitial = 500ms;         // after it ended by itself; doubled each time
constexpr Duration hostedRestartMax = 30s;
constexpr std::size_t maxClusterFrameBytes = maxRaftMessageBytes + 64;  // MAXMSGSIZE of the peer endpoint

// History: what is recorded for good, in a database.
constexpr std::size_t maxAuditUriBytes = 1024;           // of a record; more is cut
constexpr std::size_t maxAuditNameBytes = 256;           // of an account, a client and a method in one
constexpr std::size_t maxWaitingAudits = 1024;           // requests that wait for their intent to be stored
constexpr std::size_t maxUnstoredResults = 4096;         // results that wait, also for a database that does not answer
constexpr std::size_t maxAuditBatch = 512;               // records that share one transaction
constexpr std::size_t auditsPerTurn = 2;                 // of one tenant that go on, once recorded, before the loop turns to others
constexpr Duration auditRetry = 5s;                      // after results could not be stored
constexpr Duration auditPatience = 10s;                  // of requests, with a transaction that does not end
constexpr std::size_t maxHistoryReads = 4;               // under way or waiting; the other jobs are for who records
constexpr std::uint64_t historyMaxBytes = 64ull * 1024 * 1024;
constexpr Duration historyKeep = std::chrono::hours(90 * 24);
constexpr Duration historySweep = std::chrono::hours(24);  // between looks for what is too old, where little is stored
constexpr Duration historyIdle = 10s;                    // without a request, before the database is closed until the next
constexpr std::size_t maxHistoryPage = 1000;             // records in one answer
constexpr std::size_t maxHistoryJobs = 256;              // that wait for the database
constexpr std::size_t maxKnownChains = 1024;             // heads remembered
constexpr int historySeconds = 5;                        // for a database server to be reached; and for one statement
constexpr std::size_t auditRefusalsPerMinute = 10;       // orders beyond a tenant's quota that are recorded; the others are counted

// Where tenants' history lives.
constexpr std::size_t maxHistoryDatabases = 64;          // that one node has open, its own among them
constexpr std::size_t maxDatabaseUrlBytes = 512;
constexpr std::size_t maxPlacesFileBytes = 512 * 1024;
constexpr std::size_t historyMovePage = 512;             // records that are copied in one transaction
constexpr std::size_t historyMovePageBytes = 1024 * 1024;  // of these, if they are events
constexpr std::uint64_t historyMoveGap = 1'000'000'000;  // ids that the old database may still give while the last of a move is done
constexpr std::size_t historyMoveRecent = 256;           // last events before a move, that readers who had not seen them yet go on from
constexpr std::size_t historyClearPage = 2048;           // records of what has moved that are removed in one transaction
constexpr Duration historyHold = 3s;                     // writes of a tenant wait at most so long for its move to end
constexpr Duration historyMoveRetry = 5s;                // after a move that failed; doubled each time
constexpr Duration historyMoveRetryMax = 5min;

// Events at an aggregator.
constexpr std::uint64_t maxEventNumber = INT64_MAX;      // of an epoch, or a sequence: what databases count up to
// An epoch is when it was begun, in milliseconds since 1970, or one more than another. One that is told may be so far ahead of the
// own clock, which may stand at 1970, while no other one shows more than 2262; an aggregator takes twice as much from a connector.
constexpr std::uint64_t maxEpochAhead = 300ull * 366 * 24 * 60 * 60 * 1000;
constexpr std::size_t maxEventBatch = 1024;              // events that share one transaction
constexpr std::size_t maxEventBatchBytes = 4 * 1024 * 1024;
constexpr std::size_t maxWaitingEvents = 16384;          // that wait for a transaction, per node
constexpr std::size_t maxWaitingEventBytes = 32 * 1024 * 1024;
constexpr std::size_t maxWaitingTenantEvents = maxWaitingEvents / 2;
constexpr std::size_t maxWaitingTenantBytes = maxWaitingEventBytes / 2;
constexpr std::size_t maxWaitingSourceEvents = 4096;     // of one connector
constexpr std::size_t maxWaitingSourceBytes = 8 * 1024 * 1024;
constexpr Duration eventHolePause = 1s;                  // before a connector is told once more what is stored
constexpr Duration eventRetryInitial = 500ms;            // after a transaction failed; doubled each time
constexpr Duration eventRetryMax = 10s;
constexpr std::size_t maxRecentEvents = 16384;           // stored ones that are remembered for subscribers
constexpr std::size_t maxRecentEventBytes = 16 * 1024 * 1024;
constexpr std::uint64_t eventsMaxBytes = 256ull * 1024 * 1024;
constexpr Duration eventsKeep = std::chrono::hours(30 * 24);
constexpr std::size_t eventNotesPerSecond = 10;          // of the mesh's own, per tenant
constexpr std::size_t maxNotedTenants = 256;
constexpr std::size_t maxNoteBytes = 4096;
constexpr Duration refusalPause = 1s;                    // between events that tell of refusals of one kind, per tenant
constexpr std::size_t maxRefusalKinds = 2048;            // of all tenants, that are remembered for that

// Events that other aggregators have and this one has not.
constexpr std::size_t maxEventFills = 16;                // connectors of which they are asked for at a time; and beyond these
                                                         // one of each tenant, so that none waits for another
constexpr std::size_t maxTenantEventFills = maxEventFills / 2;
constexpr std::size_t maxEventLooks = maxEventFills / 2;  // of all of them, where nothing is known to be missing
constexpr std::size_t maxWaitingLooks = maxConnectors;   // connectors whose look waits for its turn
constexpr Duration eventFillDelay = 200ms;               // for the connector itself to send what is missing
constexpr Duration eventFillAnswer = 2s;                 // for another aggregator to say something
constexpr Duration eventFillPause = 500ms;               // after all that could be asked had nothing
constexpr Duration eventFillLeast = 5s;                  // before they are lost here, where nobody has them
constexpr Duration eventFillPatience = 60s;              // the same, where some of the others cannot be asked
constexpr std::size_t eventFillSlice = 256;              // asked for at a time
constexpr std::size_t eventFillBytes = 1024 * 1024;      // of one answer
constexpr std::size_t maxWantedReads = 4;                // of what others ask for, under way

// Those who want events.
constexpr std::size_t maxSubscriptionsPerConnector = 16;
constexpr std::size_t maxSubscriptions = 2048;           // per node; and beyond these
constexpr std::size_t leastTenantSubscriptions = 8;      // so many of each tenant
constexpr std::size_t maxTenantSubscriptions = 512;
constexpr std::size_t maxRefusalBytes = 256;             // why one is refused
constexpr std::size_t subscriptionLosses = 16;           // losses told to one subscription in subscriptionPause
constexpr std::size_t subscriptionBytes = 1024 * 1024;   // of payloads, sent to one subscription
constexpr Duration subscriptionPause = 20ms;             // in so long
constexpr std::size_t eventPage = 256;                   // read for one subscription at a time
constexpr std::size_t eventPageBytes = 256 * 1024;
constexpr std::size_t maxHeldPageBytes = 32 * 1024 * 1024;  // of what was read for subscriptions and waits for their credit
constexpr std::size_t maxHeldTenantPageBytes = maxHeldPageBytes / 4;
constexpr std::size_t maxEventReads = 2;                 // of all subscriptions, under way
constexpr Duration eventReadRetry = 1s;
constexpr std::size_t maxEventWaiters = 64;              // requests over HTTP that wait for events
constexpr Duration maxEventWait = 30s;                   // of one of them

}  // namespace mesh::limits
