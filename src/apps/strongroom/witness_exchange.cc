// Files out, answers in.
#include "apps/strongroom/witness_exchange.h"

#include <fmt/core.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/audit_keys.h"
#include "audit/checkpoint.h"
#include "audit/checkpoint_files.h"
#include "audit/lines.h"
#include "audit/log_reader.h"
#include "audit/note.h"
#include "audit/submission.h"
#include "audit/witness.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 20;  // notes of many logs
constexpr mode_t kReadable = 0644;

Result<audit::Submission> read_submission(const std::string& directory,
                                          std::optional<std::uint64_t> old_size) {
  audit::PosixFiles files;
  SR_TRY(const std::string name, audit::newest_operators_log(files, directory));
  SR_TRY(audit::LogReader log, audit::LogReader::open(files, directory, name));
  return audit::make_submission(log, old_size.value_or(audit::cosigned_size(directory, name)));
}

// What auditd is told: a size or a checkpoint where the answer is one, else the request's
// checkpoint with the lines of the answer.
Result<boost::json::object> testimony(std::string_view request, std::string_view answer) {
  SR_TRY(const audit::AddCheckpoint asked, audit::parse_add_checkpoint(request));
  std::string_view line = answer;
  const auto size = audit::parse_decimal(audit::take_line(line));
  if (size && line.empty()) {
    return boost::json::object{{"origin", asked.checkpoint.origin}, {"size", *size}};
  }
  if (audit::parse_note(answer)) return boost::json::object{{"note", answer}};
  // Behind the empty line that ends the proof.
  SR_TRY(const std::string note,
         audit::with_cosignatures(request.substr(request.find("\n\n") + 2), answer));
  return boost::json::object{{"note", note}};
}

// A witness's answer: what it says to the request, and behind that its newest checkpoints of the
// owner's other logs.
struct WitnessAnswer {
  std::string_view to_request;
  std::vector<std::string> others;
};
WitnessAnswer split(std::string_view text) {
  constexpr std::string_view kNoText = "\n\n";  // before cosignature lines, to end as a note does
  const auto first = audit::note_size(std::string(kNoText) + std::string(text), false);
  std::size_t end = first ? *first - kNoText.size() : text.size();
  WitnessAnswer answer{text.substr(0, end), {}};
  while (const auto size = audit::note_size(text.substr(end), false)) {
    answer.others.emplace_back(text.substr(end, *size));
    end += *size;
  }
  if (end < text.size()) answer.to_request = text;  // no answer then
  return answer;
}

// What auditd makes of it, or the exit status after the reason was printed.
std::expected<boost::json::object, int> tell(const Context& context,
                                             const boost::json::object& said) {
  return ask_admin(context, "auditd", http::Method::post, "/v1/witness",
                   boost::json::serialize(said));
}

bool is_rolled_back(const boost::json::object& heard) {
  return member(heard, "testimony") == "rolled_back";
}

// Of which log that is.
std::string origin_of(const boost::json::object& said) {
  if (said.contains("origin")) return member(said, "origin");
  const auto checkpoint = audit::read_checkpoint(member(said, "note"));
  return checkpoint ? checkpoint->origin : std::string();
}

struct Told {
  boost::json::object heard;
  std::string origin;  // of the log that it is about
};

std::expected<Told, int> tell_of(const Context& context, const boost::json::object& said) {
  auto heard = tell(context, said);
  if (!heard) return std::unexpected(heard.error());
  return Told{*std::move(heard), origin_of(said)};
}

// The last that auditd says, which is the answer to the request unless an earlier one ends it: of a
// log that another key signs nothing is said, for the witness may know one of the same name.
std::expected<Told, int> tell_all(const Context& context, const LogKey& key,
                                  const WitnessAnswer& answer,
                                  const boost::json::object& to_request) {
  for (const std::string& note : answer.others) {
    const auto checkpoint = audit::read_checkpoint(note);
    const auto own = checkpoint ? key.verifier(checkpoint->origin)
                                : Result<audit::NoteVerifier>(fail(checkpoint.error()));
    if (!own || !audit::open_checkpoint(note, *own)) continue;
    auto told = tell_of(context, {{"note", note}});
    if (!told || is_rolled_back(told->heard)) return told;
  }
  return tell_of(context, to_request);
}

}  // namespace

int export_for_witness(const Context& context, const WitnessExport& options) {
  const auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  const auto submission = read_submission(paths->directory, options.old_size);
  if (!submission) {
    return failed(kUsage, fmt::format("{}: {}", paths->directory, submission.error().what()));
  }
  const auto key = LogKey::read(paths->vkey);
  if (!key) return key.error();
  const std::string vkey = key->of(submission->checkpoint.origin).text();
  const auto written = write_file_durable(options.out, as_bytes(submission->body), kReadable);
  if (!written) return failed(kUsage, fmt::format("{}: {}", options.out, written.error().what()));
  if (context.json) {
    const boost::json::object made{{"vkey", vkey}, {"size", submission->checkpoint.size}};
    fmt::print("{}\n", boost::json::serialize(made));
  } else {
    fmt::print("{}\n", vkey);
  }
  return kOk;
}

int import_from_witness(const Context& context, const std::string& request_path,
                        const std::string& answer_path) {
  const auto request = read_file(request_path, kFileBytesMax);
  if (!request) return failed(kUsage, fmt::format("{}: {}", request_path, request.error().what()));
  const auto answer = read_file(answer_path, kFileBytesMax);
  if (!answer) return failed(kUsage, fmt::format("{}: {}", answer_path, answer.error().what()));
  const WitnessAnswer parts = split(*answer);
  const auto said = testimony(*request, parts.to_request);
  if (!said) return failed(kUsage, said.error().what());
  const auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  const auto key = LogKey::read(paths->vkey);
  if (!key) return key.error();
  const auto told = tell_all(context, *key, parts, *said);
  if (!told) return told.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(told->heard));
  } else {
    fmt::print("{}\n", member(told->heard, "testimony"));
  }
  if (!is_rolled_back(told->heard)) return kOk;
  return failed(kCheckFailed,
                fmt::format("the audit log {} was rolled back; auditd takes no entries any more",
                            told->origin));
}

int open_shard(const Context& context, const std::string& reason) {
  const boost::json::object command{{"reason", reason}};
  const auto opened = ask_admin(context, "auditd", http::Method::post, "/v1/breaks",
                                boost::json::serialize(command));
  if (!opened) return opened.error();
  if (context.json) fmt::print("{}\n", boost::json::serialize(*opened));
  return kOk;
}

}  // namespace strongroom::tool
