// argv → command → exit status. The client's commands live in cli/, the daemon in gateway/.
#include "daemon/cli/cli.h"
#include "daemon/doctor/doctor.h"
#include "daemon/gateway/start.h"

int main(int argc, char** argv) {
  return aima::cli::run(argc, argv, aima::run_start, aima::run_doctor);
}
