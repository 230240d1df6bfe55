// hsm_bench: what one key operation costs in SoftHSM, with keys used where they stand on the token
// (/token) and as session copies (/copy), one session per thread. Rates are items_per_second of all
// threads together.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <string>

#include "base/encoding.h"
#include "base/try.h"
#include "pkcs11/session.h"
#include "support/softhsm.h"

namespace strongroom {
namespace {

using pkcs11::KeyHandle;
using pkcs11::KeyPurpose;
using pkcs11::Session;

constexpr std::size_t kDekBytes = 32;

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
  Session session() { return must(Session::open(*token_)); }
  const Keys& keys(bool copied) const { return copied ? copies_ : originals_; }

 private:
  KeyHandle generate(const std::string& label, KeyPurpose purpose) {
    const auto id = as_bytes(label);
    return must(token_->generate_secret_key(
        {.label = label, .id = {id.begin(), id.end()}, .purpose = purpose}));
  }

  test::TemporarySoftHsm softhsm_;
  std::unique_ptr<pkcs11::Module> module_ =
      must(pkcs11::Module::load(test::TemporarySoftHsm::module_path()));
  std::unique_ptr<pkcs11::Token> token_ = must(pkcs11::Token::open(
      *module_, test::TemporarySoftHsm::kLabel, test::secret_of(test::TemporarySoftHsm::kPin)));
  Keys originals_{generate("wrap", KeyPurpose::aes256_wrap),
                  generate("mac", KeyPurpose::hmac_sha256)};
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
          title.c_str(),
          [run = run, &hsm, copied](benchmark::State& state) { run(state, hsm, copied); })
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
  if (!strongroom::test::TemporarySoftHsm::available()) return 77;  // skipped: no SoftHSM here
  strongroom::Hsm hsm;
  strongroom::list_benchmarks(hsm);
  benchmark::RunSpecifiedBenchmarks();
}
