// inference.chat: finds a running service of the model and relays to its OpenAI-compatible
// /v1/chat/completions, streaming (server-sent events, as they arrive) when asked. All on the I/O
// thread, so that a thousand chats under way cost sockets and no thread.
#pragma once
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <string>

#include "daemon/domain/unit.h"

namespace aima {

struct RelayOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds silence_timeout{300'000};  // between bytes of the engine: 504
  std::size_t reply_bytes = 64 * 1024 * 1024;          // of a reply that is not streamed: 502
  // Loopback port of a running service of the model, by id or name. Must not block.
  std::function<Result<int>(const std::string& model)> port_for_model;
};

// `io` must outlive every call. A client that goes away, and a drain that has run out of time,
// cancel the engine's request by closing its connection.
void add_inference_units(UnitRegistry& registry, boost::asio::io_context& io, RelayOptions options);

}  // namespace aima
