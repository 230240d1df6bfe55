// The bridge from Asio to Task, for the .cc files of async/, storage/ and http/ only: this header
// is the one way by which Asio is seen, and tools/layers.txt names who may.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>
#include <coroutine>
#include <tuple>
#include <utility>

namespace strongroom::async {

// Awaits one Asio operation. `start` gets the completion handler and begins the operation:
//   auto [error, size] = co_await completion<std::size_t>(
//       [&](auto done) { socket.async_read_some(buffer, std::move(done)); });
// Every operation must complete (cancel it or close its object): a coroutine whose operation is
// dropped is never resumed.
template <class... Values, class Start>
auto completion(Start start) {
  struct Awaiter {
    Start start;
    std::tuple<boost::system::error_code, Values...> result{};
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) {
      start([this, waiting](boost::system::error_code error, Values... values) {
        result = {error, std::move(values)...};
        waiting.resume();
      });
    }
    std::tuple<boost::system::error_code, Values...> await_resume() { return std::move(result); }
  };
  return Awaiter{std::move(start)};
}

}  // namespace strongroom::async
