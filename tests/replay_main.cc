// The main of a fuzzer without libFuzzer: gives each file of a corpus folder, and the empty input,
// to LLVMFuzzerTestOneInput once. A finding aborts, as it does under libFuzzer. Exits 2 when there
// is no corpus: a replay of nothing would pass for ever.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

// libFuzzer's interface: https://llvm.org/docs/LibFuzzer.html#fuzz-target
extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size);

namespace {

std::vector<char> read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replay(const std::vector<char>& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::error_code error;
  std::size_t count = 0;
  if (argc == 2) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[1], error)) {
      replay(read(entry.path()));
      ++count;
    }
  }
  if (count == 0) {
    std::fputs("usage: a folder with at least one input\n", stderr);
    return 2;
  }
  replay({});
  std::printf("replayed %zu inputs\n", count);
  return 0;
}
