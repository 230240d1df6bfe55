// TemporaryPostgres: a private PostgreSQL server for one test program, with TLS, in a folder of its
// own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace strongroom::testing {

// Started by initdb and postgres of the newest version installed; as root, under the user
// "postgres".
class TemporaryPostgres {
 public:
  // None, with the reason on standard error, where PostgreSQL is not installed: skip aloud then.
  [[nodiscard]] static std::unique_ptr<TemporaryPostgres> start();
  ~TemporaryPostgres();  // stops the server and removes its folder
  TemporaryPostgres(const TemporaryPostgres&) = delete;
  TemporaryPostgres& operator=(const TemporaryPostgres&) = delete;

  // Makes an empty database; `name` is a plain identifier.
  void create_database(std::string_view name);
  // libpq URIs: over TCP with sslmode=verify-full and a password, and over the Unix socket.
  [[nodiscard]] std::string url(std::string_view database) const;
  [[nodiscard]] std::string unix_url(std::string_view database) const;
  // Runs SQL as the superuser and gives the first column of the first row, or nothing.
  std::string query(std::string_view database, const std::string& sql);

  // Stops every process of the server where it is (as a hung host would), or lets them go on.
  void freeze();
  void thaw();
  // Ends the server at once, without a checkpoint, as a power cut would; and starts it again.
  void crash();
  void restart();

 private:
  explicit TemporaryPostgres(std::filesystem::path binaries);
  void make_cluster();
  void make_certificates();
  void write_settings() const;
  void signal_all(int signal) const;
  [[nodiscard]] std::filesystem::path file(std::string_view name) const { return folder_ / name; }

  std::filesystem::path binaries_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t server_ = -1;
};

}  // namespace strongroom::testing
