// hsm_bench MODULE TOKEN PIN_FILE [OPTION...]: what one key operation costs in a PKCS#11 module,
// with keys used where they stand on the token (/token) and as session copies (/copy), one session
// per thread. Rates are items_per_second of all threads together. OPTIONs are Google Benchmark's.
// It makes two keys on the token and destroys them at its end; never point it at a token in
// service.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"
#include "pkcs11/session.h"

namespace strongroom {
namespace {

using pkcs11::KeyHandle;
using pkcs11::KeyPurpose;
using pkcs11::Session;

constexpr std::size_t kDekBytes = 32;
constexpr std::size_t kPinBytesMax = 256;

template <class T>
T must(Result<T> result) {
  SR_CHECK(result);
  return *std::move(result);
}

struct Keys {
  KeyHandle wrap;
  KeyHandle mac;
};

// The token that all benchmarks share.
class Hsm {
 public:
  Hsm(const char* module, const char* token, const char* pin_file)
      : module_(must(pkcs11::Module::load(module))),
        token_(must(pkcs11::Token::open(*module_, token,
                                        must(read_secret_file(pin_file, kPinBytesMax))))) {}
  Hsm(const Hsm&) = delete;
  Hsm& operator=(const Hsm&) = delete;
  ~Hsm() { SR_CHECK(token_->destroy_key(originals_.wrap) && token_->destroy_key(originals_.mac)); }

  Session session() { return must(Session::open(*token_)); }
  const Keys& keys(bool copied) const { return copied ? copies_ : originals_; }

 private:
  KeyHandle generate(const std::string& label, KeyPurpose purpose) {
    const auto id = as_bytes(label);
    return must(token_->generate_secret_key(
        {.label = label, .id = {id.begin(), id.end()}, .purpose = purpose}));
  }

  std::unique_ptr<pkcs11::Module> module_;
  std::unique_ptr<pkcs11::Token> token_;
  Keys originals_{generate("hsm_bench/wrap", KeyPurpose::aes256_wrap),
                  generate("hsm_bench/mac", KeyPurpose::hmac_sha256)};
  Keys copies_{must(token_->copy_to_session(originals_.wrap)),
               must(token_->copy_to_session(originals_.mac))};
};

void hmac(benchmark::State& state, Hsm& hsm, bool copied) {
  Session session = hsm.session();
  const KeyHandle key = hsm.keys(copied).mac;
  const std::array<std::byte, 64> data{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(must(session.hmac_sha256(key, data)));
  }
  state.SetItemsProcessed(state.iterations());
}

void encrypt(benchmark::State& state, Hsm& hsm, bool copied) {
  Session session = hsm.session();
  const KeyHandle key = hsm.keys(copied).wrap;
  const std::array<std::byte, kDekBytes> dek{};
  std::array<std::byte, kDekBytes + pkcs11::kGcmTagBytes> out;
  std::array<std::byte, pkcs11::kGcmNonceBytes> nonce{};
  for (auto _ : state) {
    SR_CHECK(session.encrypt_gcm(key, nonce, as_bytes("context"), dek, out));
  }
  state.SetItemsProcessed(state.iterations());
}

void decrypt(benchmark::State& state, Hsm& hsm, bool copied) {
  Session session = hsm.session();
  const KeyHandle key = hsm.keys(copied).wrap;
  const std::array<std::byte, kDekBytes> dek{};
  std::array<std::byte, kDekBytes + pkcs11::kGcmTagBytes> sealed, out;
  std::array<std::byte, pkcs11::kGcmNonceBytes> nonce{};
  SR_CHECK(session.encrypt_gcm(key, nonce, as_bytes("context"), dek, sealed));
  for (auto _ : state) {
    must(session.decrypt_gcm(key, nonce, as_bytes("context"), sealed, out));
  }
  state.SetItemsProcessed(state.iterations());
}

void list_benchmarks(Hsm& hsm) {
  using Run = void (*)(benchmark::State&, Hsm&, bool);
  constexpr std::array<std::pair<const char*, Run>, 3> kRuns = {
      {{"hmac_sha256", hmac}, {"encrypt_gcm_32", encrypt}, {"decrypt_gcm_32", decrypt}}};
  for (const auto& [name, run] : kRuns) {
    for (const bool copied : {false, true}) {
      const std::string title = std::string(name) + (copied ? "/copy" : "/token");
      benchmark::RegisterBenchmark(
          title.c_str(), [run, &hsm, copied](benchmark::State& state) { run(state, hsm, copied); })
          ->Threads(1)
          ->Threads(2)
          ->UseRealTime();
    }
  }
}

}  // namespace
}  // namespace strongroom

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 4) {
    std::fputs("usage: hsm_bench MODULE TOKEN PIN_FILE [OPTION...]\n", stderr);
    return 2;
  }
  strongroom::Hsm hsm(argv[1], argv[2], argv[3]);
  strongroom::list_benchmarks(hsm);
  benchmark::RunSpecifiedBenchmarks();
}
