// Shares: how many requests each merchant has under way, so that one whose requests take long (a
// proof waits for its checkpoint) leaves the others room.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace strongroom::connected::relay {

// A sixteenth of what a listener takes (http::ServerOptions).
inline constexpr std::size_t kRequestsPerMerchantMax = 64;

// Belongs to one Loop.
class Shares {
  using UnderWay = std::map<std::string, std::size_t, std::less<>>;

 public:
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

  // nullopt: the merchant has kRequestsPerMerchantMax under way. Those of the platform, which has
  // no merchant id, are one merchant's.
  [[nodiscard]] std::optional<Share> take(std::string_view merchant) {
    auto own = under_way_.find(merchant);
    if (own == under_way_.end()) own = under_way_.emplace(std::string(merchant), 0).first;
    if (own->second >= kRequestsPerMerchantMax) return std::nullopt;
    return Share(under_way_, own);
  }

 private:
  UnderWay under_way_;
};

}  // namespace strongroom::connected::relay
