// A request's body as the parser fills it. Beast's own string_body takes the announced length at
// once: a few bytes of a client would cost ten megabytes each, and end a process that has no more.
#pragma once
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/optional.hpp>
#include <cstdint>
#include <string>

namespace aima {

// A body type of Beast (its "BodyReader"): memory is taken as bytes arrive.
struct GrownBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool is_request, typename Fields>
    reader(boost::beast::http::header<is_request, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& announced, boost::system::error_code& error) {
      static constexpr std::uint64_t most_at_once = 16 * 1024;
      if (announced) body_.reserve(std::min(*announced, most_at_once));
      error = {};
    }

    template <typename Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
      const std::size_t before = body_.size();
      for (const auto& piece : boost::beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(piece.data()), piece.size());
      }
      error = {};
      return body_.size() - before;
    }

    void finish(boost::system::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

}  // namespace aima
