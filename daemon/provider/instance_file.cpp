// Instance files on disk.
#include "daemon/provider/instance_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "daemon/log/log.h"

namespace aima::provider {
namespace {
namespace fs = std::filesystem;

Result<void> write_durably(const fs::path& path, const std::string& text) {
  const auto cannot = [&](const char* what) {
    return fail(errno == ENOSPC ? 507 : 500, "instance_file",
                fmt::format("{} {}: {}", what, path.string(), std::strerror(errno)));
  };
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return cannot("cannot create");
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    done += static_cast<std::size_t>(written);
  }
  const bool synced = done == text.size() && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  if (!synced) return cannot("cannot write");
  return {};
}

std::optional<InstanceRecord> record_from(const std::string& service_id, const std::string& text) {
  const Json parsed = Json::parse(text, nullptr, false);
  try {
    InstanceRecord record;
    record.service_id = service_id;
    record.process.pid = parsed.at("pid").get<pid_t>();
    record.process.start_ticks = parsed.at("start_ticks").get<std::uint64_t>();
    record.boot_id = parsed.at("boot_id").get<std::string>();
    record.port = parsed.at("port").get<int>();
    for (const auto& [key, value] : parsed.at("labels").items()) {
      record.labels.emplace_back(key, value.get<std::string>());
    }
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}
}  // namespace

bool InstanceRecord::is_alive() const {
  static const std::string this_boot = provider::boot_id();
  return boot_id == this_boot && process.pid > 0 && provider::is_alive(process);
}

bool InstanceRecord::carries(const Labels& scope) const {
  return std::all_of(scope.begin(), scope.end(), [&](const auto& wanted) {
    return std::find(labels.begin(), labels.end(), wanted) != labels.end();
  });
}

fs::path InstanceFolder::path_of(const std::string& service_id) const {
  return folder_ / (service_id + ".json");
}

Result<void> InstanceFolder::write(const InstanceRecord& record) const {
  Json labels = Json::object();
  for (const auto& [key, value] : record.labels) labels[key] = value;
  const Json document = {{"pid", record.process.pid},
                         {"start_ticks", record.process.start_ticks},
                         {"boot_id", record.boot_id},
                         {"port", record.port},
                         {"labels", labels}};
  const fs::path path = path_of(record.service_id);
  const fs::path beside = path.string() + ".new";
  if (auto written = write_durably(beside, document.dump(2) + "\n"); !written) return written;
  std::error_code error;
  fs::rename(beside, path, error);
  if (error) {
    return fail(500, "instance_file",
                fmt::format("cannot rename to {}: {}", path.string(), error.message()));
  }
  const int folder = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return {};
}

std::optional<InstanceRecord> InstanceFolder::read(const std::string& service_id) const {
  std::ifstream file(path_of(service_id));
  if (!file) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto record = record_from(service_id, text);
  if (!record) {
    log_warn("provider", fmt::format("{} is no instance file and is not believed",
                                     path_of(service_id).string()));
  }
  return record;
}

std::vector<InstanceRecord> InstanceFolder::read_all() const {
  std::vector<InstanceRecord> records;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() != ".json") continue;
    if (auto record = read(entry->path().stem().string())) records.push_back(std::move(*record));
  }
  return records;
}

void InstanceFolder::erase(const std::string& service_id) const {
  std::error_code ignored;
  fs::remove(path_of(service_id), ignored);
}
}  // namespace aima::provider
