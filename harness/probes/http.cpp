// The `http` probe: one request to the daemon (or to any URL on this machine), its reply the document.
#include "harness/probes/http.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/read_json.h"
#include "harness/clients/command.h"
#include "harness/probes/rows.h"

namespace harness {
namespace {

constexpr Milliseconds default_timeout{10000};

double elapsed_ms(const HttpReply& reply) {
  return std::chrono::duration<double, std::milli>(reply.end - reply.begin).count();
}

std::string as_curl(const HttpRequest& request) {
  std::vector<std::string> words = {"curl", "-s"};
  if (request.method != "GET") words.insert(words.end(), {"-X", request.method});
  for (const auto& [name, value] : request.headers) words.insert(words.end(), {"-H", name + ": " + value});
  if (!request.body.empty()) words.insert(words.end(), {"-d", request.body});
  words.push_back(request.url);
  return quote_words(words);
}

std::string first_of(const std::string& text, std::size_t most) {
  return text.size() <= most ? text : text.substr(0, most) + "…";
}

std::string said(const HttpReply& reply) {
  if (!reply.error.empty()) {
    return fmt::format("no reply: {} ({})", reply.error, reply.error_text);
  }
  return fmt::format("HTTP {} {}", reply.status, first_of(reply.body, 200));
}

// Our bound, so nobody's fault: what is cut is not judged.
std::string cut_reply(const HttpRequest& request, const HttpReply& reply, const Observation& seen) {
  const std::string all = reply.announced > 0 ? fmt::format("of {} bytes", reply.announced)
                                              : std::string("of nobody knows how many");
  return fmt::format("{}: the reply was cut at {} bytes {}; what is cut is not judged", seen.command,
                     request.most_bytes, all);
}

}  // namespace

bool status_wanted(const std::vector<std::string>& wanted, int status) {
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& word) {
    if (word.size() == 3 && word.ends_with("xx")) return word[0] - '0' == status / 100;
    return word == std::to_string(status);
  });
}

StepShape http_shape() {
  return {"http",
          "request",
          "One HTTP request; the JSON body of the reply is the document.",
          "request",
          {{"request", ValueKind::text, true, "METHOD and path, or a whole URL: GET /api/model/list"},
           {"body", ValueKind::any, false, "sent as JSON (a text is sent as it is)"},
           {"headers", ValueKind::text_map, false, "request headers"},
           {"status", ValueKind::text_list, false, "expected status: 409, [200, 201], 2xx; default below 400"},
           {"error", ValueKind::text, false, "the transport error that is expected instead of a reply",
            {"refused", "timeout", "reset", "closed", "any"}},
           {"deadline", ValueKind::duration, false, "for the whole request; default 10s"}},
          true,
          false,
          "- http: GET /api/model/list\n  expect: '.total == 1'"};
}

Result<HttpRequest> http_request(const Session& session, const Arguments& arguments) {
  auto line = arguments.text("request");
  if (!line) return tl::unexpected(line.error());
  auto blank = line->find(' ');
  if (blank == std::string::npos) {
    return fail(ErrorKind::invalid, fmt::format("`{}` is no request: write METHOD /path", *line));
  }
  HttpRequest request;
  request.method = line->substr(0, blank);
  std::string target = line->substr(line->find_first_not_of(' ', blank));
  if (target.starts_with('/')) {
    auto base = substitute(session.target.base_url, session.variables);
    if (!base) return tl::unexpected(base.error());
    if (base->empty()) {
      return fail(ErrorKind::invalid, fmt::format("target {} has no base_url: name a whole URL",
                                                  session.target.name));
    }
    target = *base + target;
  }
  request.url = target;
  if (arguments.has("body")) {
    Json body = arguments.json("body");
    request.body = body.is_string() ? body.get<std::string>() : body.dump();
    request.headers["Content-Type"] = "application/json";
  }
  if (arguments.has("headers")) {
    const Json headers = arguments.json("headers");  // named: outlives the loop
    for (const auto& [name, value] : headers.items()) {
      request.headers[name] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
  return request;
}

Result<Json> http_document(const HttpReply& reply) {
  JsonReading document = read_json(reply.body);
  if (document.is_json()) return std::move(document.value);
  if (document.kind == JsonReading::Kind::other) return Json(reply.body);
  return fail(ErrorKind::invalid, "the reply is JSON " + document.why + "; more is not judged");
}

Result<Observation> http_observation(const Session& session, const Arguments& arguments,
                                     const HttpRequest& request, const HttpReply& reply) {
  Observation seen;
  seen.command = as_curl(request);
  Json headers = Json::object();
  for (const auto& [name, value] : reply.headers) headers[name] = value;
  seen.bindings = {{"status", reply.status},
                   {"headers", headers},
                   {"error", reply.error.empty() ? Json(nullptr) : Json(reply.error)},
                   {"elapsed_ms", elapsed_ms(reply)}};
  seen.summary = fmt::format("{} → {} in {:.1f} ms", *arguments.text("request"),
                             reply.error.empty() ? fmt::format("HTTP {}", reply.status) : reply.error,
                             elapsed_ms(reply));
  std::string exchange = seen.command + "\n\n" + said(reply).substr(0, 80) + "\n" + reply.body;
  seen.evidence.push_back(session.recorder->evidence("http.txt", exchange));

  if (reply.error == "stopped") return fail(ErrorKind::stopped, "stopped during " + seen.command);
  std::string wanted_error = arguments.text_or("error", "");
  auto wanted_status = arguments.texts("status");
  if (!wanted_error.empty()) {
    seen.document = reply.body;
    if (wanted_error == "any" ? !reply.error.empty() : reply.error == wanted_error) return seen;
    return fail(ErrorKind::subject, fmt::format("{}: expected the connection to be {}, found {}",
                                                seen.command, wanted_error, said(reply)));
  }
  if (!reply.error.empty()) {
    return fail(ErrorKind::subject, fmt::format("{}: {}", seen.command, said(reply)));
  }
  bool fine = wanted_status.empty() ? reply.status < 400 : status_wanted(wanted_status, reply.status);
  if (fine && reply.body_cut) return fail(ErrorKind::invalid, cut_reply(request, reply, seen));
  if (const auto packed = reply.headers.find("content-encoding");
      fine && packed != reply.headers.end() && packed->second != "identity") {
    return fail(ErrorKind::invalid, fmt::format("{}: the reply is packed ({}), which nobody asked for, "
                                                "and is not judged", seen.command, packed->second));
  }
  if (fine) {
    auto document = http_document(reply);
    if (!document) return within(seen.command, document.error());
    seen.document = std::move(*document);
    return seen;
  }
  return fail(ErrorKind::subject,
              fmt::format("{}: expected status {}, found {}", seen.command,
                          wanted_status.empty() ? "below 400" : fmt::format("{}", fmt::join(wanted_status, " or ")),
                          said(reply)));
}

Result<Observation> http_look(Session& session, const Arguments& arguments, const Limit& limit) {
  auto request = http_request(session, arguments);
  if (!request) return tl::unexpected(request.error());
  auto deadline = arguments.duration_or("deadline", default_timeout);
  if (!deadline) return tl::unexpected(deadline.error());
  HttpReply reply = perform(*request, limit.within(*deadline));
  return http_observation(session, arguments, *request, reply);
}
}  // namespace harness
