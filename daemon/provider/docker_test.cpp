// What the container engine says, read piece by piece and never trusted.
#include <gmock/gmock.h>

#include "daemon/provider/docker_api.h"
#include "daemon/provider/docker_events.h"
#include "daemon/provider/docker_json.h"
#include "daemon/provider/lookout.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using ::testing::ElementsAre;

std::string framed(const std::string& text) {
  std::string frame("\1\0\0\0\0\0\0", 7);
  frame += static_cast<char>(text.size());
  return frame + text;
}

TEST(LogText, ReadsFramesThatAreCutAnywhere) {
  const std::string whole = framed("out") + framed("") + framed("er");
  for (std::size_t at = 0; at <= whole.size(); ++at) {
    LogText text(100);
    text.take(whole.substr(0, at));
    text.take(whole.substr(at));
    EXPECT_EQ(std::move(text).text(), "outer") << "cut at " << at;
  }
  LogText one_by_one(100);
  for (const char byte : whole) one_by_one.take({&byte, 1});
  EXPECT_EQ(std::move(one_by_one).text(), "outer");
}

TEST(LogText, KeepsTheEndOfALogWithoutEnd) {
  LogText text(10);
  std::string frame("\1\0\0\0\xff\xff\xff\xff", 8);  // 4 GiB announced
  text.take(frame);
  for (int i = 0; i < 10000; ++i) text.take("0123456789abc");
  EXPECT_EQ(std::move(text).text(), "3456789abc");
  LogText cut(10);
  cut.take("\1\0\0");
  EXPECT_EQ(std::move(cut).text(), "");
}

TEST(DockerJson, WhatHasAnotherShapeReadsAsAbsent) {
  for (const char* wrong : {"7", "null", "[]", "{}", R"({"Id":5,"Labels":{"aima.service":"s"}})",
                            R"({"Id":"ab/../cd","Labels":{"aima.service":"s"}})",
                            R"({"Id":"ab\r\nX: y","Labels":{"aima.service":"s"}})",
                            R"({"Id":"ab","Labels":["aima.service"]})",
                            R"({"Id":"ab","Labels":{"aima.service":9}})"}) {
    EXPECT_FALSE(instance_from_list(Json::parse(wrong)).has_value()) << wrong;
    EXPECT_FALSE(is_container(Json::parse(wrong))) << wrong;
    std::set<int> ports;
    add_ports_of(Json::parse(wrong), ports);
    Instance instance;
    EXPECT_FALSE(read_inspection(Json::parse(wrong), instance)) << wrong;
  }
  Instance instance;
  EXPECT_TRUE(read_inspection(Json::parse(R"({"State":{"Status":3,"ExitCode":"x","OOMKilled":1,
                                              "Error":[1]}})"),
                              instance));
  EXPECT_EQ(instance.state, InstanceState::ended);
  std::set<int> ports;
  add_ports_of(Json::parse(R"({"Labels":{"aima.port":"8001 "},"Ports":[7,{"PublicPort":"1"},
                               {"PublicPort":-5},{"PublicPort":99999999999},{"PublicPort":80}]})"),
               ports);
  ports.erase(0);
  EXPECT_THAT(ports, ElementsAre(80));
}

TEST(DockerApi, AnErrorsTextIsOneOfSensibleSize) {
  http::Response response{500, {}, R"({"message":[1]})"};
  EXPECT_EQ(error_text(response), R"({"message":[1]})");
  response.body = std::string(100000, 'x');
  EXPECT_EQ(error_text(response).size(), 500U);
  response.body = " \n";
  EXPECT_EQ(error_text(response), "HTTP status 500");
}

struct Told {
  std::vector<std::string> services;
  int all = 0;
  Watcher watcher{[this](const std::string& id) { services.push_back(id); }, [this] { ++all; },
                  [](const Error&) {}};
};

std::string event(const std::string& action, const std::string& labels) {
  return R"({"Type":"container","Action":")" + action + R"(","Actor":{"Attributes":{)" + labels +
         "}}}\n";
}

TEST(EventLines, TellsWhichServiceChanged) {
  const Labels scope = {{"run", "1"}};
  const std::string ours = R"("aima.service":"svc-1","run":"1")";
  const std::string text = event("die", ours) + event("exec_create: x", ours) +
                           event("start", R"("aima.service":"svc-2")") +
                           event("died", R"("aima.service":"svc-3","run":"1")") + "\r\n";
  for (std::size_t at = 0; at <= text.size(); at += 7) {
    Told told;
    EventLines lines(scope, told.watcher);
    lines.take(text.substr(0, at));
    lines.take(text.substr(at));
    EXPECT_THAT(told.services, ElementsAre("svc-1", "svc-3")) << at;
  }
}

TEST(EventLines, WhatCannotBeUnderstoodMayHaveBeenAboutAnybody) {
  const Labels scope;
  for (const std::string& line :
       {std::string("no json\n"), std::string("[1]\n"),
        std::string(R"({"Type":"container","Action":"die"})") + "\n",
        std::string(R"({"Type":"container","Action":"die","Actor":7})") + "\n"}) {
    Told told;
    EventLines lines(scope, told.watcher);
    lines.take(line);
    EXPECT_EQ(told.all, 1) << line.substr(0, 50);
    lines.take(event("die", R"("aima.service":"svc-1")"));
    EXPECT_THAT(told.services, ElementsAre("svc-1")) << line.substr(0, 50);
  }
}

TEST(EventLines, ALineWithoutEndIsNotGathered) {
  const Labels scope;
  Told told;
  EventLines lines(scope, told.watcher);
  int pieces = 0;
  while (lines.take(std::string(65536, 'x')) && pieces < 100) ++pieces;
  EXPECT_LT(pieces, 20);
}

TEST(Lookout, WhatIsDeferredIsWantedOnceItIsReleased) {
  Lookout lookout;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  lookout.want("a");
  lookout.want("a");
  lookout.defer("b");
  lookout.released("c");
  EXPECT_THAT(lookout.wait(now() + 1min, {}).services, ElementsAre("a"));
  EXPECT_TRUE(lookout.wait(now() + 1ms, {}).is_empty());
  lookout.released("b");
  EXPECT_THAT(lookout.wait(now() + 1min, {}).services, ElementsAre("b"));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(lookout.wait(now() + 1h, stop.get_token()).is_empty());
}
}  // namespace
}  // namespace aima::provider
