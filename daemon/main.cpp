// argv → command → exit status. Everything else lives in cli/ (client) and gateway/ (daemon).
#include "daemon/cli/cli.h"
#include "daemon/gateway/start.h"

int main(int argc, char** argv) { return aima::cli::run(argc, argv, aima::run_start); }
