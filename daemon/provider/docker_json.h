// What goes to the container engine and comes back, as JSON: the container that a launch asks for,
// and what a list or an inspection says. Pure. Nothing that comes back is trusted: what has another
// shape than the API's reads as absent, in a list as an error.
#pragma once
#include <optional>
#include <set>
#include <string>

#include "daemon/provider/instance.h"

namespace aima::provider {

// POST /containers/create. Host networking, the port in a label: the daemon then reaches the engine
// without a proxy between (0.3 against 1.1 ms a request), a start costs half, and a port that
// answers belongs to the engine itself: docker-proxy accepts while nobody listens inside.
Json container_body(const Launch& launch, const Labels& scope);

// Whether an element of GET /containers/json has the shape of one: its id, its labels.
bool is_container(const Json& element);
// One element of GET /containers/json; empty when it is no container of a service of ours.
std::optional<Instance> instance_from_list(const Json& container);
// Whether an element of the list has all of these labels.
bool carries(const Json& container, const Labels& scope);
// Ports that an element of the list holds, ours or not.
void add_ports_of(const Json& container, std::set<int>& ports);
// GET /containers/ID/json into what is known already; false when it is no inspection.
bool read_inspection(const Json& inspection, Instance& instance);

// Text at `key`; empty when there is none or `object` is no object.
std::string json_text(const Json& object, const char* key);
// A container's id as the engines make them: hexadecimal digits. Others go into no request.
bool is_container_id(const std::string& id);
}  // namespace aima::provider
