// See help.h.
#include "daemon/cli/help.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace aima::cli {
namespace {
constexpr std::string_view kGlobals =
    "Everywhere, before or after the command:\n"
    "  --output table|json|yaml  how results are shown (table)\n"
    "  --server URL              the daemon's address (AIMA_SERVER, http://127.0.0.1:9090)\n"
    "  --api-key KEY             sent as Authorization: Bearer (AIMA_API_KEY)\n"
    "  --timeout T               how long to wait for an answer: 30, 500ms, 2m\n"
    "  --idempotency-key K       sent with the command: asked again with it, nothing is done twice\n"
    "  --help                    this\n";

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string aligned(const Rows& rows) {
  const auto columns = [](const std::string& text) {  // code points: "…" is one
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
      return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
    }));
  };
  std::size_t width = 0;
  for (const auto& [left, right] : rows) width = std::max(width, columns(left));
  std::string out;
  for (const auto& [left, right] : rows) {
    out += "  " + left + std::string(width + 2 - columns(left), ' ') + right + "\n";
  }
  return out;
}

std::string upper(std::string word) {
  for (char& letter : word) {
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return word;
}

std::string shape(const Flag& flag) {
  switch (flag.value) {
    case Value::boolean: return flag_name(flag.field);
    case Value::integer:
    case Value::number: return flag_name(flag.field) + " N";
    case Value::json: return flag_name(flag.field) + " JSON";
    case Value::list: return flag_name(flag.field) + " A,B,…";
    case Value::text: break;
  }
  return flag_name(flag.field) + " " + (flag.shown.empty() ? upper(flag.field) : flag.shown);
}
}  // namespace

std::string help_all() {
  Rows rows;
  for (const Command& command : commands()) rows.emplace_back(command.typed(), command.summary);
  return "aima: AI inference on this machine: models, services, engines\n\n"
         "Usage: aima COMMAND [FLAGS]\n\n" +
         aligned(rows) + "\n" + std::string(kGlobals) +
         "\naima COMMAND --help tells the flags of one command.\n"
         "Exit status: 0 done, 1 refused by the daemon, 64 usage error, 69 no daemon.\n"
         "doctor: 0 healthy, 1 warnings, 2 broken. selftest: that of aima-harness.\n";
}

std::string help_group(std::string_view group) {
  Rows rows;
  for (const Command* command : commands_of(group)) {
    rows.emplace_back(command->typed(), command->summary);
  }
  return "Usage: aima " + std::string(group) + " COMMAND [FLAGS]\n\n" + aligned(rows) + "\n" +
         std::string(kGlobals);
}

std::string help_command(const Command& command) {
  std::string out = "Usage: aima " + command.typed();
  if (command.takes_many) {
    out += " [" + upper(command.positional) + "…]";
  } else if (!command.positional.empty()) {
    out += " " + upper(command.positional);
  }
  if (!command.flags.empty() || command.takes_file) out += " [FLAGS]";
  out += "\n\n" + command.summary + "\n\n";
  Rows rows;
  for (const Flag& flag : command.flags) {
    rows.emplace_back(shape(flag), flag.help + (flag.required ? " [required]" : ""));
  }
  if (command.takes_file) {
    rows.emplace_back("--file FILE", "fields from a JSON or YAML file, - for standard input");
  }
  if (!rows.empty()) out += aligned(rows) + "\n";
  return out + std::string(kGlobals);
}
}  // namespace aima::cli
