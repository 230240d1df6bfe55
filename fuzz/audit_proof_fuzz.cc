// The readers of the audit log's published formats take exactly what the writers write: paths of
// tiles and bundles, bundles, proof files, witness requests. The first byte of an input chooses the
// reader.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "audit/entry_bundle.h"
#include "audit/proof.h"
#include "audit/proof_file.h"
#include "audit/tile.h"
#include "audit/witness.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

void check_path(std::string_view path) {
  if (const auto tile = parse_tile_path(path)) {
    SR_CHECK(tile_path(*tile) == path && tile->level <= kTileLevelMax);
  }
  if (const auto bundle = parse_bundle_path(path)) {
    SR_CHECK(bundle_path(*bundle) == path && !parse_tile_path(path));
  }
}

// The first byte is the number of entries that the bundle should have.
void check_bundle(std::span<const std::byte> input) {
  if (input.empty()) return;
  const auto bytes = input.subspan(1);
  const auto width = std::to_integer<std::size_t>(input[0]);
  const auto entries = parse_bundle(bytes, width);
  if (!entries) return;
  SR_CHECK(entries->size() == width);
  std::vector<std::byte> again;
  for (const auto entry : *entries) append_to_bundle(again, entry);
  SR_CHECK(as_text(again) == as_text(bytes));
}

void check_proof_file(std::string_view text) {
  const auto file = parse_proof_file(text);
  if (!file) return;
  SR_CHECK(proof_file_text(*file) == text);
  const auto note = parse_note(file->checkpoint);
  SR_CHECK(note.has_value());
  const auto checkpoint = parse_checkpoint_text(note->text);
  SR_CHECK(checkpoint.has_value());
  (void)verify_inclusion(Hash{}, file->index, file->proof, checkpoint->head());
}

void check_request(std::string_view body) {
  const auto request = parse_add_checkpoint(body);
  if (!request) return;
  const std::size_t empty_line = body.find("\n\n");
  SR_CHECK(add_checkpoint_body(request->old_size, request->proof, body.substr(empty_line + 2)) ==
           body);
  (void)verify_consistency({request->old_size, Hash{}}, request->checkpoint.head(), request->proof);
  SR_CHECK(judge(*request, nullptr) == WitnessStatus::unknown_log);
  const WitnessedLog nobody_trusted;
  SR_CHECK(judge(*request, &nobody_trusted) == WitnessStatus::not_signed);
}

void check(std::span<const std::byte> input) {
  if (input.empty()) return;
  const auto rest = input.subspan(1);
  switch (std::to_integer<unsigned>(input[0]) % 4) {
    case 0:
      return check_path(as_text(rest));
    case 1:
      return check_bundle(rest);
    case 2:
      return check_proof_file(as_text(rest));
    case 3:
      return check_request(as_text(rest));
  }
}

}  // namespace
}  // namespace strongroom::audit

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::audit::check(std::as_bytes(std::span(data, size)));
  return 0;
}
