// What GET /metrics tells beside HTTP: process, build, store, services. Read when it is asked for,
// from rows and counters only: a hung engine socket cannot hold a scrape.
#pragma once
#include <chrono>

#include "daemon/gateway/metrics_text.h"
#include "daemon/store/store.h"

namespace aima {

void write_process_metrics(MetricsText& text, std::chrono::system_clock::time_point started);
void write_store_metrics(MetricsText& text, const Store& store);
void write_service_metrics(MetricsText& text, Store& store);

}  // namespace aima
