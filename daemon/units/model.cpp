// model.create, list, get, delete.
#include <fmt/format.h>

#include <filesystem>

#include "daemon/domain/rules.h"
#include "daemon/units/common.h"
#include "daemon/units/units.h"

namespace aima {
namespace {

std::vector<Field> create_fields() {
  std::vector<Field> fields{
      string_field("name", "how people call it; unique", true),
      string_field("source", "where it comes from: ollama, huggingface, local, …"),
      string_field("repo", "its name at the source"),
      string_field("type", "llm, embedding, asr, tts, …"),
      string_field("format", "gguf, safetensors, …"),
      string_field("path", "absolute path of its files on this machine")};
  fields[3].fallback = "llm";
  fields[4].fallback = "gguf";
  Field size;
  size.name = "size";
  size.type = FieldType::integer;
  size.help = "bytes";
  size.minimum = 0;
  fields.push_back(size);
  Field tags;
  tags.name = "tags";
  tags.type = FieldType::string_list;
  tags.help = "free words";
  fields.push_back(tags);
  return fields;
}

Result<Json> checked_model(const Json& input) {
  for (const char* field : {"name", "source", "repo", "type", "format"})
    if (input.contains(field))
      if (auto good = check_name(field, input[field].get<std::string>()); !good)
        return tl::unexpected(good.error());
  if (input.contains("tags"))
    if (auto good = check_words("tags", input["tags"]); !good) return tl::unexpected(good.error());
  bool there = false;
  std::uintmax_t bytes = 0;
  if (input.contains("path")) {
    const auto path = input["path"].get<std::string>();
    if (auto good = check_path("path", path); !good) return tl::unexpected(good.error());
    std::error_code missing;
    const auto found = std::filesystem::status(path, missing);
    there = std::filesystem::exists(found);
    bytes = std::filesystem::is_regular_file(found) ? std::filesystem::file_size(path, missing) : 0;
    if (missing) bytes = 0;
  }
  Json model = Json::object();
  model["name"] = input["name"];
  model["status"] = there ? "ready" : "pending";  // pending: its files are not here (yet)
  for (const char* field : {"source", "repo", "type", "format", "path"})
    model[field] = input.value(field, "");
  model["size"] = input.contains("size") ? input["size"] : Json(bytes);
  model["tags"] = input.value("tags", Json::array());
  return model;
}

// A model that services use is not deleted from under them.
Result<void> no_services(Transaction& transaction, const Json& model) {
  const auto id = model["id"].get<std::string>();
  auto services = transaction.list(Domain::service, ListQuery{{{"model_id", id}}, 20, 0});
  if (!services) return tl::unexpected(services.error());
  if (services->total == 0) return {};
  std::string named;
  Json ids = Json::array();
  for (const auto& service : services->items) {
    const auto service_id = service["id"].get<std::string>();
    named += (named.empty() ? "" : ", ") + service_id;
    ids.push_back(service_id);
  }
  if (services->total > ids.size())
    named += fmt::format(" and {} more", services->total - ids.size());
  return fail(
      409, "in_use",
      fmt::format("model {} has {} service{} ({}): delete {} first", id, services->total,
                  services->total == 1 ? "" : "s", named, services->total == 1 ? "it" : "them"),
      Json{{"id", id}, {"services", ids}});
}
}  // namespace

void add_model_units(const UnitContext& context) {
  Store& store = context.store;
  Unit create{"model", "create", UnitKind::command, "Registers a model", create_fields(), {}};
  create.run = [&store](Call call, Done done) {
    auto model = checked_model(call.input);
    if (!model) return done(tl::unexpected(model.error()));
    create_object(store, Domain::model, std::move(*model), std::move(done));
  };
  context.registry.add(std::move(create));

  add_get_and_list(context.registry, store, Domain::model,
                   {string_field("type", "only of this type"),
                    word_field("status", "only with this status", {"pending", "ready", "error"}),
                    string_field("source", "only from this source")});

  Unit erase{"model",
             "delete",
             UnitKind::command,
             "Forgets a model; refused while services use it",
             {id_field(Domain::model)},
             {}};
  erase.run = [&store](Call call, Done done) {
    erase_object(store, Domain::model, call.input["id"].get<std::string>(), no_services,
                 std::move(done));
  };
  context.registry.add(std::move(erase));
}
}  // namespace aima
