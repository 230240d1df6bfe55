// Snapshot: writing and reading its bytes.
#include "audit/snapshot.h"

#include <algorithm>
#include <bit>

#include "audit/snapshot_signature.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/hash.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kMagic = "SRSNAP04";
constexpr Error kDamaged{ErrorCode::corrupt, "snapshot of the audit log is damaged"};

void append_text(std::vector<std::byte>& out, std::string_view text) {
  append_u32be(out, static_cast<std::uint32_t>(text.size()));
  append_bytes(out, as_bytes(text));
}

void append_log(std::vector<std::byte>& out, const Snapshot::LogState& log) {
  append_text(out, log.name);
  append_u64be(out, log.tree.size());
  append_u64be(out, log.recorded_size);
  for (const Hash& hash : log.tree.complete()) append_bytes(out, hash);
}

void append_writer(std::vector<std::byte>& out, const Snapshot::WriterState& writer) {
  append_text(out, writer.instance);
  append_u32be(out, static_cast<std::uint32_t>(writer.uids.size()));
  for (const EntryId& uid : writer.uids) append_bytes(out, uid.bytes);
  append_u32be(out, static_cast<std::uint32_t>(writer.open_intents.size()));
  for (const auto& [operation, json] : writer.open_intents) {
    append_bytes(out, operation.bytes);
    append_text(out, json);
  }
}

// The first failure sticks; afterwards every call gives nothing.
class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> take(std::size_t size) {
    ok_ = ok_ && size <= bytes_.size();
    if (!ok_) return {};
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  std::uint32_t u32() {
    const auto taken = take(4);
    return ok_ ? read_u32be(taken) : 0;
  }
  std::uint64_t u64() {
    const auto taken = take(8);
    return ok_ ? read_u64be(taken) : 0;
  }
  std::string text() { return std::string(as_text(take(u32()))); }
  template <std::size_t N>
  void fill(std::array<std::byte, N>& out) {
    const auto taken = take(N);
    if (ok_) std::ranges::copy(taken, out.begin());
  }
  // A count of things of `size_min` bytes or more, which must still be there.
  std::size_t count(std::size_t size_min) {
    const std::size_t number = u32();
    ok_ = ok_ && number <= bytes_.size() / size_min;
    return ok_ ? number : 0;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
  bool ok_ = true;
};

void append_archive(std::vector<std::byte>& out, std::uint64_t first_sequence,
                    const ArchiveRecord& record) {
  append_u64be(out, first_sequence);
  append_bytes(out, record.sha256);
  append_u64be(out, static_cast<std::uint64_t>(record.locked_until_ms));
  append_u64be(out, static_cast<std::uint64_t>(record.restored_until_ms));
  out.push_back(std::byte{record.disposed});
}

void append_failure(std::vector<std::byte>& out, std::string_view control,
                    const FailureRecord& failure) {
  append_text(out, control);
  append_bytes(out, failure.id.bytes);
  append_text(out, failure.cause);
}

constexpr std::size_t kDigestBytes = sizeof(crypto::Sha256Digest);
constexpr std::size_t kArchiveBytes = 57, kFailureBytesMin = 24;
constexpr std::size_t kLogBytesMin = 20, kWriterBytesMin = 12, kIntentBytesMin = 20;

Snapshot::LogState read_log(Input& in) {
  Snapshot::LogState log;
  log.name = in.text();
  const std::uint64_t size = in.u64();
  log.recorded_size = in.u64();
  std::vector<Hash> complete(in.ok() ? static_cast<std::size_t>(std::popcount(size)) : 0);
  for (Hash& hash : complete) in.fill(hash);
  log.tree = MerkleTree(in.ok() ? size : 0, std::move(complete));
  return log;
}

Snapshot::WriterState read_writer(Input& in) {
  Snapshot::WriterState writer;
  writer.instance = in.text();
  writer.uids.resize(in.count(sizeof(EntryId)));
  for (EntryId& uid : writer.uids) in.fill(uid.bytes);
  writer.open_intents.resize(in.count(kIntentBytesMin));
  for (auto& [operation, json] : writer.open_intents) {
    in.fill(operation.bytes);
    json = in.text();
  }
  return writer;
}

void read_archive(Input& in, ArchiveRecords& records) {
  ArchiveRecord& record = records[in.u64()];
  in.fill(record.sha256);
  record.locked_until_ms = static_cast<std::int64_t>(in.u64());
  record.restored_until_ms = static_cast<std::int64_t>(in.u64());
  const auto disposed = in.take(1);
  record.disposed = !disposed.empty() && disposed[0] != std::byte{0};
}

void read_failure(Input& in, FailureRecords& records) {
  FailureRecord& failure = records[in.text()];
  in.fill(failure.id.bytes);
  failure.cause = in.text();
}

}  // namespace

std::vector<std::byte> encode_snapshot(const Snapshot& snapshot,
                                       const crypto::Ed25519Signer& signer) {
  std::vector<std::byte> out;
  append_bytes(out, as_bytes(kMagic));
  append_u64be(out, snapshot.last_frame.segment_first_sequence);
  append_u32be(out, snapshot.last_frame.offset_bytes);
  append_u64be(out, snapshot.last_sequence);
  append_bytes(out, snapshot.last_leaf);
  append_text(out, snapshot.broken_at);
  append_u32be(out, static_cast<std::uint32_t>(snapshot.logs.size()));
  for (const Snapshot::LogState& log : snapshot.logs) append_log(out, log);
  append_u32be(out, static_cast<std::uint32_t>(snapshot.writers.size()));
  for (const Snapshot::WriterState& writer : snapshot.writers) append_writer(out, writer);
  append_u32be(out, static_cast<std::uint32_t>(snapshot.archives.size()));
  for (const auto& [sequence, record] : snapshot.archives) append_archive(out, sequence, record);
  append_u32be(out, static_cast<std::uint32_t>(snapshot.failures.size()));
  for (const auto& [control, failure] : snapshot.failures) append_failure(out, control, failure);
  append_bytes(out, crypto::sha256(out));
  sign_snapshot(out, signer);
  return out;
}

Result<Snapshot> parse_snapshot(std::span<const std::byte> bytes) {
  constexpr std::size_t kEndBytes = kDigestBytes + kSnapshotSignatureBytes;
  if (bytes.size() < kEndBytes) return fail(kDamaged);
  const auto content = bytes.first(bytes.size() - kEndBytes);
  const auto digest = bytes.subspan(content.size(), kDigestBytes);
  if (!std::ranges::equal(crypto::sha256(content), digest)) return fail(kDamaged);
  Input in(content);
  if (as_text(in.take(kMagic.size())) != kMagic) return fail(kDamaged);
  Snapshot snapshot;
  snapshot.last_frame.segment_first_sequence = in.u64();
  snapshot.last_frame.offset_bytes = in.u32();
  snapshot.last_sequence = in.u64();
  in.fill(snapshot.last_leaf);
  snapshot.broken_at = in.text();
  const std::size_t logs = in.count(kLogBytesMin);
  snapshot.logs.reserve(logs);
  for (std::size_t i = 0; i < logs && in.ok(); ++i) snapshot.logs.push_back(read_log(in));
  const std::size_t writers = in.count(kWriterBytesMin);
  snapshot.writers.reserve(writers);
  for (std::size_t i = 0; i < writers && in.ok(); ++i) snapshot.writers.push_back(read_writer(in));
  const std::size_t archives = in.count(kArchiveBytes);
  for (std::size_t i = 0; i < archives && in.ok(); ++i) read_archive(in, snapshot.archives);
  const std::size_t failures = in.count(kFailureBytesMin);
  for (std::size_t i = 0; i < failures && in.ok(); ++i) read_failure(in, snapshot.failures);
  if (!in.at_end()) return fail(kDamaged);
  return snapshot;
}

}  // namespace strongroom::audit
