// Read buffers, lent to the connections that have something to read: an idle one holds none. I/O
// thread only.
#pragma once
#include <boost/beast/core/flat_buffer.hpp>
#include <cstddef>
#include <utility>
#include <vector>

namespace aima {

class BufferPool {
 public:
  using Buffer = boost::beast::flat_buffer;
  // The one given back last: its memory is the most likely to be in the processor's cache.
  Buffer lend() {
    if (spare_.empty()) return {};
    Buffer buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
  }
  // Must hold nothing.
  void give_back(Buffer buffer) {
    if (spare_.size() < most && buffer.capacity() > 0 && buffer.capacity() <= most_capacity) {
      spare_.push_back(std::move(buffer));
    }
  }

 private:
  static constexpr std::size_t most = 16;
  static constexpr std::size_t most_capacity = 64 * 1024;  // one that has grown is not kept
  std::vector<Buffer> spare_;
};

}  // namespace aima
