// SessionPool: a fixed number of Sessions for threads that do not own one. A Lease is the Session
// itself, moved out of the pool, so nobody else can reach it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pkcs11/session.h"

namespace strongroom::pkcs11 {

class SessionPool;

// Lease is one Session until it is destroyed; then the Session goes back. It outlives no pool.
class Lease {
 public:
  Lease(Lease&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), session_(std::move(other.session_)) {}
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  Session& operator*() & noexcept { return session_; }
  Session& operator*() && = delete;
  Session* operator->() noexcept { return &session_; }

 private:
  friend class SessionPool;
  Lease(SessionPool& pool, Session session) noexcept : pool_(&pool), session_(std::move(session)) {}
  SessionPool* pool_;
  Session session_;
};

// SessionPool is thread-safe. It outlives its Leases and is outlived by its Token.
class SessionPool {
 public:
  static constexpr std::size_t kSessionsMax = 256;

  // Opens `size` sessions, 1..kSessionsMax. Errors: invalid_argument, exhausted (the token has no
  // more sessions), unavailable.
  [[nodiscard]] static Result<std::unique_ptr<SessionPool>> open(Token& token, std::size_t size);
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;
  ~SessionPool();  // aborts when a Lease is still out

  // A Session; waits while all are out. The one used last comes first.
  [[nodiscard]] Lease lease();
  // A Session, or nothing when all are out.
  [[nodiscard]] std::optional<Lease> try_lease();

 private:
  friend class Lease;
  explicit SessionPool(std::vector<Session> sessions);
  [[nodiscard]] Lease take();  // REQUIRES mutex_ and a free session
  void give_back(Session session) noexcept;

  const std::size_t size_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Session> free_;
};

}  // namespace strongroom::pkcs11
