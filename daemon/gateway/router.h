// Path and method → what answers. Transport only: what a unit does is the registry's business.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/domain/unit.h"
#include "daemon/gateway/message.h"

namespace aima {

class Router {
 public:
  // `not_ready` says why /ready must answer 503, or nothing. The registry must outlive the router.
  Router(const UnitRegistry& units, std::function<std::optional<Error>()> not_ready);

  // What can be refused by the head alone: unknown path (404, with a near miss), wrong method
  // (405 with Allow), a body that is not JSON (415). Nothing: read on.
  std::optional<HttpReply> check_head(const HttpRequest& request) const;

  // Answers through `exchange`, now or later. I/O thread only. `request` passed check_head.
  void handle(HttpRequest request, std::shared_ptr<Exchange> exchange) const;

 private:
  void run_unit(const Unit& unit, HttpRequest request, std::shared_ptr<Exchange> exchange) const;
  const Unit* unit_at(const std::string& path) const;
  HttpReply not_found(const std::string& path) const;

  const UnitRegistry& units_;
  std::function<std::optional<Error>()> not_ready_;
};

}  // namespace aima
