// The Exchange of one request on one connection; outlives both without harm.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "daemon/gateway/mailbox.h"
#include "daemon/gateway/message.h"

namespace aima {

class Session;

class SessionExchange : public Exchange, public std::enable_shared_from_this<SessionExchange> {
 public:
  SessionExchange(std::weak_ptr<Session> session, std::shared_ptr<Mailbox> mailbox,
                  std::optional<std::string> idempotency_key = {}, std::string client = {});

  void reply(HttpReply reply) override;
  std::stop_token stop() const override { return stop_.get_token(); }
  const std::optional<std::string>& idempotency_key() const override { return idempotency_key_; }
  const std::string& client() const override { return client_; }
  void mark_replayed() override { replayed_.store(true); }
  void begin(int http_status, std::string content_type) override;
  void write(std::string chunk, std::move_only_function<void()> sent) override;
  void end() override;
  void abort() override;
  bool closed() const override { return closed_.load(); }

  void request_stop() { stop_.request_stop(); }
  // From now on everything is dropped: the request is over.
  void close() { closed_.store(true); }

 private:
  template <typename Action>
  void on_session(Action action);

  std::weak_ptr<Session> session_;
  const std::shared_ptr<Mailbox> mailbox_;  // of the session's thread
  const std::optional<std::string> idempotency_key_;
  const std::string client_;
  std::stop_source stop_;
  std::atomic<bool> replayed_{false};
  std::atomic<bool> closed_{false};
};

}  // namespace aima
