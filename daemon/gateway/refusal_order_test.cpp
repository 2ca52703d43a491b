// A request is judged by its head before its body, however its bytes come: in which form a refusal
// is, and which one, must not depend on what arrived together with the head.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string too_long = "Content-Length: 10485761\r\n\r\n";
const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";

std::string head_of(const std::string& method_and_path) {
  return method_and_path + " HTTP/1.1\r\nHost: t\r\n";
}

std::string answer_to(TestServer& server, const std::string& text) {
  Client client(server.port);
  client.send(text);
  return client.read_all();
}

TEST(RefusalOrder, WhatIsWrongWithABodyIsSaidInThePathsForm) {
  TestServer server;
  const std::string head = head_of("POST /api/v2/execute");
  for (const std::string& rest : {too_long, chunked + "fffffff\r\n{}\r\n", chunked + "zzzzz\r\n"}) {
    const std::string status = rest.ends_with("zzzzz\r\n") ? "400" : "413";
    const std::string together = answer_to(server, head + rest);
    EXPECT_THAT(together, StartsWith("HTTP/1.1 " + status)) << rest;
    EXPECT_THAT(together, HasSubstr("\"success\":false")) << rest;
    EXPECT_THAT(answer_to(server, head_of("POST /api/test/echo") + rest),
                Not(HasSubstr("\"success\"")))
        << rest;
  }
}

TEST(RefusalOrder, TheHeadIsAnsweredBeforeItsBody) {
  const std::string key = "0123456789abcdef";
  TestServer guarded({}, 30s, {}, {}, {}, {.api_keys = {key}});
  const std::string keyed = "Authorization: Bearer " + key + "\r\n";
  for (const std::string& rest : {too_long, chunked + "fffffff\r\n{}\r\n", chunked + "zzzzz\r\n"}) {
    EXPECT_THAT(answer_to(guarded, head_of("POST /api/test/echo") + rest),
                StartsWith("HTTP/1.1 401"));
    EXPECT_THAT(answer_to(guarded, head_of("POST /api/test/ecko") + keyed + rest),
                StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(answer_to(guarded, head_of("GET /api/test/echo") + keyed + rest),
                StartsWith("HTTP/1.1 405"));
  }
}

TEST(RefusalOrder, NoBodyIsAskedForThatIsRefused) {
  TestServer server;
  EXPECT_THAT(answer_to(server, head_of("POST /api/test/echo") + "Expect: 100-continue\r\n" +
                                    too_long),
              StartsWith("HTTP/1.1 413"));
}

// Its bytes would be the next request, or wait for ever.
TEST(RefusalOrder, ATransferCodingWithoutANameIsNoMissingBody) {
  TestServer server;
  const std::string reply = answer_to(
      server, head_of("POST /api/test/echo") + "Transfer-Encoding:\r\n\r\n" + get("/health"));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 501"));
  EXPECT_THAT(reply, Not(HasSubstr("200 OK")));
}

std::size_t address_space_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t size = 0;
    if (word == "VmSize:" && status >> size) return size;
  }
  return 0;
}

// Else a few hundred bytes would take gigabytes of a process that may not have them.
TEST(RefusalOrder, AnAnnouncedBodyTakesNoMemoryBeforeItComes) {
  TestServer server;
  const std::string begun = head_of("POST /api/test/echo") +
                            "Expect: 100-continue\r\nContent-Length: 10000000\r\n\r\n{";
  std::vector<Client> clients;
  const std::size_t before = address_space_kib();
  for (int count = 0; count < 60; ++count) {
    clients.emplace_back(server.port);
    clients.back().send(begun);
  }
  for (Client& client : clients) ASSERT_TRUE(client.wait_for("100 Continue"));
  EXPECT_LT(address_space_kib(), before + 300'000);
}

}  // namespace
}  // namespace aima
