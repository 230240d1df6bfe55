// The commands that talk to nobody.
#include "apps/strongroom/witness_command.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/note.h"
#include "audit/witness.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"
#include "witness/known_logs.h"
#include "witness/witness.h"

namespace strongroom::tool {

using service::Start;
using service::start_failure;

namespace {

constexpr std::size_t kRequestBytesMax = std::size_t{64} << 10;
constexpr mode_t kOwnerOnly = 0600;

int refused(const service::StartError& error) { return failed(kUsage, error.text()); }

// A log that the witness knows or has cosigned, and how much of it it has cosigned.
struct LogState {
  std::string origin;
  std::uint64_t size = 0;
  std::string cosigned_at;  // RFC 3339; empty: never
};

Start<std::vector<audit::NoteKey>> read_known_logs(const WitnessSettings& settings) {
  const std::string path = witness::known_logs_path(settings.folder);
  const auto text = read_file(path, witness::kKnownLogsBytesMax);
  if (!text) return start_failure(path, text.error());
  auto keys = witness::parse_known_logs(*text);
  if (!keys) return start_failure(path, keys.error());
  return *std::move(keys);
}

Start<LogState> read_state(const WitnessSettings& settings,
                           const audit::CosignatureVerifier& verifier, const std::string& file) {
  LogState state;
  const std::string path = fmt::format("{}/{}", settings.state_folder(), file);
  const auto text = read_file(path, audit::kNoteBytesMax);
  if (!text) return start_failure(path, text.error());
  const auto note = audit::parse_note(*text);
  if (!note) return start_failure(path, note.error());
  const auto checkpoint = audit::parse_checkpoint_text(note->text);
  if (!checkpoint) return start_failure(path, checkpoint.error());
  const auto time_s = verifier.newest_s(*note);
  if (!time_s) return start_failure(path, time_s.error());
  state.origin = checkpoint->origin;
  state.size = checkpoint->size;
  constexpr std::int64_t kMicroseconds = 1'000'000;
  if (*time_s) state.cosigned_at = rfc3339(**time_s * kMicroseconds);
  return state;
}

Start<audit::CosignatureVerifier> read_verifier(const WitnessSettings& settings) {
  const std::string path = settings.folder + "/witness.vkey";
  auto text = read_file(path, audit::kNoteBytesMax);
  if (!text) return start_failure(path, text.error());
  while (text->ends_with('\n')) text->pop_back();
  auto key = audit::NoteKey::parse(*text, audit::NoteKeyType::cosignature);
  if (!key) return start_failure(path, key.error());
  auto verifier = audit::CosignatureVerifier::create(*std::move(key));
  if (!verifier) return start_failure(path, verifier.error());
  return *std::move(verifier);
}

Start<std::vector<LogState>> read_states(const WitnessSettings& settings,
                                         const audit::CosignatureVerifier& verifier) {
  std::vector<LogState> states;
  for (const std::string& file : witness::state_files(settings.folder)) {
    SR_TRY(LogState state, read_state(settings, verifier, file));
    states.push_back(std::move(state));
  }
  SR_TRY(const std::vector<audit::NoteKey> keys, read_known_logs(settings));
  for (const audit::NoteKey& key : keys) {
    if (std::ranges::find(states, key.name, &LogState::origin) != states.end()) continue;
    states.push_back({.origin = key.name, .size = 0, .cosigned_at = {}});
  }
  std::ranges::sort(states, {}, &LogState::origin);
  return states;
}

void print(const audit::NoteKey& key, const std::vector<LogState>& states) {
  fmt::print("{}\n", key.text());
  for (const LogState& state : states) {
    fmt::print("  {}  {}\n", state.origin,
               state.cosigned_at.empty()
                   ? "nothing cosigned yet"
                   : fmt::format("size {}, cosigned {}", state.size, state.cosigned_at));
  }
}

boost::json::object to_json(const audit::NoteKey& key, const std::vector<LogState>& states) {
  boost::json::array logs;
  for (const LogState& state : states) {
    logs.push_back(boost::json::object{
        {"origin", state.origin}, {"size", state.size}, {"cosigned_at", state.cosigned_at}});
  }
  return {{"vkey", key.text()}, {"logs", std::move(logs)}};
}

// What it has seen of the owner's other logs: the store may have lost one of them whole.
Result<void> print_others(witness::Witness& witness, std::string_view asked) {
  std::string after(asked.substr(0, asked.rfind('/') + 1));
  while (true) {
    const auto note = witness.checkpoint_after(after);
    if (!note && note.error().code() == ErrorCode::not_found) return {};
    if (!note) return std::unexpected(note.error());
    after = note->substr(0, note->find('\n'));
    if (after != asked) fmt::print("{}", *note);
  }
}

int others_not_told(const Error& error) {
  return failed(kNotReachable,
                fmt::format("what it has seen of the owner's other logs: {}", error.what()));
}

int print_answer(witness::Witness& witness, std::string_view request) {
  const witness::Answer answer = witness.add_checkpoint(request);
  constexpr int kCosigned = 200;
  constexpr int kNotTheLast = 409;
  constexpr int kInconsistent = 422;
  constexpr int kUnavailable = 503;
  const auto parsed = audit::parse_add_checkpoint(request);
  const std::string origin = parsed ? parsed->checkpoint.origin : "";
  if (answer.status == kCosigned) {
    fmt::print("{}", answer.body);
    const auto told = print_others(witness, origin);
    return told ? kOk : others_not_told(told.error());
  }
  std::string_view why = std::string_view(answer.body).substr(0, answer.body.find('\n'));
  if (answer.status == kNotTheLast || answer.status == kInconsistent) {
    const auto newest = witness.checkpoint(witness::origin_hash(origin));
    if (newest) fmt::print("{}", *newest);
    const auto told = print_others(witness, origin);
    if (!told) return others_not_told(told.error());
  }
  if (answer.status == kNotTheLast)
    why = "the request begins at another size than was cosigned last";
  return failed(answer.status == kUnavailable ? kNotReachable : kCheckFailed, why);
}

}  // namespace

int init_witness(const Context& context, const NewWitness& options) {
  const auto vkey = make_witness_folder(context.directory, options);
  if (!vkey) return refused(vkey.error());
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"vkey", *vkey}}));
  } else {
    fmt::print("{}\n", *vkey);
  }
  return kOk;
}

int add_witnessed_log(const Context& context, const std::string& vkey) {
  const auto settings = read_witness_settings(context.directory);
  if (!settings) return refused(settings.error());
  const auto key = audit::NoteKey::parse(vkey);
  if (!key) return failed(kUsage, key.error().what());
  if (const auto known = read_known_logs(*settings); !known) return refused(known.error());
  const std::string path = witness::known_logs_path(settings->folder);
  auto text = read_file(path, witness::kKnownLogsBytesMax);
  if (!text) return failed(kUsage, fmt::format("{}: {}", path, text.error().what()));
  const std::string added = witness::with_log(*std::move(text), *key);
  if (const auto written = write_file_durable(path, as_bytes(added), kOwnerOnly); !written) {
    return failed(kUsage, fmt::format("{}: {}", path, written.error().what()));
  }
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"origin", key->name}}));
  } else {
    fmt::print("{}\n", key->name);
  }
  return kOk;
}

int cosign_file(const Context& context, const std::string& path) {
  const auto settings = read_witness_settings(context.directory);
  if (!settings) return refused(settings.error());
  const auto body = read_file(path, kRequestBytesMax);
  if (!body) return failed(kUsage, fmt::format("{}: {}", path, body.error().what()));
  auto signer = read_witness_key(*settings);
  if (!signer) return refused(signer.error());
  const SystemClock clock;
  auto opened = witness::Witness::open(settings->folder, settings->name, *std::move(signer), clock);
  if (!opened && opened.error().code() == ErrorCode::conflict) {
    return failed(kUsage, "this witness runs: send it the request, or stop it first");
  }
  if (!opened) {
    return failed(kUsage, fmt::format("{}: {}", settings->folder, opened.error().what()));
  }
  return print_answer(*opened, *body);
}

int show_witness(const Context& context) {
  const auto settings = read_witness_settings(context.directory);
  if (!settings) return refused(settings.error());
  const auto verifier = read_verifier(*settings);
  if (!verifier) return refused(verifier.error());
  const auto states = read_states(*settings, *verifier);
  if (!states) return refused(states.error());
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(to_json(verifier->key(), *states)));
  } else {
    print(verifier->key(), *states);
  }
  return kOk;
}

}  // namespace strongroom::tool
