// The table alone: what is found where, and what a row brings along.
#include "daemon/gateway/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/domain/near_miss.h"
#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Route row(unsigned methods, std::string path) {
  Route route;
  route.methods = methods;
  route.path = std::move(path);
  return route;
}

RouteTable sample() {
  RouteTable table;
  table.add(row(method_get, "/models"));
  table.add(row(method_post, "/models"));
  table.add(row(method_get | method_delete, "/models/{id}"));
  table.add(row(method_post, "/models/{id}/start"));
  table.add(row(method_post, "/models/create"));
  return table;
}

TEST(RouteTable, RowsOfOnePathShareItsPlaceAndAllow) {
  const RouteTable table = sample();
  const auto models = table.find("/models");
  ASSERT_NE(models.place, nullptr);
  EXPECT_EQ(models.place->allow, "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(models.place->row("HEAD"), models.place->row("GET"));
  EXPECT_NE(models.place->row("POST"), models.place->row("GET"));
  EXPECT_EQ(models.place->row("DELETE"), nullptr);
  EXPECT_EQ(models.place->row("get"), nullptr) << "methods are case-sensitive";
  EXPECT_EQ(table.rows().size(), 5U);
}

TEST(RouteTable, PatternsTakeOneSegmentAndFixedPathsGoFirst) {
  const RouteTable table = sample();
  const auto one = table.find("/models/model-1");
  ASSERT_NE(one.place, nullptr);
  EXPECT_EQ(one.place->path, "/models/{id}");
  EXPECT_EQ(one.value, "model-1");
  EXPECT_EQ(one.place->allow, "GET, HEAD, DELETE, OPTIONS");
  const auto start = table.find("/models/model-1/start");
  ASSERT_NE(start.place, nullptr);
  EXPECT_EQ(start.place->path, "/models/{id}/start");
  EXPECT_EQ(start.value, "model-1");
  EXPECT_EQ(table.find("/models/create").place->path, "/models/create");
  for (const char* path : {"/models/", "/models//start", "/models/a/b", "/models/a/start/",
                           "/model", "/models/a/b/start", "", "*"}) {
    EXPECT_EQ(table.find(path).place, nullptr) << path;
  }
}

TEST(RouteTable, ANearMissOfAPatternKeepsWhatWasAskedFor) {
  const RouteTable table = sample();
  EXPECT_THAT(table.paths_near("/modls/model-1/start"), Contains("/models/model-1/start"));
  EXPECT_EQ(near_miss("/models/model-1/stat", table.paths_near("/models/model-1/stat")),
            "/models/model-1/start");
  EXPECT_THAT(table.paths_near("/models"), Contains("/models/create"));
}

TEST(RouteTableDeathTest, TwoRowsForOneMethodOfOnePathAreAProgrammingError) {
  EXPECT_DEATH(
      {
        RouteTable table = sample();
        table.add(row(method_post, "/models/create"));
      },
      "two routes for one method of /models/create");
}

std::string only_head(const std::string& method, const std::string& path) {
  return method + " " + path + " HTTP/1.1\r\nHost: t\r\n\r\n";
}

TEST(Routes, OptionsTellsWhatAPathAllows) {
  TestServer server;
  Client client(server.port);
  client.send(only_head("OPTIONS", "/health"));
  ASSERT_TRUE(client.wait_for("\r\n\r\n"));
  client.send(only_head("OPTIONS", "/api/test/echo"));
  ASSERT_TRUE(client.wait_for("Allow: POST, OPTIONS\r\n"));
  client.send(only_head("OPTIONS", "*"));
  ASSERT_TRUE(client.wait_for("Allow: GET, HEAD, POST, DELETE, OPTIONS\r\n"));
  client.send("OPTIONS /nowhere HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_all();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(all, HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"));
  EXPECT_THAT(all, HasSubstr("HTTP/1.1 404"));
  EXPECT_THAT(Client(server.port).ask(only_head("GET", "*")), StartsWith("HTTP/1.1 400"));
}

TEST(Routes, HeadAnswersWhereGetDoesAndOtherMethodsAreToldWhatIsAllowed) {
  TestServer server;
  Client client(server.port);
  client.send("HEAD /api/test/list?limit=7 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  const std::string reply = client.read_all();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr("Content-Length: 12\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
  for (const char* method : {"DELETE", "PUT", "PATCH", "TRACE", "BREW", "get"}) {
    const std::string refused = Client(server.port).ask(only_head(method, "/api/test/list"));
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 405")) << method;
    EXPECT_THAT(refused, HasSubstr("\r\nAllow: GET, HEAD, POST, OPTIONS\r\n")) << method;
  }
  EXPECT_THAT(Client(server.port).ask(get("/api/test/list/")), HasSubstr("'/api/test/list'"));
  EXPECT_THAT(Client(server.port).ask(get("/api/test/list")), Not(HasSubstr("Allow")));
}

}  // namespace
}  // namespace aima
