// What a parser's assertion does: to its message everything, to the process nothing.
#include "daemon/http/parse.h"

#include <gtest/gtest.h>

#include <boost/assert.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace aima {
namespace {
namespace beast = boost::beast;
using boost::system::error_code;

// A parser that cannot bear the letter x.
struct TouchyParser {
  bool is_header_done() const { return true; }
  bool is_done() const { return false; }
  bool chunked() const { return false; }
  std::size_t put(boost::asio::const_buffer bytes, error_code&) {
    BOOST_ASSERT(*static_cast<const char*>(bytes.data()) != 'x');
    return bytes.size();
  }
  void put_eof(error_code&) { BOOST_ASSERT_MSG(false, "no end"); }
};

TEST(Parse, AnAssertionEndsTheMessageNotTheProcess) {
  TouchyParser parser;
  error_code error = beast::http::error::bad_method;  // an earlier one does not count
  EXPECT_EQ(parse_some(parser, boost::asio::buffer("abc", 3), error), 3u);
  EXPECT_FALSE(error);
  const auto before = failed_parser_assertions();
  EXPECT_EQ(parse_some(parser, boost::asio::buffer("xbc", 3), error), 0u);
  EXPECT_EQ(error, beast::http::error::bad_value);
  parse_end(parser, error);
  EXPECT_EQ(error, beast::http::error::partial_message);
  EXPECT_EQ(failed_parser_assertions(), before + 2);
}

// Without the rule of parse_some this is an assertion of Beast 1.81's own; it stays one of a message.
TEST(Parse, BeastsOwnAssertionIsCaught) {
  beast::http::request_parser<beast::http::string_body> parser;
  parser.eager(true);
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  error_code error;
  std::size_t taken = 0;
  while (!error && taken < head.size())
    taken += parse_some(parser, boost::asio::buffer(head) + taken, error);
  EXPECT_EQ(error, beast::http::error::need_more);
  const auto before = failed_parser_assertions();
  EXPECT_THROW(
      {
        const ParserStep step;
        parser.put(boost::asio::buffer("\r\n", 2), error);
      },
      ParserAssertion);
  EXPECT_EQ(failed_parser_assertions(), before + 1);
}

TEST(ParseDeathTest, AnyOtherAssertionEndsTheProcess) {
  EXPECT_DEATH(BOOST_ASSERT(1 + 1 == 3), "parse_test.cpp:[0-9]+: .*`1 \\+ 1 == 3` does not hold");
}

}  // namespace
}  // namespace aima
