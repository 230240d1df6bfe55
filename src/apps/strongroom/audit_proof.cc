// audit check-proof.
#include "apps/strongroom/audit_proof.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <expected>
#include <utility>

#include "audit/entry.h"
#include "audit/lines.h"
#include "audit/logs.h"
#include "audit/proof_file.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;

std::string time_text(std::int64_t time_s) { return rfc3339(time_s * kMicrosecondsPerSecond); }

int not_proven(const Context& context, std::string_view file, std::string_view why) {
  if (context.json) {
    const boost::json::object object{{"ok", false}, {"file", file}, {"why", why}};
    fmt::print("{}\n", boost::json::serialize(object));
  } else {
    fmt::print("NOT PROVEN: {}: {}\n", file, why);
  }
  return kCheckFailed;
}

// The two files of a proof, read and verified.
struct CheckedFiles {
  std::string entry;
  ShownProof shown;
};

std::expected<CheckedFiles, int> check_files(const Context& context, const ProofFiles& files,
                                             const LogKey& key, const Witnesses& witnesses) {
  const auto proof = read_file(files.proof, audit::kProofFileBytesMax);
  if (!proof) {
    return std::unexpected(
        failed(kUsage, fmt::format("{}: {}", files.proof, proof.error().what())));
  }
  auto entry = read_file(files.entry, audit::kEntryBytesMax);
  if (!entry) {
    return std::unexpected(
        failed(kUsage, fmt::format("{}: {}", files.entry, entry.error().what())));
  }
  auto shown = show_proof(*proof, *entry, key, witnesses);
  if (!shown) return std::unexpected(not_proven(context, files.proof, shown.error().what()));
  return CheckedFiles{*std::move(entry), *std::move(shown)};
}

bool is_operators(const LogKey& key, std::string_view origin) {
  return origin.starts_with(fmt::format("{}/{}/", key.place(), audit::kOperator));
}

boost::json::object to_json(const ShownProof& shown) {
  boost::json::array cosignatures;
  for (const auto& [witness, time_s] : shown.cosignatures) {
    cosignatures.push_back({{"witness", witness}, {"time", time_text(time_s)}});
  }
  return {{"log", shown.checkpoint.origin},
          {"index", shown.index},
          {"tree_size", shown.checkpoint.size},
          {"tree_root", base64(shown.checkpoint.root)},
          {"key", shown.key},
          {"cosignatures", std::move(cosignatures)}};
}

void print(const ShownProof& shown) {
  fmt::print("  log          {}\n  entry        {}\n  tree         {} entries, root {}\n",
             shown.checkpoint.origin, shown.index, shown.checkpoint.size,
             base64(shown.checkpoint.root));
  fmt::print("  signed by    {}\n", shown.key);
  for (const auto& [witness, time_s] : shown.cosignatures) {
    fmt::print("  cosigned by  {} at {}\n", witness, time_text(time_s));
  }
}

void print(const Context& context, const ShownProof& shown,
           const std::optional<ShownProof>& record) {
  if (context.json) {
    boost::json::object object = to_json(shown);
    object["ok"] = true;
    object["record"] = nullptr;
    if (record) object["record"] = to_json(*record);
    fmt::print("{}\n", boost::json::serialize(object));
    return;
  }
  fmt::print("proven\n");
  print(shown);
  if (!record) return;
  fmt::print("that tree is recorded by\n");
  print(*record);
}

}  // namespace

Result<ShownProof> show_proof(std::string_view proof, std::string_view entry, const LogKey& key,
                              const Witnesses& witnesses) {
  SR_TRY(const audit::ProofFile file, audit::parse_proof_file(proof));
  SR_TRY(const audit::Note note, audit::parse_note(file.checkpoint));
  SR_TRY(const audit::Checkpoint told, audit::parse_checkpoint_text(note.text));
  SR_TRY(const audit::NoteVerifier verifier, key.verifier(told.origin));
  ShownProof shown{
      .index = file.index, .checkpoint = {}, .key = verifier.key().text(), .cosignatures = {}};
  SR_TRY(shown.checkpoint, audit::verify_proof_file(file, as_bytes(entry), verifier));
  for (const audit::CosignatureVerifier& witness : witnesses) {
    SR_TRY(const auto time_s, witness.newest_s(note));
    if (!time_s) return fail({ErrorCode::permission_denied, "a witness has not cosigned it"});
    shown.cosignatures.push_back({witness.key().name, *time_s});
  }
  return shown;
}

std::optional<audit::Checkpoint> recorded_checkpoint(std::string_view entry) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(entry, error);
  const auto member = [&](const char* pointer) {
    return error ? nullptr : value.find_pointer(pointer, error);
  };
  const auto* type = member("/unmapped/event_type");
  const auto* origin = member("/resources/0/uid");
  const auto* size = member("/unmapped/tree_size");
  const auto* root = member("/unmapped/tree_root");
  if (error || !type->is_string() || type->get_string() != "log.checkpoint") return std::nullopt;
  if (!origin->is_string() || !size->is_int64() || !root->is_string()) return std::nullopt;
  const auto hash = audit::parse_hash(root->get_string());
  if (!hash || size->get_int64() < 0) return std::nullopt;
  return audit::Checkpoint{std::string(origin->get_string()),
                           static_cast<std::uint64_t>(size->get_int64()), *hash};
}

int check_proof(const Context& context, const CheckProofOptions& options) {
  std::string vkey = options.vkey;
  if (vkey.empty()) {
    const auto paths = read_audit_paths(context);
    if (!paths) return paths.error();
    vkey = paths->vkey;
  }
  const auto key = LogKey::read(vkey);
  if (!key) return key.error();
  const auto witnesses = read_witnesses(options.witnesses);
  if (!witnesses) return witnesses.error();
  const bool recorded = !options.record.empty();
  const Witnesses none;
  const auto checked = check_files(context, options.files, *key, recorded ? none : *witnesses);
  if (!checked) return checked.error();
  std::optional<ShownProof> record;
  if (recorded) {
    auto second = check_files(context, {options.record[0], options.record[1]}, *key, *witnesses);
    if (!second) return second.error();
    if (!is_operators(*key, second->shown.checkpoint.origin) ||
        recorded_checkpoint(second->entry) != checked->shown.checkpoint) {
      return not_proven(context, options.record[1], "not the operator's record of this tree");
    }
    record = std::move(second->shown);
  }
  print(context, checked->shown, record);
  return kOk;
}

}  // namespace strongroom::tool
