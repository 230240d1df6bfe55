// audit_bench [OPTION...]: the CPU time that one audit entry costs: to write its JSON, to read it,
// to hash it into a tree. OPTIONs are Google Benchmark's.
#include <benchmark/benchmark.h>

#include "audit/entry_view.h"
#include "audit/merkle.h"
#include "audit/sample.h"
#include "base/encoding.h"

namespace strongroom::bench {
namespace {

void write_json(benchmark::State& state) {
  const audit::Entry entry = new_entry();
  std::size_t size = 0;
  for (auto _ : state) size += audit::to_json(entry).size();
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(audit::to_json(entry).size());
  benchmark::DoNotOptimize(size);
}
BENCHMARK(write_json);

void read_json(benchmark::State& state) {
  const std::string json = audit::to_json(new_entry());
  for (auto _ : state) benchmark::DoNotOptimize(audit::read_entry(json));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_json);

void hash_leaf(benchmark::State& state) {
  const std::string json = audit::to_json(new_entry());
  audit::MerkleTree tree;
  for (auto _ : state) tree.append(audit::leaf_hash_of_input(as_bytes(json)));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(hash_leaf);

}  // namespace
}  // namespace strongroom::bench

BENCHMARK_MAIN();
