// How an outcome that nobody knows is settled, and when it is tried again (design sections 1 and
// 3): first by the same request under the same key, which the processor repeats the answer to,
// never the effect; past the processor's window by looking it up; past the ticket's time by a
// person.
#pragma once

#include <cstdint>

namespace strongroom::payments {

// A processor keeps idempotency keys for 24 hours at least; an hour is left for clocks and queues.
inline constexpr std::int64_t kRepeatWindowUs = std::int64_t{23} * 3600 * 1'000'000;
// Tickets serve look-ups up to 30 days after they expired; an hour is left here, too.
inline constexpr std::int64_t kLookUpWindowUs = (std::int64_t{30} * 24 - 1) * 3600 * 1'000'000;

enum class SettleBy : std::uint8_t {
  repeat,    // the same request, marked `settle`
  confirm,   // a look-up that can only tell what happened: what it does not show may be late
  look_up,   // a look-up that is believed in everything
  operator_  // nothing automatic is left: the alarm stays
};
// `age_us` is counted from when the operation began; `tries` have been made. After the first few
// repeats every other try is a look-up: a processor that keeps its 500 for the key will never say
// anything else.
[[nodiscard]] SettleBy settle_by(std::int64_t age_us, std::int64_t tries) noexcept;

// How long to wait before try number `tries` + 1; `tries` have been made. Doubles from one second
// to ten minutes. `jitter` in [0, 1) spreads what failed together over a quarter more.
[[nodiscard]] std::int64_t settle_delay_us(std::int64_t tries, double jitter) noexcept;

}  // namespace strongroom::payments
