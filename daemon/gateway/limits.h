// What one client may cost: sizes and deadlines. A slow or silent client holds a descriptor and a
// buffer until its deadline, never a thread.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace aima {

struct Limits {
  std::uint32_t header_bytes = 16 * 1024;             // 431
  std::uint64_t body_bytes = 10 * 1024 * 1024;        // 413
  std::size_t read_ahead_bytes = 64 * 1024;           // read while a request is being answered
  std::size_t connections = 10'000;                   // at once; gateway/server_room.cpp
  std::size_t crowded = 64;                           // beyond those, there to be told 503
  std::chrono::milliseconds header_deadline{10'000};  // first byte → end of the head: 408
  std::chrono::milliseconds body_deadline{60'000};    // end of the head → end of the body: 408
  std::chrono::milliseconds idle_deadline{60'000};    // kept or new connection, nothing sent
  std::chrono::milliseconds write_deadline{60'000};   // a client that takes nothing of its reply
  std::chrono::milliseconds linger{300};              // after our FIN, for the client's
  std::chrono::milliseconds refused_linger{2'000};    // the same, with a refused body on its way
  // During a drain:
  std::chrono::milliseconds silent_connection{1'000};  // accepted, has sent nothing yet
  std::chrono::milliseconds idle_grace{10};            // kept connections, before our FIN
  std::chrono::milliseconds cut_linger{300};           // for the 503s once time has run out
};

}  // namespace aima
