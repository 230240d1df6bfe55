// Evidence: a range of leaves, the roots of the complete subtrees before it and behind it, and the
// signed root of all.
#include "audit/archive_evidence.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <map>
#include <optional>

#include "audit/checkpoint.h"
#include "audit/journal_reader.h"
#include "audit/lines.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/subtree.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kYearDigits = 4;
constexpr std::string_view kFirstLine = "strongroom-archive-evidence/1";
constexpr Error kBad{ErrorCode::corrupt, "evidence of an audit archive does not hold"};
constexpr Error kUnsigned{ErrorCode::unavailable, "entries of the segment are not signed for yet"};

// The complete subtrees of a tree that make up [begin, size), the leftmost first. REQUIRES: begin
// is not 0.
std::vector<Subtree> parts_behind(std::uint64_t begin, std::uint64_t size) {
  std::vector<Subtree> parts;
  while (begin < size) {
    const std::uint64_t aligned = begin & (~begin + 1);
    const std::uint64_t width = std::min(aligned, std::bit_floor(size - begin));
    parts.push_back({begin, begin + width});
    begin += width;
  }
  return parts;
}

// `tree` with the complete subtree of 2^height leaves behind it. REQUIRES: it may stand there.
MerkleTree joined(const MerkleTree& tree, unsigned height, Hash root) {
  std::vector<Hash> complete(tree.complete().begin(), tree.complete().end());
  for (unsigned h = height; ((tree.size() >> h) & 1U) != 0; ++h) {
    root = node_hash(complete.back(), root);
    complete.pop_back();
  }
  complete.push_back(root);
  return {tree.size() + (std::uint64_t{1} << height), std::move(complete)};
}

Result<std::string> lines_of(LogReader& reader, const std::vector<Subtree>& subtrees) {
  std::vector<Hash> hashes;
  hashes.reserve(subtrees.size());
  for (const Subtree& subtree : subtrees) {
    SR_TRY(hashes.emplace_back(), subtree_hash(reader, subtree));
  }
  return proof_lines(hashes);
}

// The time of the last log.break before the segment, as the names of logs have it; empty without
// one.
Result<std::string> broken_before(Files& files, const std::string& directory,
                                  std::uint64_t first_sequence) {
  SR_TRY(const std::vector<std::string> names, list_logs(files, directory));
  std::string newest;
  for (const std::string& name : names) {
    const std::string shard = name.substr(name.rfind('-') + 1);
    if (!is_operators(name) || shard.size() <= kYearDigits) continue;
    SR_TRY(LogReader reader, LogReader::open(files, directory, name));
    SR_TRY(const FramePlace first, reader.place(0));
    if (first.segment_first_sequence < first_sequence) {
      newest = std::max(newest, shard.substr(kYearDigits + 1));  // behind the "b"
    }
  }
  return newest;
}

// One log's part, as the text has it.
struct Claim {
  std::string log_name;
  MerkleTree tree;  // of what was before, then growing
  std::uint64_t end = 0;
  std::vector<Hash> behind;
  std::string note;
};

std::optional<Claim> take_claim(std::string_view& text) {
  Claim claim;
  claim.log_name = take_line(text);
  const auto begin = parse_decimal(take_line(text));
  const auto end = parse_decimal(take_line(text));
  const auto note_size = parse_decimal(take_line(text));
  if (!is_log_name(claim.log_name) || !begin || !end || !note_size || *begin >= *end ||
      *note_size > std::min(text.size(), kNoteBytesMax)) {
    return std::nullopt;
  }
  claim.end = *end;
  claim.note = text.substr(0, *note_size);
  text.remove_prefix(*note_size);
  auto before = take_proof(text);
  auto behind = take_proof(text);
  if (!before || !behind || std::popcount(*begin) != static_cast<int>(before->size())) {
    return std::nullopt;
  }
  claim.tree = MerkleTree(*begin, *std::move(before));
  claim.behind = *std::move(behind);
  return claim;
}

using Claims = std::map<std::string, Claim, std::less<>>;

Result<void> take_entry(Claims& claims, LogNames& names, const FrameView& frame) {
  const auto entry = read_entry(as_text(frame.entry));
  if (!entry) return fail(kBad);
  const auto found = claims.find(names.of(*entry));
  if (found == claims.end() || found->second.tree.size() == found->second.end) return fail(kBad);
  found->second.tree.append(leaf_hash_of_input(frame.leaf_input));
  names.took(*entry);
  return {};
}

Result<void> check_claim(const Claim& claim, const NoteKey& key) {
  SR_TRY(const Note note, parse_note(claim.note));
  SR_TRY(const Checkpoint said, parse_checkpoint_text(note.text));
  SR_TRY(const std::string place, place_of_origin(key.name));
  if (said.origin != log_origin(place, claim.log_name)) return fail(kBad);
  SR_TRY(const NoteVerifier verifier,
         NoteVerifier::create({.name = said.origin, .public_key = key.public_key}));
  SR_CHECK_OK(verifier.verify(note));
  const std::vector<Subtree> subtrees = parts_behind(claim.end, said.size);
  if (claim.tree.size() != claim.end || subtrees.size() != claim.behind.size()) return fail(kBad);
  MerkleTree tree = claim.tree;
  for (std::size_t i = 0; i < subtrees.size(); ++i) {
    const auto width = subtrees[i].end - subtrees[i].begin;
    tree = joined(tree, static_cast<unsigned>(std::countr_zero(width)), claim.behind[i]);
  }
  return tree.head() == said.head() ? Result<void>{} : fail(kBad);
}

}  // namespace

Result<std::string> make_evidence(Files& files, const std::string& directory,
                                  const std::vector<LogPart>& parts, std::uint64_t first_sequence) {
  SR_TRY(const std::string broken_at, broken_before(files, directory, first_sequence));
  std::string text = fmt::format("{}\n{}\n", kFirstLine, broken_at);
  for (const LogPart& part : parts) {
    SR_TRY(LogReader reader, LogReader::open(files, directory, part.log_name));
    SR_TRY(const std::string note, reader.newest_note());
    SR_TRY(const Note parsed, parse_note(note));
    SR_TRY(const Checkpoint said, parse_checkpoint_text(parsed.text));
    if (said.size < part.end) return fail(kUnsigned);
    SR_TRY(const std::string before, lines_of(reader, complete_parts({0, part.begin})));
    SR_TRY(const std::string behind, lines_of(reader, parts_behind(part.end, said.size)));
    text += fmt::format("{}\n{}\n{}\n{}\n{}{}{}", part.log_name, part.begin, part.end, note.size(),
                        note, before, behind);
  }
  return text;
}

Result<void> check_evidence(Files& files, const std::string& directory, const SegmentFacts& facts,
                            std::string_view evidence, const NoteKey& key) {
  if (take_line(evidence) != kFirstLine) return fail(kBad);
  LogNames names{std::string(take_line(evidence))};
  Claims claims;
  while (!evidence.empty()) {
    auto claim = take_claim(evidence);
    if (!claim || claims.contains(claim->log_name)) return fail(kBad);
    std::string name = claim->log_name;
    claims.emplace(std::move(name), *std::move(claim));
  }
  SR_TRY(JournalReader reader, JournalReader::open(files, directory));
  SR_CHECK_OK(reader.start_at_segment(facts.first_sequence));
  for (std::uint64_t sequence = facts.first_sequence; sequence <= facts.last_sequence; ++sequence) {
    SR_TRY(const auto frame, reader.next());
    if (!frame) return fail(kBad);
    SR_CHECK_OK(take_entry(claims, names, *frame));
  }
  for (const auto& [name, claim] : claims) SR_CHECK_OK(check_claim(claim, key));
  return {};
}

}  // namespace strongroom::audit
