// Starting a program, by posix_spawn.
#include "apps/strongroom/child.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

std::string text_of(int error) { return std::generic_category().message(error); }

// The child's end first.
std::array<int, 2> make_pipe(Child::Pipe pipe) {
  std::array<int, 2> ends{-1, -1};
  if (pipe == Child::Pipe::none) return ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {-1, -1};
  if (pipe == Child::Pipe::from_its_output) std::swap(ends[0], ends[1]);
  return ends;
}

}  // namespace

std::expected<Child, std::string> Child::start(const ChildOrder& order, Pipe pipe) {
  std::error_code error;
  const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path();
  const std::string path = (beside / order.program).string();
  std::array<std::string, 6> words{path,         "--config",     order.config,
                                   "--instance", order.instance, order.action};
  std::array<char*, words.size() + 1> arguments{};
  std::ranges::transform(words, arguments.begin(), [](std::string& word) { return word.data(); });

  const auto [theirs, ours] = make_pipe(pipe);
  if (pipe != Pipe::none && ours < 0) return std::unexpected("a pipe: " + text_of(errno));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (theirs >= 0) {
    const int standard = pipe == Pipe::to_its_input ? STDIN_FILENO : STDOUT_FILENO;
    ::posix_spawn_file_actions_adddup2(&actions, theirs, standard);
  }
  pid_t child = 0;
  const int spawned =
      ::posix_spawn(&child, path.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (theirs >= 0) ::close(theirs);
  if (spawned != 0) {
    if (ours >= 0) ::close(ours);
    return std::unexpected(fmt::format("{}: {}", path, text_of(spawned)));
  }
  return Child(order, child, ours);
}

Child::~Child() {
  close_pipe();
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  reap();
}

void Child::close_pipe() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

int Child::reap() noexcept {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return status;
}

std::expected<void, std::string> Child::wait() {
  close_pipe();
  const int status = reap();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return std::unexpected(
      fmt::format("{} {} failed (its reason stands above)", order_.program, order_.action));
}

}  // namespace strongroom::tool
