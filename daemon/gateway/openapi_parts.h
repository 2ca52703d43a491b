// The parts of the OpenAPI document that operations refer to.
#pragma once
#include <string>
#include <string_view>

#include "daemon/gateway/openapi.h"

namespace aima {

// {"$ref":"#/components/KIND/NAME"}
Json openapi_ref(std::string_view kind, const std::string& name);
// {MEDIA_TYPE:{"schema":…}}
Json openapi_content(const std::string& media_type, Json schema);
// "Envelope" for replies in the envelope: what shared schemas and responses end in.
std::string openapi_suffix(ReplyForm form);
// Everything below "components".
Json openapi_components(const RouteTable& table);

}  // namespace aima
