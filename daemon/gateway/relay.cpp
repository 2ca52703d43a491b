// The inference.chat unit; one chat is one Chat (chat.h).
#include "daemon/gateway/relay.h"

#include <boost/asio/dispatch.hpp>

#include <memory>
#include <utility>

#include "daemon/gateway/chat.h"

namespace aima {
namespace {

Field field(std::string name, FieldType type, std::string help) {
  Field made;
  made.name = std::move(name);
  made.type = type;
  made.help = std::move(help);
  return made;
}

// Fields of ours are taken out, the rest goes to the engine as it came.
Result<Json> engine_body(const Call& call) {
  Json body = call.input;
  const bool has_message = body.contains("message");
  if (has_message == body.contains("messages")) {
    return fail(400, "invalid_input",
                has_message ? "fields 'message' and 'messages' are both given; give one of them"
                            : "field 'message' is missing: it must be a string (or give "
                              "'messages', a list of {role, content})",
                Json{{"field", "message"}});
  }
  if (!has_message && body["messages"].empty()) {
    return fail(400, "invalid_input",
                "field 'messages' must not be empty: it is a list of {role, content}",
                Json{{"field", "messages"}});
  }
  if (has_message) {
    body["messages"] =
        Json::array({Json{{"role", "user"}, {"content", std::move(body["message"])}}});
    body.erase("message");
  }
  if (!call.stream) body["stream"] = false;
  return body;
}

}  // namespace

void add_inference_units(UnitRegistry& registry, boost::asio::io_context& io,
                         RelayOptions options) {
  Unit chat;
  chat.domain = "inference";
  chat.verb = "chat";
  chat.kind = UnitKind::command;
  chat.takes_key = false;  // makes nothing, and its answers are the engine's; clients send keys
  chat.summary = "Send a chat to a running service of a model; stream:true for server-sent events";
  chat.fields.push_back(field("model", FieldType::string, "id or name"));
  chat.fields.back().required = true;
  chat.fields.push_back(field("message", FieldType::string, "one user message"));
  chat.fields.push_back(field("messages", FieldType::object_list, "the whole conversation"));
  chat.fields.push_back(field("stream", FieldType::boolean, "answer piece by piece"));
  chat.fields.push_back(field("*", FieldType::object, "further OpenAI fields go to the engine"));
  const auto shared = std::make_shared<const RelayOptions>(std::move(options));
  chat.run = [&io, shared](Call call, Done done) {
    auto body = engine_body(call);
    if (!body) return done(tl::unexpected(std::move(body.error())));
    const auto model = call.input["model"].get<std::string>();
    auto task = std::make_shared<Chat>(io, shared, model, std::move(*body), std::move(call),
                                       std::move(done));
    // Pipelines call from their own thread.
    boost::asio::dispatch(io, [task] { task->start(); });
  };
  registry.add(std::move(chat));
}

}  // namespace aima
