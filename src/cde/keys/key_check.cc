// What an assessor asks: whether registry and HSM agree.
#include <map>
#include <string>
#include <utility>

#include "base/try.h"
#include "cde/keys/key_keeper.h"

namespace strongroom::cde {

async::Task<Result<std::vector<KeyKeeper::Finding>>> KeyKeeper::check() {
  std::vector<Finding> findings;
  SR_CO_TRY(const std::vector<std::string> foreign, co_await registry_.check());
  findings.reserve(foreign.size());
  for (const std::string& label : foreign) {
    findings.push_back({label, label.empty() ? "which rows there are was changed by another hand"
                                             : "its row was changed by another hand"});
  }
  SR_CO_TRY(const std::int64_t revision, co_await registry_.revision());
  if (revision < records_.revision) findings.push_back({{}, std::string(kRegistryOlder.what())});
  // The HSM first: what is made meanwhile is not in its list, and what is in it may be registered
  // by the time the registry is read.
  std::map<KeyName, std::vector<std::uint32_t>> there;
  for (const KeyName name : kKeyNames) {
    SR_CO_TRY(there[name], co_await parts_.keys.versions(name));
  }
  auto read = co_await registry_.read();
  if (read) {
    const auto ledger = co_await registry_.read_ledger(*read);
    if (!ledger && ledger.error().code() == ErrorCode::corrupt) {
      findings.push_back({{}, "its ledger of backups was changed by another hand"});
    }
  }
  const KeyRecords records = read ? *std::move(read) : records_;
  for (const auto& [name, versions] : there) {
    for (const std::uint32_t version : versions) {
      const RegisteredKey* const known = records.find(name, version);
      if (known == nullptr) {
        findings.push_back({key_label(name, version), "is in the HSM, but not registered"});
      } else if (known->state == KeyState::destroyed) {
        findings.push_back(
            {key_label(name, version), "is in the HSM, but registered as destroyed"});
      }
    }
  }
  for (const RegisteredKey& key : records.keys) {
    if (!is_open(key.state)) continue;
    const auto value = co_await parts_.keys.check_value(key.name, key.version);
    if (value && *value == key.check_value) continue;
    const ErrorCode code = value ? ErrorCode::conflict : value.error().code();
    if (code == ErrorCode::not_found) {
      findings.push_back({key.label(), "is registered, but not in the HSM"});
    } else if (code == ErrorCode::conflict) {
      findings.push_back({key.label(), "is another key in the HSM than was registered"});
    } else if (code == ErrorCode::permission_denied) {
      findings.push_back({key.label(), "has another purpose in the HSM, or can be read out"});
    } else {
      co_return fail(value.error());
    }
  }
  co_return findings;
}

}  // namespace strongroom::cde
