// A unit's refusal reaches its client with the unit's own status, whichever way the unit was asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::StartsWith;

// Refuses with the status that its id says.
Unit refusing(std::string verb, UnitKind kind) {
  Unit unit;
  unit.domain = "model";
  unit.verb = std::move(verb);
  unit.kind = kind;
  unit.fields = {field("id", FieldType::string)};
  unit.run = [](Call call, Done done) {
    const std::string id = call.input["id"].get<std::string>();
    done(fail(std::stoi(id), "as_told", "refused with " + id));
  };
  return unit;
}

TEST(UnitErrors, KeepTheirStatusByEveryWay) {
  TestServer server({}, 30s, [](UnitRegistry& registry, boost::asio::io_context&) {
    registry.add(refusing("get", UnitKind::query));
    registry.add(refusing("delete", UnitKind::command));
  });
  Client client(server.port);
  for (const std::string id : {"400", "404", "409", "429", "502", "503", "504", "507"}) {
    const std::string input = R"({"id":")" + id + "\"}";
    const auto execute = [&](const std::string& unit) {
      return post("/api/v2/execute", R"({"unit":")" + unit + R"(","input":)" + input + "}");
    };
    for (const std::string& request :
         {get("/api/model/get?id=" + id), post("/api/model/get", input),
          post("/api/model/delete", input), get("/api/v2/models/" + id),
          "DELETE /api/v2/models/" + id + " HTTP/1.1\r\nHost: t\r\n\r\n", execute("model.get"),
          execute("model.delete")}) {
      const std::string reply = client.ask(request);
      EXPECT_THAT(reply, StartsWith("HTTP/1.1 " + id + " ")) << request;
      EXPECT_THAT(reply, HasSubstr("\"as_told\"")) << request;
    }
  }
}

}  // namespace
}  // namespace aima
