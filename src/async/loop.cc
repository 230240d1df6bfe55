// Loop over one io_context.
#include "async/loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "async/asio.h"

namespace strongroom::async {

struct Loop::Impl {
  boost::asio::io_context context{1};  // one thread runs it
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      context.get_executor()};
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() { impl_->context.run(); }
void Loop::stop() { impl_->context.stop(); }
void Loop::restart() { impl_->context.restart(); }
boost::asio::io_context& Loop::context() noexcept { return impl_->context; }

void Loop::post(std::move_only_function<void()> work) {
  boost::asio::post(impl_->context, std::move(work));
}

Task<void> Loop::sleep_for(std::chrono::nanoseconds duration) {
  boost::asio::steady_timer timer(impl_->context, duration);
  co_await completion<>([&](auto done) { timer.async_wait(std::move(done)); });
}

// Shared, for the handler must hold the timer that holds it.
void Loop::post_after(std::chrono::nanoseconds delay, std::move_only_function<void()> work) {
  auto timer = std::make_shared<boost::asio::steady_timer>(impl_->context, delay);
  timer->async_wait(
      [timer, work = std::move(work)](const boost::system::error_code& error) mutable {
        if (!error) work();
      });
}

}  // namespace strongroom::async
