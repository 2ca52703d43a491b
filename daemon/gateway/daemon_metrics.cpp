// See daemon_metrics.h.
#include "daemon/gateway/daemon_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "version.h"

namespace aima {
namespace {

constexpr std::array<const char*, 6> service_states{"creating", "starting", "running",
                                                    "stopping", "stopped",  "failed"};
constexpr std::size_t most_containers = 1000;  // looked at in one scrape

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t open_descriptors() {
  std::error_code error;
  std::filesystem::directory_iterator folder("/proc/self/fd", error);
  if (error) return 0;
  const auto count = std::distance(begin(folder), end(folder));
  return count > 0 ? static_cast<std::uint64_t>(count - 1) : 0;  // without the folder's own
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::uint64_t positive(std::int64_t number) {
  return number > 0 ? static_cast<std::uint64_t>(number) : 0;
}

std::string text_of(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

void write_process_metrics(MetricsText& text, std::chrono::system_clock::time_point started) {
  text.family("aima_build_info", "gauge", "Always 1; the version is the label.");
  text.sample(std::uint64_t{1}, MetricsText::label("version", version));
  text.family("process_start_time_seconds", "gauge", "Start of the daemon, seconds since 1970.");
  text.sample(std::chrono::duration<double>(started.time_since_epoch()).count());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  text.family("process_cpu_seconds_total", "counter", "CPU time used, user and system.");
  text.sample(seconds(usage.ru_utime) + seconds(usage.ru_stime));
  text.single("process_resident_memory_bytes", "gauge", "Memory in use.", resident_bytes());
  text.single("process_open_fds", "gauge", "Open descriptors.", open_descriptors());
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  text.single("process_max_fds", "gauge", "The most descriptors there may be.", limit.rlim_cur);
}

void write_store_metrics(MetricsText& text, const Store& store) {
  const StoreFacts facts = store.facts();
  text.single("aima_store_jobs_total", "counter", "Writes asked of the store, refused ones too.",
              positive(facts.jobs));
  text.single("aima_store_groups_total", "counter", "Groups those writes were taken in.",
              positive(facts.groups));
  text.single("aima_store_commits_total", "counter",
              "Durable commits of a group that changed something.", positive(facts.commits));
  text.single("aima_store_fsyncs_total", "counter",
              "Syncs of the database and its write-ahead log since the store was opened.",
              positive(facts.fsyncs));
  text.single("aima_store_wal_bytes", "gauge", "Size of the write-ahead log.",
              positive(facts.wal_bytes));
  text.single("aima_store_usable", "gauge", "1 while the store can be written to.",
              store.usable() ? 1 : 0);
}

void write_service_metrics(MetricsText& text, Store& store) {
  text.family("aima_services", "gauge", "Services by status, as stored.");
  std::map<std::pair<std::string, std::string>, std::uint64_t> containers;
  for (const char* status : service_states) {
    ListQuery query;
    query.equals["status"] = status;
    query.limit = most_containers;
    const auto page = store.list(Domain::service, query);
    if (!page) continue;  // aima_store_usable says why
    text.sample(std::uint64_t{page->total}, MetricsText::label("status", status));
    for (const Json& service : page->items) {
      if (text_of(service, "instance_id").empty()) continue;
      const auto unverified = service.find("unverified");
      const bool known =
          unverified == service.end() || !unverified->is_boolean() || !unverified->get<bool>();
      ++containers[{text_of(service, "provider"), known ? status : "unverified"}];
    }
  }
  text.family("aima_containers", "gauge",
              "Containers and native engines that services hold, by provider and state; "
              "unverified: the provider does not answer.");
  for (const auto& [key, count] : containers) {
    text.sample(count, MetricsText::label("provider", key.first) + "," +
                           MetricsText::label("state", key.second));
  }
}

}  // namespace aima
