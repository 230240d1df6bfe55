// audit verify --export.
#include "apps/strongroom/audit_verify_export.h"

#include <fmt/core.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <optional>

#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/checkpoint_list.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/static_export.h"

namespace strongroom::tool {
namespace {

Result<audit::StaticExport> verify_with_bars(const std::string& folder, const LogKey& key) {
  audit::PosixFiles files;
  std::optional<ProgressBar> bar;
  std::string shown;
  return audit::verify_static_export(
      files, folder, key.of(key.origin()),
      [&](const std::string& log, std::uint64_t done, std::uint64_t total) {
        if (!bar || shown != log) bar.emplace(shown = log);
        bar->show(done, total);
      });
}

boost::json::object to_json(const audit::StaticExport& result) {
  if (!result.bad) {
    return {{"ok", true},
            {"complete", result.complete},
            {"logs", checkpoints_json(result.checkpoints)},
            {"gaps", gaps_json(result.gaps)}};
  }
  const audit::BadExport& bad = *result.bad;
  boost::json::object named{{"file", bad.path}, {"what", bad.what}};
  if (!bad.record.empty()) {
    named["record"] = bad.record;
    named["tree_size"] = bad.tree_size;
  }
  return {{"ok", false}, {"bad", std::move(named)}};
}

void print(const audit::StaticExport& result) {
  if (!result.bad) {
    fmt::print("intact{}\n", result.gaps.empty() ? "" : " as far as it goes");
    print_checkpoints(result.checkpoints);
    print_gaps(result.gaps);
    if (!result.complete) {
      fmt::print(
          "  logs of one merchant: without the operator's, nothing shows that none is missing\n");
    }
    return;
  }
  const audit::BadExport& bad = *result.bad;
  fmt::print("NOT INTACT: {}\n  file      {}\n", bad.what, bad.path);
  if (!bad.record.empty()) {
    fmt::print("  recorded  as a tree of {} entries, by {}\n", bad.tree_size, bad.record);
  }
}

}  // namespace

int verify_export(const Context& context, const std::string& folder, const std::string& vkey_path) {
  std::string path = vkey_path;
  if (path.empty()) {
    const auto paths = read_audit_paths(context);
    if (!paths) return paths.error();
    path = paths->vkey;
  }
  const auto key = LogKey::read(path);
  if (!key) return key.error();
  const auto result = verify_with_bars(folder, *key);
  if (!result) {
    return failed(kNotReachable, fmt::format("{}: {}", folder, result.error().what()));
  }
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(to_json(*result)));
  } else {
    print(*result);
  }
  if (result->bad) return kCheckFailed;
  return result->gaps.empty() ? kOk : kArchived;
}

}  // namespace strongroom::tool
