// How many descriptors a process may hold. Ours is raised to what is allowed; the usual soft limit of
// 1024 is there for select(2), and whoever we start gets it back.
#pragma once
#include <sys/resource.h>

namespace aima {

// Once, before anything is started.
void raise_descriptor_limit();
// As it was before it was raised; the present one where it never was.
rlimit descriptor_limit_as_found();

}  // namespace aima
