// A progress bar on standard error, where that is a terminal.
#pragma once

#include <cstdint>
#include <string>

namespace strongroom::tool {

class ProgressBar {
 public:
  explicit ProgressBar(std::string what);  // shown behind the bar
  ~ProgressBar();                          // ends the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void show(std::uint64_t done, std::uint64_t total);

 private:
  std::string what_;
  bool terminal_;
  int shown_percent_ = -1;
};

}  // namespace strongroom::tool
