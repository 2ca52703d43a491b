// What every program of a sanitizer build (AIMA_SANITIZE) is told, in the program itself: an
// environment is cleaned on the way (the harness starts daemons with one of its own, tests start
// programs with none). ASAN_OPTIONS, UBSAN_OPTIONS, LSAN_OPTIONS and TSAN_OPTIONS still have the last
// word. Names of the sanitizers' runtimes: clang.llvm.org/docs/AddressSanitizer.html.

extern "C" {
// An error ends the process with a status that nothing else has.
[[gnu::used]] const char* __asan_default_options() {
  return "exitcode=99:detect_leaks=1:detect_stack_use_after_return=1";
}

[[gnu::used]] const char* __ubsan_default_options() {
  return "print_stacktrace=1:halt_on_error=1";
}

// libjq 1.6 keeps only a pointer to the end of its stack, so the stacks of programs that wait in
// harness/scenario's pool until the process ends look lost, and are not.
[[gnu::used]] const char* __lsan_default_options() {
  return "exitcode=99:print_suppressions=0";
}

[[gnu::used]] const char* __lsan_default_suppressions() {
  return "leak:libjq.so.1\n";
}

// By itself tsan sleeps a second in each process that ends with threads: most of the time of a run
// of many processes.
[[gnu::used]] const char* __tsan_default_options() {
  return "exitcode=99:halt_on_error=1:second_deadlock_stack=1:print_suppressions=0:"
         "atexit_sleep_ms=50";
}

// libjq's use of tzset() takes a lock of the C library that tsan does not see.
[[gnu::used]] const char* __tsan_default_suppressions() {
  return "called_from_lib:libjq.so.1\n";
}
}
