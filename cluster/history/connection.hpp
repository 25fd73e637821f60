#pragma once

#include "shoset/base/result.hpp"

#include <soci/soci.h>

#include <memory>
#include <string>

namespace mesh::history {

enum class Dialect { sqlite, postgresql };

// One connection to a database. What is done with it throws soci::soci_error.
struct Connection {
    std::shared_ptr<void> library;  // that speaks to it; unloaded after the session
    std::unique_ptr<soci::session> session;
    Dialect dialect = Dialect::sqlite;
};

// `url` and `password` as for HistoryStore. Blocks, on a server at most limits::historySeconds for each of its addresses.
Result<Connection> connect(const std::string& url, const std::string& password = {});

// On one line, without the values of the statement.
Error errorOf(const soci::soci_error& thrown, const std::string& url);

// A transaction that begins as the only writer, so that what is read in it is still so when it ends. Undone unless committed.
class Transaction {
public:
    explicit Transaction(Connection& connection);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    void commit();

private:
    Connection& connection;
    bool open = true;
};

}  // namespace mesh::history
