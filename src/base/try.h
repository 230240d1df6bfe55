// The project's only macros: early return on error, and checks that stay in release builds.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <expected>
#include <utility>

#define SR_JOIN_(a, b) a##b
#define SR_JOIN(a, b) SR_JOIN_(a, b)

// SR_TRY(decl, expr) evaluates `expr` to a Result; returns its error, else binds the value to
// `decl`.
#define SR_TRY(decl, expr) SR_TRY_(SR_JOIN(sr_try_, __COUNTER__), decl, expr)
#define SR_TRY_(tmp, decl, expr)                 \
  auto tmp = (expr);                             \
  if (!tmp) return std::unexpected(tmp.error()); \
  decl = *std::move(tmp)

// SR_CHECK_OK(expr) returns the error of a Result<void>.
#define SR_CHECK_OK(expr)                                                   \
  do {                                                                      \
    if (auto sr_ok = (expr); !sr_ok) return std::unexpected(sr_ok.error()); \
  } while (false)

// The same two for coroutines.
#define SR_CO_TRY(decl, expr) SR_CO_TRY_(SR_JOIN(sr_try_, __COUNTER__), decl, expr)
#define SR_CO_TRY_(tmp, decl, expr)                 \
  auto tmp = (expr);                                \
  if (!tmp) co_return std::unexpected(tmp.error()); \
  decl = *std::move(tmp)
#define SR_CO_CHECK_OK(expr)                                                   \
  do {                                                                         \
    if (auto sr_ok = (expr); !sr_ok) co_return std::unexpected(sr_ok.error()); \
  } while (false)

// SR_CHECK(condition) aborts on a bug, in every build. It prints the source line, never a value.
#define SR_CHECK(condition)                                            \
  do {                                                                 \
    if (!(condition)) [[unlikely]] {                                   \
      std::fputs(__FILE__ ": check failed: " #condition "\n", stderr); \
      std::abort();                                                    \
    }                                                                  \
  } while (false)
