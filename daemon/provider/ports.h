// Ports for engines: never one that a service, a container or any other process holds.
#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "daemon/base/error.h"

namespace aima::provider {

// True when nothing on this machine listens on or is bound to the port, on any address.
bool is_port_free(int port);

// Thread-safe. A lease keeps a port from being given to a second start while the first one's engine
// has not bound it yet.
class PortAllocator {
 public:
  class Lease {
   public:
    Lease(PortAllocator& owner, int port) : owner_(&owner), port_(port) {}
    ~Lease();
    Lease(Lease&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), port_(other.port_) {}
    Lease& operator=(Lease&&) = delete;
    int port() const { return port_; }

   private:
    PortAllocator* owner_;
    int port_;
  };

  PortAllocator(int first, int last) : first_(first), last_(last) {}

  // `held`: ports of other services and of containers. `wanted` (0: none) is what the caller of
  // `create` asked for: taken is 409. `liked` (0: none) is the last one: given again if free.
  Result<Lease> take(const std::set<int>& held, int wanted, int liked);

 private:
  bool available(int port, const std::set<int>& held) const;
  void give_back(int port);

  int first_;
  int last_;
  std::mutex mutex_;
  std::set<int> leased_;
};
}  // namespace aima::provider
