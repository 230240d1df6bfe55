// libpq's pipeline mode (PostgreSQL 15, chapter 34.5).
#include "storage/postgres_pipeline.h"

#include <fmt/core.h>
#include <libpq-fe.h>

#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/try.h"

namespace strongroom::storage {
namespace {

constexpr int kBinary = 1;

std::string_view field(const PGresult& result, int code) {
  const char* text = PQresultErrorField(&result, code);
  return text ? text : "";
}

// The index of the first command whose count is not the expected one.
std::optional<std::uint32_t> unexpected_count(const PostgresCall& call) {
  for (std::size_t i = 0; i < call.commands.size(); ++i) {
    const auto& expected = call.commands[i].expect_rows;
    if (expected && call.answers[i].affected != *expected) return static_cast<std::uint32_t>(i);
  }
  return std::nullopt;
}

bool has_expectation(const PostgresCall& call) {
  for (const PostgresCommand& command : call.commands) {
    if (command.expect_rows) return true;
  }
  return false;
}

}  // namespace

void PostgresPipeline::Clear::operator()(pg_result* result) const noexcept { PQclear(result); }

void PostgresPipeline::attach(pg_conn& connection) {
  connection_ = &connection;
  prepared_.clear();
}

std::vector<PostgresCall*> PostgresPipeline::detach() {
  for (PostgresCall* call : calls_) {
    if (call->error) continue;
    call->error = call->committing
                      ? Error{ErrorCode::unknown_outcome, "connection was lost during the commit"}
                      : Error{ErrorCode::unavailable, "connection was lost"};
  }
  std::vector<PostgresCall*> lost(calls_.begin(), calls_.end());
  calls_.clear();
  expected_.clear();
  held_ = nullptr;
  return lost;
}

bool PostgresPipeline::send(PostgresCall& call) {
  SR_CHECK(open() && !call.commands.empty());
  calls_.push_back(&call);
  call.answers.resize(call.commands.size());
  for (std::size_t i = 0; i < call.commands.size(); ++i) {
    if (!prepared_.contains(call.commands[i].sql) && !prepare(call, i)) return false;
  }
  const bool held = has_expectation(call);
  if (held && !send_text(call, "BEGIN")) return false;
  for (std::size_t i = 0; i < call.commands.size(); ++i) {
    if (!send_prepared(call, i)) return false;
  }
  if (held) {
    held_ = &call;
    return PQsendFlushRequest(connection_) == 1;
  }
  call.committing = call.writes;
  return send_sync(call, Step::last_sync);
}

// Under a Sync of its own, so that no other failure takes the prepared statement away again.
bool PostgresPipeline::prepare(PostgresCall& call, std::size_t index) {
  const PostgresCommand& command = call.commands[index];
  std::vector<Oid> types;
  for (const PostgresParameter& parameter : command.parameters) types.push_back(parameter.type);
  const std::string name = fmt::format("s{}", ++names_);
  if (PQsendPrepare(connection_, name.c_str(), command.sql.c_str(), static_cast<int>(types.size()),
                    types.data()) != 1) {
    return false;
  }
  expected_.push_back({Step::prepare, &call, index});
  prepared_.emplace(command.sql, name);
  return send_sync(call, Step::sync);
}

bool PostgresPipeline::send_text(PostgresCall& call, const char* sql) {
  expected_.push_back({Step::transaction, &call});
  return PQsendQueryParams(connection_, sql, 0, nullptr, nullptr, nullptr, nullptr, kBinary) == 1;
}

bool PostgresPipeline::send_prepared(PostgresCall& call, std::size_t index) {
  const PostgresCommand& command = call.commands[index];
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const PostgresParameter& parameter : command.parameters) {
    values.push_back(parameter.bytes ? parameter.bytes->data() : nullptr);
    lengths.push_back(parameter.bytes ? static_cast<int>(parameter.bytes->size()) : 0);
  }
  const std::vector<int> formats(values.size(), kBinary);
  expected_.push_back({Step::command, &call, index});
  return PQsendQueryPrepared(connection_, prepared_.find(command.sql)->second.c_str(),
                             static_cast<int>(values.size()), values.data(), lengths.data(),
                             formats.data(), kBinary) == 1;
}

bool PostgresPipeline::send_sync(PostgresCall& call, Step step) {
  expected_.push_back({step, &call});
  return PQpipelineSync(connection_) == 1;
}

// Ends the transaction of the held call, whose commands have all been answered.
bool PostgresPipeline::conclude(PostgresCall& call) {
  held_ = nullptr;
  if (const auto index = unexpected_count(call); index && !call.error) {
    call.error = Error{ErrorCode::conflict, "unexpected number of rows"}.with_detail(*index);
  }
  call.committing = !call.error && call.writes;
  // After an error the server hears nothing until a Sync, not even ROLLBACK.
  if (call.refused && !send_sync(call, Step::sync)) return false;
  return send_text(call, call.error ? "ROLLBACK" : "COMMIT") && send_sync(call, Step::last_sync);
}

bool PostgresPipeline::take_results(std::vector<PostgresCall*>& ended) {
  int ends_in_a_row = 0;
  while (!expected_.empty() && PQisBusy(connection_) == 0) {
    if (const ResultPtr result{PQgetResult(connection_)}) {
      ends_in_a_row = 0;
      if (!take(*result, ended)) return false;
      continue;
    }
    // No result ends the answer of a command. A Sync has none to end, unless the commit was
    // refused; a second one would mean that libpq and we count differently.
    const bool sync =
        expected_.front().step == Step::sync || expected_.front().step == Step::last_sync;
    if (!sync) {
      expected_.pop_front();
    } else if (++ends_in_a_row > 1) {
      return false;
    }
  }
  if (held_ && expected_.empty() && !conclude(*held_)) return false;
  return PQstatus(connection_) == CONNECTION_OK;
}

bool PostgresPipeline::take(const pg_result& result, std::vector<PostgresCall*>& ended) {
  const Expected expected = expected_.front();
  switch (PQresultStatus(&result)) {
    case PGRES_PIPELINE_SYNC:
      expected_.pop_front();
      if (expected.step == Step::last_sync) {
        calls_.pop_front();
        ended.push_back(expected.call);
      }
      return true;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
      if (expected.step == Step::command) expected.call->answers[expected.command] = decode(result);
      return true;
    case PGRES_PIPELINE_ABORTED:
      return true;
    case PGRES_FATAL_ERROR:
      return take_refusal(result, expected);
    default:  // COPY and single-row results: we never ask for them
      return false;
  }
}

bool PostgresPipeline::take_refusal(const pg_result& result, const Expected& expected) {
  const std::string_view sqlstate = field(result, PG_DIAG_SQLSTATE);
  const std::string_view severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity != "ERROR") return false;  // the server, or libpq itself, gives the connection up
  PostgresCall& call = *expected.call;
  const Error error =
      error_of_sqlstate(sqlstate).with_detail(static_cast<std::uint32_t>(expected.command));
  if (expected.step == Step::prepare) {
    prepared_.erase(call.commands[expected.command].sql);
  } else {
    call.refused = true;
  }
  if (call.error) return true;  // the first refusal is the cause of the others
  call.error = error;
  // The message itself may quote values.
  if (error.code() != ErrorCode::conflict) {
    log::warn("postgresql", {{"sqlstate", sqlstate}, {"error", error}});
  }
  return true;
}

}  // namespace strongroom::storage
