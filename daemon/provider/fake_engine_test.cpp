// The fake engine's body.
#include "daemon/provider/fake_engine.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

namespace aima::provider {
namespace {

bool put(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void wait_for_the_other_side_to_go(int fd) {
  char bytes[256];
  while (recv(fd, bytes, sizeof bytes, 0) > 0) {
  }
}

struct Asked {
  std::string method, target, body;
};

std::optional<Asked> read_request(int fd) {
  std::string head;
  char byte = 0;
  while (!head.ends_with("\r\n\r\n")) {
    if (recv(fd, &byte, 1, 0) <= 0) return std::nullopt;
    head += byte;
  }
  Asked asked;
  asked.method = head.substr(0, head.find(' '));
  const std::size_t begin = asked.method.size() + 1;
  asked.target = head.substr(begin, head.find(' ', begin) - begin);
  const std::size_t at = head.find("Content-Length: ");
  for (int left = at == std::string::npos ? 0 : std::atoi(&head[at + 16]); left > 0; --left) {
    if (recv(fd, &byte, 1, 0) <= 0) return std::nullopt;
    asked.body += byte;
  }
  return asked;
}

std::string decoded(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      plain += static_cast<char>(std::strtol(text.substr(i + 1, 2).c_str(), nullptr, 16));
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// The API's path without version and query, and which operation it is.
std::pair<std::string, std::string> operation_of(const Asked& asked) {
  std::string path = asked.target.substr(0, asked.target.find('?'));
  if (path.starts_with("/v1.")) path = path.substr(path.find('/', 1));
  if (path == "/_ping") return {"ping", ""};
  if (path == "/events") return {"events", ""};
  if (path == "/containers/json") return {"list", ""};
  if (path == "/containers/create") return {"create", ""};
  const std::string rest = path.substr(std::min(path.size(), std::size_t{12}));  // "/containers/"
  const std::string id = rest.substr(0, rest.find('/'));
  if (asked.method == "DELETE") return {"remove", id};
  const std::string verb = rest.substr(std::min(rest.size(), id.size() + 1));
  return {verb == "json" ? "inspect" : verb, id};
}

std::string text_of_answer(const std::string& operation, int status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} x\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                     status, operation == "ping" ? "Api-Version: 1.41\r\n" : "", body.size(), body);
}

constexpr const char* wrong_shape_list =
    R"([1,null,"x",{"Id":5},{"Id":"../x","Labels":{"aima.service":"svc-1"}},{"Id":"ab","Labels":[7],)"
    R"("Ports":[{"PublicPort":"x"},{"PublicPort":99999999999}]}])";
constexpr const char* wrong_shape =
    R"({"Id":{"x":1},"State":{"Status":7,"ExitCode":"many","OOMKilled":"no","Error":[]},"message":[1]})";
}  // namespace

FakeEngine::FakeEngine(std::filesystem::path socket) : socket_(std::move(socket)) {
  listen_on_socket();
}

FakeEngine::~FakeEngine() {
  vanish(true);
  for (std::thread& thread : threads_) thread.join();
  for (auto& [id, container] : containers_) end(container, 0);
}

void FakeEngine::listen_on_socket() {
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_.string().copy(address.sun_path, sizeof address.sun_path - 1);
  unlink(socket_.c_str());
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  listen(listener_, 64);
  acceptor_ = std::thread([this, listener = listener_] { accept_all(listener); });
}

void FakeEngine::accept_all(int listener) {
  while (true) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) return;
    ++connections_;
    std::lock_guard lock(mutex_);
    open_.insert(fd);
    threads_.emplace_back([this, fd] {
      serve(fd);
      std::lock_guard done(mutex_);
      open_.erase(fd);
      streams_.erase(fd);
      close(fd);
    });
  }
}

void FakeEngine::close_connections() {
  std::lock_guard lock(mutex_);
  for (const int fd : open_) shutdown(fd, SHUT_RDWR);
}

void FakeEngine::vanish(bool with_file) {
  if (listener_ < 0) return;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(std::exchange(listener_, -1));
  if (with_file) unlink(socket_.c_str());
  close_connections();
}

void FakeEngine::come_back() { listen_on_socket(); }

void FakeEngine::misbehave(const std::string& operation, Manner manner) {
  std::lock_guard lock(mutex_);
  manners_[operation] = manner;
}

void FakeEngine::behave() {
  {
    std::lock_guard lock(mutex_);
    if (manners_.empty()) return;
    manners_.clear();
  }
  close_connections();
}

int FakeEngine::containers() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(containers_.size());
}
int FakeEngine::running() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(
      std::count_if(containers_.begin(), containers_.end(),
                    [](const auto& one) { return one.second.state == "running"; }));
}
int FakeEngine::event_streams() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(streams_.size());
}
int FakeEngine::asked(const std::string& operation) const {
  std::lock_guard lock(mutex_);
  const auto found = asked_.find(operation);
  return found == asked_.end() ? 0 : found->second;
}

void FakeEngine::serve(int fd) {
  while (const auto asked = read_request(fd)) {
    const auto [operation, id] = operation_of(*asked);
    Manner manner = Manner::proper;
    {
      std::lock_guard lock(mutex_);
      ++asked_[operation];
      if (const auto found = manners_.find(operation); found != manners_.end()) {
        manner = found->second;
      }
    }
    if (manner == Manner::silent) return wait_for_the_other_side_to_go(fd);
    const Answer what = id.empty() ? run(operation, asked->target, asked->body)
                                   : run_on(operation, id);
    const std::string text = text_of_answer(operation, what.status, what.body);
    const std::size_t head = text.find("\r\n\r\n") + 4;
    switch (manner) {
      case Manner::proper:
      case Manner::silent:
        break;
      case Manner::half_head:
        put(fd, text.substr(0, head / 2));
        return wait_for_the_other_side_to_go(fd);
      case Manner::half_body:
      case Manner::cut:
        put(fd, fmt::format("HTTP/1.1 {} x\r\nContent-Length: 5\r\n\r\n{{\"I",
                            what.status == 204 ? 200 : what.status));
        if (manner == Manner::half_body) wait_for_the_other_side_to_go(fd);
        return;
      case Manner::closed:
        return;
      case Manner::garbage:
        put(fd, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
        return wait_for_the_other_side_to_go(fd);
      case Manner::wrong_shape:
        if (what.is_stream) break;
        put(fd, text_of_answer("", what.status / 100 == 2 ? what.status : 500,
                               operation == "list" ? wrong_shape_list : wrong_shape));
        continue;
      case Manner::endless: {
        put(fd, fmt::format("HTTP/1.1 {} x\r\nTransfer-Encoding: chunked\r\n\r\n", what.status));
        const std::string chunk = "10000\r\n" + std::string(65536, '[') + "\r\n";
        while (put(fd, chunk)) {
        }
        return;
      }
    }
    if (!what.is_stream) {
      if (!put(fd, text)) return;
      continue;
    }
    {
      std::lock_guard lock(mutex_);
      put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      if (manner == Manner::wrong_shape) put(fd, "12\r\n[]\n7\n{\"Type\":5}\nx\n\r\n");
      streams_.insert(fd);
    }
    return wait_for_the_other_side_to_go(fd);
  }
}

FakeEngine::Answer FakeEngine::run(const std::string& operation, const std::string& target,
                                   const std::string& body) {
  std::lock_guard lock(mutex_);
  if (operation == "ping") return {200, "OK"};
  if (operation == "events") return {200, "", true};
  if (operation == "list") {
    Json list = Json::array();
    const std::size_t at = target.find("filters=");
    const Json filters =
        at == std::string::npos ? Json::object() : Json::parse(decoded(target.substr(at + 8)));
    for (const auto& [id, one] : containers_) {
      bool fits = true;
      for (const std::string label : filters.value("label", Json::array())) {
        const std::size_t equals = label.find('=');
        fits = fits && one.labels.value(label.substr(0, equals), "") == label.substr(equals + 1);
      }
      if (fits) list.push_back({{"Id", id}, {"Labels", one.labels}, {"State", one.state}});
    }
    return {200, list.dump()};
  }
  if (operation == "create") {
    Container container;
    container.id = fmt::format("{:012x}", ++next_id_);
    container.labels = Json::parse(body).at("Labels");
    const std::string id = container.id;
    emit(containers_.emplace(id, std::move(container)).first->second, "create");
    return {201, Json{{"Id", id}}.dump()};
  }
  return {404, R"({"message":"page not found"})"};
}

FakeEngine::Answer FakeEngine::run_on(const std::string& operation, const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto found = containers_.find(id);
  if (found == containers_.end()) return {404, R"({"message":"No such container"})"};
  Container& container = found->second;
  if (operation == "inspect") {
    return {200, Json{{"State", {{"Status", container.state}, {"ExitCode", container.exit_status}}}}
                     .dump()};
  }
  if (operation == "logs") return {200, std::string("\1\0\0\0\0\0\0\5words", 13)};
  if (operation == "start") {
    if (container.state == "running") return {304, ""};
    begin(container);
    return {204, ""};
  }
  if (operation == "stop") {
    end(container, 0);
    return {204, ""};
  }
  if (operation == "remove") {
    end(container, 137);
    emit(container, "destroy");
    containers_.erase(found);
    return {204, ""};
  }
  return {404, R"({"message":"page not found"})"};
}

void FakeEngine::begin(Container& container) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(
      std::atoi(container.labels.at("aima.port").get<std::string>().c_str())));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  listen(listener, 16);
  container.listener = listener;
  container.state = "running";
  container.server = std::thread([listener] {
    while (true) {
      const int fd = accept(listener, nullptr, nullptr);
      if (fd < 0) return;
      if (read_request(fd)) put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      close(fd);
    }
  });
  emit(container, "start");
}

void FakeEngine::end(Container& container, int exit_status) {
  if (container.listener < 0) return;
  shutdown(container.listener, SHUT_RDWR);
  container.server.join();
  close(std::exchange(container.listener, -1));
  container.state = "exited";
  container.exit_status = exit_status;
  emit(container, "die");
}

void FakeEngine::emit(const Container& container, const std::string& action) {
  const Json event = {{"Type", "container"},
                      {"Action", action},
                      {"Actor", {{"ID", container.id}, {"Attributes", container.labels}}}};
  const std::string line = event.dump() + "\n";
  for (const int fd : streams_) put(fd, fmt::format("{:x}\r\n{}\r\n", line.size(), line));
}

void FakeEngine::die(const std::string& service_id, int exit_status, bool with_event) {
  std::lock_guard lock(mutex_);
  std::set<int> streams;
  if (!with_event) streams.swap(streams_);
  for (auto& [id, container] : containers_) {
    if (container.labels.value("aima.service", "") == service_id) end(container, exit_status);
  }
  if (!with_event) streams.swap(streams_);
}

void FakeEngine::say(const std::string& text) {
  std::lock_guard lock(mutex_);
  for (const int fd : streams_) put(fd, fmt::format("{:x}\r\n{}\r\n", text.size(), text));
}

void FakeEngine::end_event_streams() {
  std::lock_guard lock(mutex_);
  for (const int fd : streams_) shutdown(fd, SHUT_RDWR);
}
}  // namespace aima::provider
