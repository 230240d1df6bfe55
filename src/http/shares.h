// Shares: how many requests each merchant has under way, so that one whose requests take long
// leaves the others room.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace strongroom::http {

// Belongs to one Loop.
class Shares {
  using UnderWay = std::map<std::string, std::size_t, std::less<>>;

 public:
  explicit Shares(std::size_t requests_max) noexcept : requests_max_(requests_max) {}

  // One request, until it goes. The Shares outlive it.
  class Share {
   public:
    Share(Share&& other) noexcept : all_(std::exchange(other.all_, nullptr)), own_(other.own_) {}
    Share& operator=(Share&&) = delete;
    ~Share() {
      if (all_ != nullptr && --own_->second == 0) all_->erase(own_);
    }

   private:
    friend class Shares;
    Share(UnderWay& all, UnderWay::iterator own) : all_(&all), own_(own) { ++own->second; }
    UnderWay* all_;
    UnderWay::iterator own_;
  };

  // nullopt: the merchant has `requests_max` under way. Those of the platform, which has
  // no merchant id, are one merchant's.
  [[nodiscard]] std::optional<Share> take(std::string_view merchant) {
    auto own = under_way_.find(merchant);
    if (own == under_way_.end()) own = under_way_.emplace(std::string(merchant), 0).first;
    if (own->second >= requests_max_) return std::nullopt;
    return Share(under_way_, own);
  }

 private:
  std::size_t requests_max_;
  UnderWay under_way_;
};

}  // namespace strongroom::http
