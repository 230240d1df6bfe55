// Child: one of the deployment's own programs, which lie beside this one, doing one thing and
// ending; it may be written to or read from meanwhile.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace strongroom::tool {

struct ChildOrder {
  std::string program;   // "connectord"
  std::string config;    // of --config
  std::string instance;  // "connectord-stripe"
  std::string action;    // "--init"
};

class Child {
 public:
  enum class Pipe : std::uint8_t { none, to_its_input, from_its_output };

  // What it says goes where our words go. The error is a sentence.
  [[nodiscard]] static std::expected<Child, std::string> start(const ChildOrder& order, Pipe pipe);
  Child(Child&& other) noexcept
      : order_(std::move(other.order_)),
        pid_(std::exchange(other.pid_, 0)),
        fd_(std::exchange(other.fd_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child();  // ends it, unless wait() was called

  // Our end of the pipe.
  [[nodiscard]] int fd() const noexcept { return fd_; }
  // Closes our end and waits for its end: nothing where it did what was asked.
  [[nodiscard]] std::expected<void, std::string> wait();

 private:
  Child(ChildOrder order, pid_t pid, int fd) : order_(std::move(order)), pid_(pid), fd_(fd) {}
  void close_pipe() noexcept;
  int reap() noexcept;

  ChildOrder order_;
  pid_t pid_;
  int fd_;
};

}  // namespace strongroom::tool
