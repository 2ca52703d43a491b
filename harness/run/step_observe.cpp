// `observe`: a named fact for the report, from a probe or from what was captured.
#include <fmt/format.h>

#include "harness/run/embedded.h"
#include "harness/run/rows.h"

namespace harness {
namespace {
const std::vector<std::string> observe_keys = {"name", "value", "text"};
}

StepShape observe_shape() {
  return {"observe",
          "report",
          "A named fact for the report: `value` over a probe's document or over captured values.",
          "name",
          {{"name", ValueKind::text, true, "as the report shall call it"},
           {"value", ValueKind::expression, false, "default: the whole document"},
           {"text", ValueKind::text, false, "how the report shall say it, in place of the bare value"}},
          true,
          true,
          "- observe: {name: shutdown timeout, http: GET /api/system/info, value: "
          ".shutdown_timeout_s}",
          "nothing"};
}

Result<Observation> execute_observe(StepContext& context) {
  auto name = context.arguments.text("name");
  if (!name) return tl::unexpected(name.error());
  Observation seen;
  if (has_embedded_step(context.step, observe_keys)) {
    auto inner = embedded_step(context.step, observe_keys);
    if (!inner) return tl::unexpected(inner.error());
    auto looked = execute_step(context.live, context.session, *inner, context.limit, context.branch);
    if (!looked) return looked;
    seen = std::move(*looked);
  }
  if (const Node* written = context.step.arguments.find("value")) {
    const Json bindings = bindings_of(context.live, context.session, seen.bindings);
    std::lock_guard lock(context.live.evaluation);
    auto value = context.session.expressions->capture(Expression{written->text, written->span},
                                                      seen.document, bindings);
    if (!value) return within("the fact `" + *name + "`", Error{ErrorKind::timeout,
                                                               value.error().message,
                                                               written->span, {}});
    seen.document = std::move(*value);
  }
  std::string text = seen.document.is_string()
                         ? seen.document.get<std::string>()
                         : seen.document.dump(-1, ' ', false, Json::error_handler_t::replace);
  text = context.arguments.text_or("text", text);
  context.session.recorder->record("fact", {{"name", *name},
                                            {"value", seen.document},
                                            {"text", text},
                                            {"step", context.step.path}});
  seen.summary = fmt::format("{}: {}", *name, text);
  return seen;
}
}  // namespace harness
