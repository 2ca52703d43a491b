// The client: a request's text out, Beast's parser over what comes back.
#include "daemon/http/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cctype>

#include "daemon/http/parse.h"
#include "daemon/http/connection.h"

namespace aima::http {
namespace {
namespace beast = boost::beast;
using beast::error_code;
using Receive = Client::Receive;
using std::chrono::milliseconds;

constexpr std::size_t most_unparsed = 1U << 17;  // heads and chunk heads are far smaller

// Beast's parser with our Response as its only memory: body bytes go to `receive` as they come.
class ResponseParser final : public beast::http::basic_parser<false> {
 public:
  ResponseParser(Response& response, const Receive& receive, const StreamHooks* hooks)
      : response_(response), receive_(receive), hooks_(hooks) {
    eager(true);
    header_limit(1u << 16);
  }
  bool ended_by_receiver() const { return ended_; }

 private:
  using string_view = beast::string_view;

  void on_request_impl(beast::http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override {
    response_.status = code;
  }
  void on_field_impl(beast::http::field, string_view name, string_view value,
                     error_code&) override {
    std::string lower(name.data(), name.size());
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    response_.headers[std::move(lower)].assign(value.data(), value.size());
  }
  void on_header_impl(error_code&) override {
    const bool is_final = response_.status / 100 != 1;
    if (is_final && hooks_ != nullptr && hooks_->on_head) hooks_->on_head(response_.status);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code& error) override {
    return take(body, error);
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& error) override {
    return take(body, error);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t take(string_view body, error_code& error) {
    if (!receive_(std::string_view(body.data(), body.size()))) {
      ended_ = true;
      error = beast::http::error::end_of_stream;
    }
    return body.size();
  }

  Response& response_;
  const Receive& receive_;
  const StreamHooks* hooks_;
  bool ended_ = false;
};

std::string text_of(const Request& request, const Endpoint& endpoint) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  if (!request.headers.contains("Host")) {
    const bool is_v6 = endpoint.host_or_path.find(':') != std::string::npos;
    text += endpoint.is_unix ? "Host: localhost\r\n"
            : is_v6 ? fmt::format("Host: [{}]:{}\r\n", endpoint.host_or_path, endpoint.port)
                    : fmt::format("Host: {}:{}\r\n", endpoint.host_or_path, endpoint.port);
  }
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    text += fmt::format("Content-Length: {}\r\n", request.body.size());
  }
  return text + "\r\n" + request.body;
}

tl::unexpected<Error> bad_answer(const error_code& error, std::uint64_t body_limit) {
  if (error == beast::http::error::body_limit) {
    return fail(502, "bad_answer",
                fmt::format("the peer's answer is larger than {} bytes", body_limit));
  }
  return fail(502, "bad_answer", "the peer's answer is not HTTP/1.1: " + error.message());
}

// A 204 has no body (RFC 9112, 6.3), and none is read; who announces one may be about to send it.
bool announces_what_is_not_read(const Response& response) {
  if (response.status != 204) return false;
  const auto length = response.headers.find("content-length");
  return response.headers.contains("transfer-encoding") ||
         (length != response.headers.end() && length->second != "0");
}

}  // namespace

struct Client::State {
  Endpoint endpoint;
  Connection connection;
  Wake wake;

  struct Exchange {
    const Request& request;
    Deadline head;  // for connect, request and the reply's head
    Deadline body;
    const Receive& receive;
    std::uint64_t body_limit = 0;  // 0: none
    const StreamHooks* hooks = nullptr;
  };

  // Bytes of the reply; with a silence asked about as often as it lasts.
  Result<std::size_t> read(const Exchange& what, bool in_body, char* to, std::size_t size);
  // `got_bytes` tells whether any of a reply came: before it a kept connection may just be stale.
  Result<Response> exchange(const Exchange& what, bool& got_bytes);
  Result<Response> run(const Exchange& what, const std::stop_token& stop);
};

Result<std::size_t> Client::State::read(const Exchange& what, bool in_body, char* to,
                                        std::size_t size) {
  if (!in_body) return connection.read_some(to, size, what.head, wake);
  while (what.hooks != nullptr && what.hooks->silence.count() > 0) {
    const Deadline turn = std::chrono::steady_clock::now() + what.hooks->silence;
    auto got = connection.read_some(to, size, turn, wake);
    if (got || got.error().code != "timeout" || !what.hooks->is_silence_accepted()) return got;
  }
  return connection.read_some(to, size, what.body, wake);
}

Result<Response> Client::State::exchange(const Exchange& what, bool& got_bytes) {
  got_bytes = false;
  if (!connection.is_open()) {
    if (auto opened = connection.open(endpoint, what.head, wake); !opened) {
      return tl::unexpected(opened.error());
    }
  }
  const std::string text = text_of(what.request, endpoint);
  if (auto sent = connection.write_all(text, what.head, wake); !sent) {
    return tl::unexpected(sent.error());
  }
  Response response;
  auto parser = std::make_unique<ResponseParser>(response, what.receive, what.hooks);
  const auto prepare = [&] {
    parser->skip(what.request.method == "HEAD");
    if (what.body_limit == 0) {
      parser->body_limit(boost::none);
    } else {
      parser->body_limit(what.body_limit);
    }
  };
  prepare();
  std::string buffer;
  char piece[16384];
  while (true) {
    auto got = read(what, parser->is_header_done(), piece, sizeof piece);
    if (!got) return tl::unexpected(got.error());
    error_code error;
    if (*got == 0) {
      if (!got_bytes) {
        return fail(503, "unreachable", "the peer closed the connection without an answer");
      }
      parse_end(*parser, error);
      if (error || !parser->is_done()) {
        return fail(503, "unreachable", "the peer closed the connection in the middle of its answer");
      }
      connection.close();
      return response;
    }
    got_bytes = true;
    buffer.append(piece, *got);
    std::size_t used = 1;
    while (used > 0 && !buffer.empty() && !parser->is_done()) {
      used = parse_some(*parser, boost::asio::buffer(buffer), error);
      buffer.erase(0, used);
      if (error == beast::http::error::need_more) {
        error = {};
        break;
      }
      if (parser->ended_by_receiver()) {
        connection.close();
        return response;
      }
      if (error) return bad_answer(error, what.body_limit);
      if (parser->is_done() && response.status / 100 == 1 && response.status != 101) {
        response = Response{};  // "100 Continue" and the like come before the answer
        parser = std::make_unique<ResponseParser>(response, what.receive, what.hooks);
        prepare();
      }
    }
    if (buffer.size() > most_unparsed) {
      return fail(502, "bad_answer", "the peer's answer has a line that does not end");
    }
    if (!parser->is_done()) continue;
    if (!parser->keep_alive() || !buffer.empty() || announces_what_is_not_read(response)) {
      connection.close();
    }
    return response;
  }
}

Result<Response> Client::State::run(const Exchange& what, const std::stop_token& stop) {
  wake.clear();
  std::stop_callback on_stop(stop, [this] { wake.ring(); });
  if (connection.is_open() && !connection.is_fresh()) connection.close();
  const bool reused = connection.is_open();
  bool got_bytes = false;
  auto result = exchange(what, got_bytes);
  if (!result) connection.close();
  // A kept connection may close just as we use it. Asking again is right only where asking twice
  // cannot do a thing twice.
  const bool harmless = what.request.is_repeatable || what.request.method == "GET" ||
                        what.request.method == "HEAD";
  if (!result && reused && harmless && !got_bytes && result.error().code == "unreachable") {
    result = exchange(what, got_bytes);
    if (!result) connection.close();
  }
  return result;
}

Client::Client(Endpoint endpoint) : state_(std::make_unique<State>()) {
  state_->endpoint = std::move(endpoint);
}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Response> Client::send(const Request& request, milliseconds deadline, std::stop_token stop,
                              std::uint64_t most) {
  std::string body;
  const Receive receive = [&](std::string_view piece) {
    body.append(piece);
    return true;
  };
  const Deadline end = std::chrono::steady_clock::now() + deadline;
  auto result = state_->run({request, end, end, receive, most}, stop);
  if (result) result->body = std::move(body);
  return result;
}

Result<Response> Client::receive(const Request& request, milliseconds deadline,
                                 const Receive& on_data, std::stop_token stop) {
  const Deadline end = std::chrono::steady_clock::now() + deadline;
  return state_->run({request, end, end, on_data}, stop);
}

Result<Response> Client::stream(const Request& request, milliseconds deadline,
                                const Receive& on_data, std::stop_token stop,
                                const StreamHooks& hooks) {
  const Deadline head = std::chrono::steady_clock::now() + deadline;
  return state_->run({request, head, Deadline::max(), on_data, 0, &hooks}, stop);
}
}  // namespace aima::http
