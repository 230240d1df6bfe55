// BoundedMap: what a simulator remembers, by id. When it is full the oldest is forgotten, so that a
// load test of any length runs in the same memory.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace strongroom::simulators {

// Values keep their address until they are forgotten. One thread at a time.
template <class Value>
class BoundedMap {
 public:
  explicit BoundedMap(std::size_t size_max) : size_max_(size_max) {}

  // Adds `value`, or puts it in the place of the one that has `key`.
  Value& put(const std::string& key, Value value) {
    const auto [entry, fresh] = values_.insert_or_assign(key, std::move(value));
    if (fresh) by_age_.push_back(key);
    while (values_.size() > size_max_) {
      values_.erase(by_age_.front());
      by_age_.pop_front();
    }
    return entry->second;
  }
  // Null when nothing has `key`, or it was forgotten.
  [[nodiscard]] Value* find(std::string_view key) noexcept {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }
  // Removing is as costly as the map is large: for the rare case.
  void remove(const std::string& key) {
    if (values_.erase(key) > 0) std::erase(by_age_, key);
  }
  // Keys, the oldest first.
  [[nodiscard]] const std::deque<std::string>& keys() const noexcept { return by_age_; }
  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::size_t size_max_;
  std::unordered_map<std::string, Value, Hash, std::equal_to<>> values_;
  std::deque<std::string> by_age_;
};

}  // namespace strongroom::simulators
