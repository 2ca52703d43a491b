// HTTP through libcurl's multi interface: one transfer, woken by its stop token.
#include "harness/clients/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <memory>
#include <string_view>

namespace harness {
namespace {

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiDeleter {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using Multi = std::unique_ptr<CURLM, MultiDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

// libcurl wants this once per process, before any thread uses it.
void initialise() {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

struct Sink {
  HttpReply* reply;
  std::size_t most_bytes;
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  const std::size_t bytes = size * count;
  const std::size_t room = sink.most_bytes - std::min(sink.most_bytes, sink.reply->body.size());
  sink.reply->body.append(data, std::min(bytes, room));
  if (bytes <= room) return bytes;
  sink.reply->body_cut = true;
  return 0;  // ends the transfer
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& reply = *static_cast<Sink*>(user)->reply;
  const std::string_view line = trimmed({data, size * count});
  if (line.starts_with("HTTP/")) {  // a new head: after 100 Continue the real one follows
    reply.headers.clear();
  } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    auto& value = reply.headers[lower(line.substr(0, colon))];
    if (!value.empty()) value += ", ";
    value += trimmed(line.substr(colon + 1));
  }
  return size * count;
}

// libcurl sends a request again by itself, whatever its method, where a kept connection ends before any
// reply; it asks here before each sending.
struct Sendings {
  bool repeatable;
  int begun = 0;
};

bool may_be_repeated(const HttpRequest& request) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
    if (request.method == method) return true;
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return lower(header.first) == "idempotency-key";
  });
}

int allow_sending(void* user, char*, char*, int, int) {
  auto& sendings = *static_cast<Sendings*>(user);
  return sendings.begun++ == 0 || sendings.repeatable ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

List header_list(const HttpRequest& request) {
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  bool typed = false;
  for (const auto& [name, value] : request.headers) {
    // "Name;" is how libcurl is told to send a header without a value.
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    list = curl_slist_append(list, line.c_str());
    typed = typed || lower(name) == "content-type";
  }
  if (!typed) list = curl_slist_append(list, "Content-Type:");  // none that nobody asked for
  return List(list);
}

void configure(CURL* easy, const HttpRequest& request, curl_slist* headers, Sink& sink,
               Sendings& sendings, char* error_text) {
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &sink);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &sink);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, allow_sending);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &sendings);
  curl_easy_setopt(
      easy, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::max<Milliseconds::rep>(1, request.connect_timeout.count())));
  if (!request.unix_socket.empty()) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  }
  if (request.fresh_connection) {
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  }
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else {
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
        request.method == "PATCH") {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

// One word for how a transfer went wrong; "" where it did not.
std::string error_class(CURLcode code, long os_error, std::string_view text) {
  const bool reset = os_error == ECONNRESET || text.find("reset by peer") != text.npos;
  switch (code) {
    case CURLE_OK:
      return "";
    case CURLE_COULDNT_CONNECT:
      if (os_error == ECONNREFUSED) return "refused";
      if (os_error == ETIMEDOUT) return "timeout";
      if (os_error == ENOENT) return "no_socket";
      if (os_error == EACCES || os_error == EPERM) return "denied";
      return reset ? "reset" : "unreachable";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "unresolved";
    case CURLE_OPERATION_TIMEDOUT:
      return "timeout";
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
      return reset ? "reset" : "closed";
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return reset ? "reset" : "closed";
    case CURLE_URL_MALFORMAT:
      return "bad_url";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_BAD_CONTENT_ENCODING:
      return "protocol";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return "tls";
    default:
      return "failed";
  }
}

// The transfer's end as libcurl tells it; nullptr while it runs.
const CURLMsg* finished(CURLM* multi) {
  int queued = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &queued)) {
    if (message->msg == CURLMSG_DONE) return message;
  }
  return nullptr;
}

struct Ending {
  CURLcode code = CURLE_OK;
  std::string error;  // "timeout" or "stopped" where the limit ended it
  std::string text;
};

Ending drive(CURLM* multi, const Limit& limit) {
  const std::stop_callback wake(limit.stop, [multi] { curl_multi_wakeup(multi); });
  for (;;) {
    int running = 0;
    if (const CURLMcode code = curl_multi_perform(multi, &running); code != CURLM_OK) {
      return {CURLE_FAILED_INIT, "failed", curl_multi_strerror(code)};
    }
    if (const CURLMsg* message = finished(multi)) return {message->data.result, "", ""};
    if (limit.stopped()) return {CURLE_ABORTED_BY_CALLBACK, "stopped", "stopped before its end"};
    if (limit.expired()) {
      return {CURLE_OPERATION_TIMEDOUT, "timeout", "no whole reply within the time limit"};
    }
    const auto wait = std::min<Milliseconds::rep>(limit.left().count(), 60000);
    curl_multi_poll(multi, nullptr, 0, static_cast<int>(wait), nullptr);
  }
}

CURLM* multi_for(bool fresh, Multi& own) {
  if (fresh) {
    own.reset(curl_multi_init());
    return own.get();
  }
  thread_local const Multi kept(curl_multi_init());  // keeps this thread's connections
  return kept.get();
}

}  // namespace

HttpReply perform(const HttpRequest& request, const Limit& limit) {
  initialise();
  HttpReply reply;
  reply.begin = reply.end = Clock::now();
  Sink sink{&reply, request.most_bytes};
  char error_text[CURL_ERROR_SIZE] = {};
  Multi own;
  CURLM* multi = multi_for(request.fresh_connection, own);
  const Easy easy(curl_easy_init());
  if (!easy || multi == nullptr) {
    reply.error = "failed";
    reply.error_text = "libcurl could not be initialised";
    return reply;
  }
  const List headers = header_list(request);
  Sendings sendings{may_be_repeated(request)};
  configure(easy.get(), request, headers.get(), sink, sendings, error_text);
  curl_multi_add_handle(multi, easy.get());
  reply.begin = Clock::now();
  Ending ending = drive(multi, limit);
  reply.end = Clock::now();

  long status = 0, os_error = 0, sent = 0, connections = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy.get(), CURLINFO_OS_ERRNO, &os_error);
  curl_easy_getinfo(easy.get(), CURLINFO_REQUEST_SIZE, &sent);
  curl_easy_getinfo(easy.get(), CURLINFO_NUM_CONNECTS, &connections);
  reply.connections = static_cast<int>(connections);
  curl_off_t announced = -1;
  curl_easy_getinfo(easy.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  reply.announced = announced;
  curl_multi_remove_handle(multi, easy.get());

  reply.status = static_cast<int>(status);
  if (ending.code == CURLE_WRITE_ERROR && reply.body_cut) ending.code = CURLE_OK;
  if (ending.text.empty() && ending.code != CURLE_OK) {
    ending.text = error_text[0] != 0 ? error_text : curl_easy_strerror(ending.code);
  }
  reply.error_text = ending.text;
  reply.error =
      !ending.error.empty() ? ending.error : error_class(ending.code, os_error, ending.text);
  reply.resent = sendings.repeatable ? std::max(0, sendings.begun - 1) : 0;
  // It was sent, and then libcurl went for another connection: whether it got one tells nothing.
  const bool lost = ending.code == CURLE_ABORTED_BY_CALLBACK || ending.code == CURLE_COULDNT_CONNECT;
  if (ending.error.empty() && lost && sendings.begun > 0 && !sendings.repeatable) {
    reply.error = "closed";
    reply.error_text = "the kept connection was closed before any reply; a " + request.method +
                       " without an Idempotency-Key is not sent again";
  }
  reply.outcome = reply.error.empty() ? HttpReply::Outcome::ok
                  : sent > 0          ? HttpReply::Outcome::indeterminate
                                      : HttpReply::Outcome::fail;
  return reply;
}

}  // namespace harness
