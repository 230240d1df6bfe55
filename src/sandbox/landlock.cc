// The kernel's interface is declared here (include/uapi/linux/landlock.h of Linux 6.15), because
// Debian 12's header ends before TCP rules.
#include "sandbox/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/try.h"

namespace strongroom::sandbox {
namespace {

constexpr std::uint64_t kExecute = 1U << 0;
constexpr std::uint64_t kWriteFile = 1U << 1;
constexpr std::uint64_t kReadFile = 1U << 2;
constexpr std::uint64_t kReadFolder = 1U << 3;
constexpr std::uint64_t kRemoveFolder = 1U << 4;
constexpr std::uint64_t kRemoveFile = 1U << 5;
constexpr std::uint64_t kMakeFolder = 1U << 7;
constexpr std::uint64_t kMakeRegular = 1U << 8;
constexpr std::uint64_t kMakeSocket = 1U << 9;
constexpr std::uint64_t kRename = 1U << 13;       // from folder to folder; ABI 2
constexpr std::uint64_t kTruncate = 1U << 14;     // ABI 3
constexpr std::uint64_t kIoctlDevice = 1U << 15;  // ABI 5
constexpr std::uint64_t kFilesOfAbi1 = (1U << 13) - 1;
constexpr std::uint64_t kFileOnly = kExecute | kWriteFile | kReadFile | kTruncate;

constexpr std::uint64_t kBindTcp = 1U << 0;        // ABI 4
constexpr std::uint64_t kConnectTcp = 1U << 1;     // ABI 4
constexpr std::uint64_t kScopeAbstract = 1U << 0;  // ABI 6
constexpr std::uint64_t kScopeSignal = 1U << 1;    // ABI 6

constexpr std::uint64_t kRead = kReadFile | kReadFolder;
constexpr std::uint64_t kWrite =
    kRead | kWriteFile | kTruncate | kMakeRegular | kMakeFolder | kRemoveFile | kRemoveFolder;
constexpr std::uint64_t kSockets = kMakeSocket | kRemoveFile;

constexpr unsigned kCreateVersion = 1;
enum class RuleType : int { path_beneath = 1, net_port = 2 };

struct RulesetAttributes {
  std::uint64_t handled_files;
  std::uint64_t handled_net;
  std::uint64_t scoped;
};
struct [[gnu::packed]] PathRule {
  std::uint64_t allowed;
  std::int32_t parent;
};
struct PortRule {
  std::uint64_t allowed;
  std::uint64_t port;
};

Error kernel_error() {
  return Error(ErrorCode::unavailable, "Landlock refused")
      .with_detail(static_cast<std::uint32_t>(errno));
}

// What ABI `abi` can handle; everything handled is denied unless a rule allows it.
RulesetAttributes attributes_of(int abi) {
  RulesetAttributes attributes{.handled_files = kFilesOfAbi1, .handled_net = 0, .scoped = 0};
  if (abi >= 2) attributes.handled_files |= kRename;
  if (abi >= 3) attributes.handled_files |= kTruncate;
  if (abi >= 4) attributes.handled_net = kBindTcp | kConnectTcp;
  if (abi >= 5) attributes.handled_files |= kIoctlDevice;
  if (abi >= 6) attributes.scoped = kScopeAbstract | kScopeSignal;
  return attributes;
}

// Signals and device ioctls are missing here because seccomp denies them on every kernel.
std::vector<std::string_view> gaps_of(int abi) {
  if (abi == 0) return {"landlock: absent, files and TCP ports are not restricted"};
  std::vector<std::string_view> gaps;
  if (abi < 3) gaps.emplace_back("landlock: no rule for truncating files before ABI 3");
  if (abi < 4) gaps.emplace_back("landlock: no rules for TCP ports before ABI 4");
  if (abi < 6) gaps.emplace_back("landlock: no scope for abstract Unix sockets before ABI 6");
  return gaps;
}

class Ruleset {
 public:
  static Result<Ruleset> create(int abi) {
    const RulesetAttributes attributes = attributes_of(abi);
    const long fd = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0U);
    if (fd < 0) return fail(kernel_error());
    return Ruleset(static_cast<int>(fd), attributes);
  }
  Ruleset(Ruleset&& other) noexcept : fd_(std::exchange(other.fd_, -1)), handled_(other.handled_) {}
  Ruleset& operator=(Ruleset&&) = delete;
  ~Ruleset() {
    if (fd_ >= 0) ::close(fd_);
  }

  Result<void> allow_paths(const std::vector<std::string>& paths, std::uint64_t access) const {
    for (const std::string& path : paths) SR_CHECK_OK(allow_path(path, access));
    return {};
  }
  Result<void> allow_ports(const std::vector<std::uint16_t>& ports, std::uint64_t access) const {
    if ((access & handled_.handled_net) == 0) return {};
    for (const std::uint16_t port : ports) {
      const PortRule rule{.allowed = access, .port = port};
      SR_CHECK_OK(add(RuleType::net_port, &rule));
    }
    return {};
  }
  Result<void> restrict_self() const {
    if (::syscall(SYS_landlock_restrict_self, fd_, 0U) != 0) return fail(kernel_error());
    return {};
  }

 private:
  Ruleset(int fd, RulesetAttributes handled) noexcept : fd_(fd), handled_(handled) {}

  Result<void> allow_path(const std::string& path, std::uint64_t access) const {
    const int parent = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (parent < 0) return fail(path_error(errno));
    struct stat status{};
    const bool folder = ::fstat(parent, &status) == 0 && S_ISDIR(status.st_mode);
    const PathRule rule{
        .allowed = access & handled_.handled_files & (folder ? ~std::uint64_t{0} : kFileOnly),
        .parent = parent};
    const Result<void> added = add(RuleType::path_beneath, &rule);
    ::close(parent);
    return added;
  }
  static Error path_error(int number) {
    const auto detail = static_cast<std::uint32_t>(number);
    if (number == ENOENT || number == ENOTDIR) {
      return Error(ErrorCode::not_found, "a path of the sandbox's list is absent")
          .with_detail(detail);
    }
    return Error(ErrorCode::permission_denied, "a path of the sandbox's list cannot be reached")
        .with_detail(detail);
  }
  Result<void> add(RuleType type, const void* rule) const {
    if (::syscall(SYS_landlock_add_rule, fd_, static_cast<int>(type), rule, 0U) != 0) {
      return fail(kernel_error());
    }
    return {};
  }

  int fd_;
  RulesetAttributes handled_;
};

}  // namespace

Result<Enforced> restrict_by_landlock(const Rights& rights) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kCreateVersion);
  const int abi = version < 0 ? 0 : static_cast<int>(version);
  Enforced enforced{.landlock_abi = abi, .gaps = gaps_of(abi)};
  if (abi == 0) return enforced;
  SR_TRY(const Ruleset ruleset, Ruleset::create(abi));
  SR_CHECK_OK(ruleset.allow_paths(rights.read_paths, kRead));
  SR_CHECK_OK(ruleset.allow_paths(rights.write_paths, kWrite));
  SR_CHECK_OK(ruleset.allow_paths(rights.socket_folders, kSockets));
  SR_CHECK_OK(ruleset.allow_ports(rights.connect_ports, kConnectTcp));
  SR_CHECK_OK(ruleset.allow_ports(rights.bind_ports, kBindTcp));
  SR_CHECK_OK(ruleset.restrict_self());
  return enforced;
}

}  // namespace strongroom::sandbox
