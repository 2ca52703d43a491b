// Takes every call to the session's thread; calls made there already run at once.
#include "daemon/gateway/session_exchange.h"

#include "daemon/gateway/session.h"

namespace aima {

SessionExchange::SessionExchange(std::weak_ptr<Session> session,
                                 std::shared_ptr<Mailbox> mailbox,
                                 std::optional<std::string> idempotency_key, std::string client)
    : session_(std::move(session)),
      mailbox_(std::move(mailbox)),
      idempotency_key_(std::move(idempotency_key)),
      client_(std::move(client)) {}

// `action` gets the session if this request is still the one it is answering, else null.
template <typename Action>
void SessionExchange::on_session(Action action) {
  mailbox_->deliver([self = shared_from_this(), action = std::move(action)]() mutable {
    const auto session = self->session_.lock();
    const bool current = session && !self->closed() && session->exchange_ == self;
    action(current ? session.get() : nullptr);
  });
}

void SessionExchange::reply(HttpReply reply) {
  if (replayed_) reply.headers.emplace_back("Idempotency-Replayed", "true");
  on_session([reply = std::move(reply)](Session* session) mutable {
    if (session != nullptr) session->on_reply(std::move(reply));
  });
}

void SessionExchange::begin(int http_status, std::string content_type) {
  on_session([http_status, type = std::move(content_type)](Session* session) mutable {
    if (session != nullptr) session->on_stream_begin(http_status, std::move(type));
  });
}

void SessionExchange::write(std::string chunk, std::move_only_function<void()> sent) {
  on_session([chunk = std::move(chunk), sent = std::move(sent)](Session* session) mutable {
    if (session != nullptr) {
      session->on_stream_piece({std::move(chunk), std::move(sent)});
    } else if (sent) {
      sent();
    }
  });
}

void SessionExchange::end() {
  on_session([](Session* session) {
    if (session != nullptr) session->on_stream_end();
  });
}

void SessionExchange::abort() {
  on_session([](Session* session) {
    if (session != nullptr) session->on_stream_abort();
  });
}

}  // namespace aima
