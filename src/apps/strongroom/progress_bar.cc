// A progress bar.
#include "apps/strongroom/progress_bar.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstddef>
#include <utility>

namespace strongroom::tool {
namespace {
constexpr std::size_t kWidth = 40;
}  // namespace

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)), terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (shown_percent_ >= 0) fmt::print(stderr, "\n");
}

void ProgressBar::show(std::uint64_t done, std::uint64_t total) {
  if (!terminal_) return;
  const double share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  const int percent = static_cast<int>(share * 100);
  if (percent == shown_percent_) return;
  shown_percent_ = percent;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kWidth));
  fmt::print(stderr, "\r[{:<{}}] {:3} %  {}", std::string(filled, '='), kWidth, percent, what_);
}

}  // namespace strongroom::tool
