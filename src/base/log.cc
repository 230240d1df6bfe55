// One line is built in one string and written at once. The level is read with one relaxed load, so
// a dropped line costs a comparison.
#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <iterator>

#include "base/clock.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom::log {
namespace {

constexpr std::size_t kTextSizeMax = 1024;

std::atomic<Level> g_level{Level::info};
std::array<char, 63> g_process{};
std::size_t g_process_size = 0;

std::string_view level_name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  SR_CHECK(false);
}

// Size of the UTF-8 sequence at `text`'s front (RFC 3629 section 4), or 0 when it is not one.
std::size_t utf8_size(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto tail = [&byte](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = lead == 0xED && byte(1) > 0x9F;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool beyond = lead == 0xF4 && byte(1) > 0x8F;
    return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

// LineBuilder writes the members of one JSON object.
class LineBuilder {
 public:
  void member(std::string_view key, const Value::Variant& value) {
    name(key);
    std::visit([this](const auto& held) { write(held); }, value);
  }
  std::string finish() && {
    if (masked_) member("masked", true);
    line_ += "}\n";
    return std::move(line_);
  }

 private:
  void name(std::string_view key) {
    line_ += line_.empty() ? '{' : ',';
    quote(key);
    line_ += ':';
  }
  void write(bool flag) { line_ += flag ? "true" : "false"; }
  void write(std::int64_t number) { write_number(number); }
  void write(std::uint64_t number) { write_number(number); }
  void write(std::string_view text) {
    if (!looks_like_pan(text)) return quote(text);
    masked_ = true;
    quote(mask_pans(text));
  }
  void write(const Error& error) {
    line_ += R"({"code":)";
    quote(to_string(error.code()));
    line_ += R"(,"what":)";
    quote(error.what());
    if (error.detail() != 0)
      fmt::format_to(std::back_inserter(line_), R"(,"detail":{})", error.detail());
    line_ += '}';
  }
  // A card number may arrive as a number, too.
  void write_number(auto number) {
    const fmt::format_int text(number);
    const std::string_view digits(text.data(), text.size());
    if (looks_like_pan(digits)) return write(digits);
    line_ += digits;
  }
  void quote(std::string_view text) {
    line_ += '"';
    const std::size_t end = line_.size() + kTextSizeMax;
    while (!text.empty() && line_.size() < end) {
      const std::size_t size = utf8_size(text);
      escape(text.substr(0, size));
      text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    if (!text.empty()) line_ += "...";
    line_ += '"';
  }
  void escape(std::string_view character) {
    if (character.empty()) {
      line_ += "\\ufffd";
    } else if (character == "\"" || character == "\\") {
      line_ += '\\';
      line_ += character;
    } else if (static_cast<unsigned char>(character[0]) < 0x20 || character[0] == 0x7F) {
      fmt::format_to(std::back_inserter(line_), "\\u{:04x}", static_cast<unsigned>(character[0]));
    } else {
      line_ += character;
    }
  }

  std::string line_;
  bool masked_ = false;
};

void write_line(Level level, Name event, Fields fields) noexcept try {
  if (!enabled(level)) return;
  const std::string line = format_line(level, SystemClock().now_us(), event, fields);
  // A short or failed write has no remedy here; the next line starts afresh.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
} catch (...) {  // NOLINT(bugprone-empty-catch)
  // Out of memory while building the line: the line is dropped, as promised.
}

}  // namespace

Result<Level> parse_level(std::string_view name) noexcept {
  for (const Level level : {Level::debug, Level::info, Level::warn, Level::error}) {
    if (name == level_name(level)) return level;
  }
  return fail({ErrorCode::invalid_argument, "not a log level"});
}

void set_level(Level level) noexcept { g_level.store(level, std::memory_order_relaxed); }
bool enabled(Level level) noexcept { return level >= g_level.load(std::memory_order_relaxed); }

void set_process(std::string_view name) noexcept {
  g_process_size = std::min(name.size(), g_process.size());
  name.copy(g_process.data(), g_process_size);
}

void debug(Name event, Fields fields) noexcept { write_line(Level::debug, event, fields); }
void info(Name event, Fields fields) noexcept { write_line(Level::info, event, fields); }
void warn(Name event, Fields fields) noexcept { write_line(Level::warn, event, fields); }
void error(Name event, Fields fields) noexcept { write_line(Level::error, event, fields); }

std::string format_line(Level level, std::int64_t unix_us, Name event, Fields fields) {
  LineBuilder line;
  line.member("time", std::string_view(rfc3339(unix_us)));
  line.member("level", level_name(level));
  if (g_process_size != 0)
    line.member("process", std::string_view(g_process.data(), g_process_size));
  line.member("event", event.text());
  for (const Field& field : fields) line.member(field.key.text(), field.value.variant());
  return std::move(line).finish();
}

}  // namespace strongroom::log
