// The json reporter: all verdicts in one object.
#include "harness/report/formats.h"
#include "harness/report/text.h"

namespace harness {

std::string render_json(const std::vector<Verdict>& verdicts, const ReportOptions& options) {
  const Tally tally = tally_of(verdicts);
  Json out = Json::object();
  out["schema"] = 1;
  out["tool"] = "aima-harness";
  out["answer"] = name_of(answer_of(verdicts));
  out["criteria"] = {{"pass", tally.pass},
                     {"fail", tally.fail},
                     {"inconclusive", tally.inconclusive},
                     {"error", tally.error}};
  out["total_s"] = options.total_seconds;
  out["command"] = options.command;
  out["verdicts"] = Json::array();
  for (const auto& verdict : verdicts) {
    Json one = to_json(verdict);
    if (!verdict.folder.empty()) one["folder"] = verdict.folder;
    out["verdicts"].push_back(std::move(one));
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace harness
