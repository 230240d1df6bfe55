#include "pkcs11/session_pool.h"

#include "base/try.h"

namespace strongroom::pkcs11 {

Lease::~Lease() {
  if (pool_ != nullptr) pool_->give_back(std::move(session_));
}

SessionPool::SessionPool(std::vector<Session> sessions)
    : size_(sessions.size()), free_(std::move(sessions)) {}

SessionPool::~SessionPool() { SR_CHECK(free_.size() == size_); }

Result<std::unique_ptr<SessionPool>> SessionPool::open(Token& token, std::size_t size) {
  if (size == 0 || size > kSessionsMax) {
    return fail({ErrorCode::invalid_argument, "HSM: wrong size of the session pool"});
  }
  std::vector<Session> sessions;
  sessions.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    SR_TRY(Session session, Session::open(token));
    sessions.push_back(std::move(session));
  }
  return std::unique_ptr<SessionPool>(new SessionPool(std::move(sessions)));
}

Lease SessionPool::lease() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return !free_.empty(); });
  return take();
}

std::optional<Lease> SessionPool::try_lease() {
  const std::scoped_lock lock(mutex_);
  if (free_.empty()) return std::nullopt;
  return take();
}

Lease SessionPool::take() {
  Session session = std::move(free_.back());
  free_.pop_back();
  return Lease(*this, std::move(session));
}

void SessionPool::give_back(Session session) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    free_.push_back(std::move(session));  // never grows past the capacity it had at first
  }
  returned_.notify_one();
}

}  // namespace strongroom::pkcs11
