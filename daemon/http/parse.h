// One step of a Beast parser over bytes that somebody else wrote. What Beast 1.81 cannot bear is known
// here alone: it asserts where it should refuse, and an assertion ends the process with every
// connection of everybody. In such a step it ends that one message.
#pragma once
#include <cstddef>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace aima {

// How often an assertion of Boost failed in such a step, since the process began. Each is a fault of
// the parser, told in the log; the fuzz targets take one for a broken promise.
std::size_t failed_parser_assertions();

// Thrown by BOOST_ASSERT in place of abort while a ParserStep of this thread lives.
struct ParserAssertion {};
class ParserStep {
 public:
  ParserStep();
  ~ParserStep();
  ParserStep(const ParserStep&) = delete;
  ParserStep& operator=(const ParserStep&) = delete;
};

// Asked again with fewer than five bytes once it has seen the last chunk's line ("0\r\n", of a body
// without any other), the parser asserts (basic_parser::parse_chunk_header, n >= 5). What is left of
// a chunked body that is not done has five bytes at least, "0\r\n\r\n": nobody waits in vain.
template <typename Parser>
bool is_too_little_of_a_chunked_body(const Parser& parser, std::size_t size) {
  return size < 5 && parser.is_header_done() && !parser.is_done() && parser.chunked();
}

// As Parser::put: how many bytes were taken; `need_more` where more are wanted before the next step.
// After any other error the parser must not be used again.
template <typename Parser>
std::size_t parse_some(Parser& parser, boost::asio::const_buffer bytes,
                       boost::system::error_code& error) {
  error = {};
  if (is_too_little_of_a_chunked_body(parser, bytes.size())) {
    error = boost::beast::http::error::need_more;
    return 0;
  }
  try {
    const ParserStep step;
    return parser.put(bytes, error);
  } catch (const ParserAssertion&) {
    error = boost::beast::http::error::bad_value;
    return 0;
  }
}

// As Parser::put_eof: nothing more will come.
template <typename Parser>
void parse_end(Parser& parser, boost::system::error_code& error) {
  error = {};
  try {
    const ParserStep step;
    parser.put_eof(error);
  } catch (const ParserAssertion&) {
    error = boost::beast::http::error::partial_message;
  }
}

}  // namespace aima
