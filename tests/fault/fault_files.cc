#include "fault_files.h"

#include <algorithm>

namespace strongroom::audit {
namespace {

constexpr Error kFault{ErrorCode::unavailable, "planned fault"};
constexpr Error kImmutable{ErrorCode::unavailable, "file is immutable"};

// The name of what lies at `path` directly in `directory`.
std::optional<std::string> name_in(const std::string& directory, const std::string& path) {
  if (!path.starts_with(directory + "/")) return std::nullopt;
  std::string name = path.substr(directory.size() + 1);
  if (name.contains('/')) return std::nullopt;
  return name;
}

}  // namespace

class FaultFile final : public File {
 public:
  FaultFile(FaultFiles& files, std::shared_ptr<FaultFiles::Node> node)
      : files_(files), node_(std::move(node)) {}

  Result<std::uint64_t> size() override { return node_->now.size(); }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset >= node_->now.size()) return std::size_t{0};
    const std::size_t count = std::min(out.size(), node_->now.size() - offset);
    std::copy_n(node_->now.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    return count;
  }

  Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (node_->immutable) return fail(kImmutable);
    const bool fails = files_.strikes();
    if (fails) bytes = bytes.first(bytes.size() / 2);
    if (offset + bytes.size() > node_->now.size()) {
      node_->now.resize(offset + bytes.size());
      node_->size_is_dirty = true;
    }
    std::ranges::copy(bytes, node_->now.begin() + static_cast<std::ptrdiff_t>(offset));
    if (!bytes.empty()) {
      const std::size_t last = (offset + bytes.size() - 1) / kSectorBytes;
      for (std::size_t i = offset / kSectorBytes; i <= last; ++i) node_->dirty.insert(i);
    }
    if (fails) return fail(kFault);
    return {};
  }

  Result<void> sync() override {
    ++files_.syncs_;
    const bool fails = files_.strikes();
    if (!fails) {
      node_->durable.resize(node_->now.size());
      for (const std::size_t sector : node_->dirty) copy_sector(*node_, sector);
    }
    node_->dirty.clear();
    if (!fails) node_->size_is_dirty = false;
    if (fails) return fail(kFault);
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    if (node_->immutable) return fail(kImmutable);
    if (files_.strikes()) return fail(kFault);
    node_->now.resize(size);
    node_->size_is_dirty = true;
    std::erase_if(node_->dirty, [&](std::size_t sector) { return sector * kSectorBytes >= size; });
    return {};
  }

  static void copy_sector(FaultFiles::Node& node, std::size_t sector) {
    const std::size_t begin = sector * kSectorBytes;
    const std::size_t end = std::min({begin + kSectorBytes, node.now.size(), node.durable.size()});
    for (std::size_t i = begin; i < end; ++i) node.durable[i] = node.now[i];
  }

 private:
  FaultFiles& files_;
  std::shared_ptr<FaultFiles::Node> node_;
};

bool FaultFiles::strikes() {
  const std::size_t number = calls_++;
  return plan_ && number >= plan_->number && number <= plan_->number + plan_->more;
}

Result<std::unique_ptr<File>> FaultFiles::open(const std::string& path, OpenMode mode) {
  const auto found = nodes_.find(path);
  if (mode != OpenMode::create) {
    if (found == nodes_.end()) return fail({ErrorCode::not_found, "no such file"});
    if (mode == OpenMode::write && found->second->immutable) return fail(kImmutable);
    return std::make_unique<FaultFile>(*this, found->second);
  }
  if (found != nodes_.end()) return fail({ErrorCode::conflict, "file exists"});
  if (strikes()) return fail(kFault);
  const auto node = nodes_.emplace(path, std::make_shared<Node>()).first->second;
  return std::make_unique<FaultFile>(*this, node);
}

Result<std::vector<std::string>> FaultFiles::list(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& [path, node] : nodes_) {
    if (auto name = name_in(directory, path)) names.push_back(*std::move(name));
  }
  return names;
}

Result<std::vector<std::string>> FaultFiles::list_folders(const std::string& directory) {
  std::vector<std::string> names;
  for (const std::string& path : folders_) {
    if (auto name = name_in(directory, path)) names.push_back(*std::move(name));
  }
  return names;
}

Result<void> FaultFiles::make_folder(const std::string& path) {
  if (strikes()) return fail(kFault);
  folders_.insert(path);
  return {};
}

Result<void> FaultFiles::replace(const std::string& path, std::span<const std::byte> bytes) {
  if (strikes()) return fail(kFault);
  const auto node = std::make_shared<Node>();
  node->now.assign(bytes.begin(), bytes.end());
  node->durable = node->now;
  node->name_is_durable = true;
  nodes_.insert_or_assign(path, node);
  return {};
}

Result<void> FaultFiles::remove(const std::string& path) {
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return fail({ErrorCode::not_found, "no such file"});
  if (found->second->immutable) return fail(kImmutable);
  if (strikes()) return fail(kFault);
  if (found->second->name_is_durable) removed_.insert(*found);
  nodes_.erase(found);
  return {};
}

Result<void> FaultFiles::set_immutable(const std::string& path, bool immutable) {
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return fail({ErrorCode::not_found, "no such file"});
  if (strikes()) return fail(kFault);
  found->second->immutable = immutable;
  return {};
}

Result<void> FaultFiles::sync_all(const std::string& directory) {
  for (const auto& [path, node] : nodes_) {
    if (!path.starts_with(directory + "/")) continue;
    if (const auto synced = FaultFile(*this, node).sync(); !synced) return synced;
    node->name_is_durable = true;
  }
  return {};
}

Result<void> FaultFiles::sync_directory(const std::string& directory) {
  if (strikes()) return fail(kFault);
  for (const auto& [path, node] : nodes_) {
    if (name_in(directory, path)) node->name_is_durable = true;
  }
  std::erase_if(removed_,
                [&](const auto& item) { return name_in(directory, item.first).has_value(); });
  return {};
}

void FaultFiles::lose_power(std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto happens = [&random] { return random() % 2 == 0; };
  std::erase_if(removed_, [&](const auto&) { return happens(); });
  nodes_.merge(removed_);
  removed_.clear();
  std::erase_if(nodes_,
                [&](const auto& item) { return !item.second->name_is_durable && happens(); });
  for (const auto& [path, node] : nodes_) {
    if (node->size_is_dirty && happens()) node->durable.resize(node->now.size());
    for (const std::size_t sector : node->dirty) {
      if (happens()) FaultFile::copy_sector(*node, sector);
    }
    node->now = node->durable;
    node->dirty.clear();
    node->size_is_dirty = false;
    node->name_is_durable = true;
    if (happens()) node->immutable = false;
  }
  plan_.reset();
}

}  // namespace strongroom::audit
