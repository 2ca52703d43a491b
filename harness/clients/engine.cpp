// One libcurl handle for each call: the calls are few, and a kept connection would hide a dead engine.
#include "harness/clients/engine.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "harness/base/read_json.h"

namespace harness {
namespace {

constexpr const char* own_version = "1.41";  // all that is asked here is in it, on Docker and Podman
constexpr std::size_t most_reply = 8u << 20;

struct Reply {
  long status = 0;
  std::string body;
  std::string api_version;
  bool podman = false;
  bool cut = false;
};

struct Transfer {
  Reply reply;
  const Limit* limit = nullptr;
};

std::size_t take_engine_body(char* bytes, std::size_t size, std::size_t count, void* target) {
  auto& reply = static_cast<Transfer*>(target)->reply;
  if (reply.body.size() + size * count > most_reply) {
    reply.cut = true;
    return 0;
  }
  reply.body.append(bytes, size * count);
  return size * count;
}

std::size_t take_engine_header(char* bytes, std::size_t size, std::size_t count, void* target) {
  auto& reply = static_cast<Transfer*>(target)->reply;
  const std::string_view line(bytes, size * count);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  auto value = line.substr(colon + 1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n')) value.remove_suffix(1);
  if (name == "api-version") reply.api_version = value;
  if (name == "libpod-api-version") reply.podman = true;
  return size * count;
}

int watch_stop(void* target, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(target)->limit->stopped() ? 1 : 0;
}

Result<Reply> call(const std::string& socket, const std::string& method, const std::string& target,
                   const Limit& limit) {
  [[maybe_unused]] static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                   curl_easy_cleanup);
  Transfer transfer;
  transfer.limit = &limit;
  const std::string url = "http://localhost" + target;
  char words[CURL_ERROR_SIZE] = "";
  const auto set = [&](CURLoption option, auto value) {
    curl_easy_setopt(handle.get(), option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  set(CURLOPT_CUSTOMREQUEST, method.c_str());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROXY, "");
  // A hung engine accepts and never answers: only the total time ends that.
  set(CURLOPT_TIMEOUT_MS, std::max<long>(static_cast<long>(limit.left().count()), 1));
  set(CURLOPT_ERRORBUFFER, words);
  set(CURLOPT_WRITEFUNCTION, take_engine_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, take_engine_header);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_XFERINFOFUNCTION, watch_stop);
  set(CURLOPT_XFERINFODATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  const CURLcode code = curl_easy_perform(handle.get());
  if (code == CURLE_OK) {
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &transfer.reply.status);
    return std::move(transfer.reply);
  }
  const std::string what = "the container engine at " + socket;
  if (transfer.reply.cut) {
    return fail(ErrorKind::environment, what + " answers " + method + " " + target + " with more than " +
                                            std::to_string(most_reply) + " bytes");
  }
  if (limit.stopped()) return fail(ErrorKind::stopped, "stopped while asking " + what);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return fail(ErrorKind::environment,
                what + " did not answer " + method + " " + target + " in time");
  return fail(ErrorKind::environment,
              what + " does not answer: " + (*words != '\0' ? words : curl_easy_strerror(code)) +
                  "; start it, or choose --provider native");
}

std::string encoded(const std::string& text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char letter : text) {
    if (std::isalnum(letter) || letter == '-' || letter == '_' || letter == '.' || letter == '~') {
      out += static_cast<char>(letter);
    } else {
      out += '%';
      out += digits[letter >> 4];
      out += digits[letter & 15];
    }
  }
  return out;
}

// An error body may be JSON with "message", or plain text.
std::string message_of(const Reply& reply) {
  const JsonReading body = read_json(reply.body);
  const std::string said = held(body.value, "message", "");
  return (said.empty() ? reply.body : said).substr(0, 300);
}

tl::unexpected<Error> refused(const std::string& asked, const Reply& reply) {
  return fail(ErrorKind::environment, "the container engine refused " + asked + " (HTTP " +
                                          std::to_string(reply.status) + "): " + message_of(reply));
}

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// What list and inspect have in common, under our own names.
Json described(const Json& inspected) {
  const Json& state = inspected.at("State");
  const Json& config = inspected.at("Config");
  std::string name = text_at(inspected, "Name");
  if (name.starts_with('/')) name.erase(0, 1);  // Docker says "/name", Podman "name"
  Json ports = Json::array();
  const auto published = held(held(inspected, "NetworkSettings", Json()), "Ports", Json());
  if (published.is_object())
    for (const auto& [inside, bindings] : published.items()) {
      if (!bindings.is_array()) continue;
      for (const auto& binding : bindings)
        ports.push_back({{"container", inside},
                         {"host_ip", text_at(binding, "HostIp")},
                         {"host_port", text_at(binding, "HostPort")}});
    }
  Json labels = held(config, "Labels", Json());
  if (!labels.is_object()) labels = Json::object();
  return {{"id", text_at(inspected, "Id")},
          {"name", name},
          {"state", text_at(state, "Status")},
          {"labels", labels},
          {"image", text_at(config, "Image")},
          {"pid", held(state, "Pid", 0)},
          {"exit_code", held(state, "ExitCode", 0)},
          {"oom_killed", held(state, "OOMKilled", false)},
          {"error", text_at(state, "Error")},
          {"started_at", text_at(state, "StartedAt")},
          {"finished_at", text_at(state, "FinishedAt")},
          {"ports", ports}};
}
}  // namespace

Result<EngineClient> EngineClient::connect(const std::string& host, const Limit& limit) {
  const std::string prefix = "unix://";
  if (!host.starts_with(prefix))
    return fail(ErrorKind::environment, "the container engine `" + host +
                                            "` is no unix socket; DOCKER_HOST must be like "
                                            "unix:///var/run/docker.sock");
  EngineClient client;
  client.host_ = host;
  client.socket_ = host.substr(prefix.size());
  auto ping = call(client.socket_, "GET", "/_ping", limit);
  if (!ping) return tl::unexpected(ping.error());
  if (ping->status != 200) return refused("GET /_ping", *ping);
  client.kind_ = ping->podman ? "podman" : "docker";
  const auto minor = [](const std::string& version) {
    const auto dot = version.find('.');
    return dot == std::string::npos ? 0 : std::atoi(version.c_str() + dot + 1);
  };
  const bool older = !ping->api_version.empty() && minor(ping->api_version) < minor(own_version);
  client.version_ = older ? ping->api_version : own_version;
  return client;
}

Result<Json> EngineClient::ask(const std::string& method, const std::string& target,
                               const Limit& limit) {
  auto reply = call(socket_, method, "/v" + version_ + target, limit);
  if (!reply) return tl::unexpected(reply.error());
  if (reply->status >= 400) return refused(method + " " + target, *reply);
  JsonReading body = read_json(reply->body);
  if (body.is_json()) return std::move(body.value);
  return fail(ErrorKind::environment, "the container engine answers " + method + " " + target +
                                          " with what is not to be read: " + body.why);
}

Result<Json> EngineClient::list(const std::vector<std::string>& labels, const Limit& limit) {
  Json filter = Json::object();
  if (!labels.empty()) filter["label"] = labels;
  auto rows = ask("GET", "/containers/json?all=1&filters=" + encoded(filter.dump()), limit);
  if (!rows) return rows;
  Json found = Json::array();
  if (!rows->is_array()) return fail(ErrorKind::environment, "the engine's list is no list");
  for (const auto& row : *rows) {
    // The list lacks pid and exit code. Gone since: it is not in the list any more either.
    auto whole = call(socket_, "GET", "/v" + version_ + "/containers/" + text_at(row, "Id") + "/json",
                      limit);
    if (!whole) return tl::unexpected(whole.error());
    if (whole->status == 404) continue;
    if (whole->status >= 400) return refused("inspect of " + text_at(row, "Id"), *whole);
    const Json inspected = read_json(whole->body).value;
    if (!inspected.is_object() || !inspected.contains("State") || !inspected.contains("Config"))
      return fail(ErrorKind::environment, "the engine's inspect of " + text_at(row, "Id") +
                                              " has no State or no Config");
    Json item = described(inspected);
    item["status"] = text_at(row, "Status");
    found.push_back(std::move(item));
  }
  return found;
}

Result<Json> EngineClient::inspect(const std::string& id, const Limit& limit) {
  return ask("GET", "/containers/" + encoded(id) + "/json", limit);
}

Result<void> EngineClient::act(const std::string& verb, const std::string& id, const Limit& limit) {
  const std::string container = "/containers/" + encoded(id);
  const std::string target = verb == "remove" ? container + "?force=1&v=1" : container + "/" + verb;
  auto reply = call(socket_, verb == "remove" ? "DELETE" : "POST", "/v" + version_ + target, limit);
  if (!reply) return tl::unexpected(reply.error());
  if (verb == "remove" && reply->status == 404) return {};  // gone is what was asked for
  if (reply->status >= 400) return refused(verb + " of " + id, *reply);
  return {};
}

Result<bool> EngineClient::has_image(const std::string& name, const Limit& limit) {
  auto reply = call(socket_, "GET", "/v" + version_ + "/images/" + name + "/json", limit);
  if (!reply) return tl::unexpected(reply.error());
  if (reply->status == 404) return false;
  if (reply->status >= 400) return refused("the image " + name, *reply);
  return true;
}

Result<std::string> EngineClient::logs(const std::string& id, int tail, const Limit& limit) {
  const std::string target = "/v" + version_ + "/containers/" + encoded(id) +
                             "/logs?stdout=1&stderr=1&tail=" + std::to_string(tail);
  auto reply = call(socket_, "GET", target, limit);
  if (!reply) return tl::unexpected(reply.error());
  if (reply->status >= 400) return refused("the logs of " + id, *reply);
  // Frames: stream, three zeros, length big-endian. With a terminal there are none.
  std::string text;
  const std::string& raw = reply->body;
  std::size_t at = 0;
  while (at + 8 <= raw.size() && raw[at] >= 0 && raw[at] <= 2 && raw[at + 1] == 0) {
    std::size_t length = 0;
    for (std::size_t byte = 4; byte < 8; ++byte)
      length = length << 8 | static_cast<unsigned char>(raw[at + byte]);
    text += raw.substr(at + 8, length);
    at += 8 + length;
  }
  if (at < raw.size()) text += raw.substr(at);
  return text;
}
}  // namespace harness
