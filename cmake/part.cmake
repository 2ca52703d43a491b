# sanitized(TARGET): in a sanitizer build the program carries the sanitizers' options in itself.
function(sanitized target)
  if(AIMA_SANITIZE)
    set(options ${CMAKE_SOURCE_DIR}/cmake/sanitizer_options.cpp)
    target_sources(${target} PRIVATE ${options})
    set_source_files_properties(${options} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

# part(NAME [USES part…] [LINKS library…]): the folder that calls it is one static library.
# Every *.cpp beside the caller belongs to it; every *_test.cpp goes into one GoogleTest
# executable NAME_test, whose cases ctest finds by themselves. A new file needs no new line here.
function(part name)
  cmake_parse_arguments(PART "" "" "USES;LINKS;TEST_USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${PART_USES} ${PART_LINKS} Threads::Threads)
    set(library ${name})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${PART_USES} ${PART_LINKS} Threads::Threads)
    set(library ${name})
  endif()
  if(AIMA_BUILD_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${library} ${PART_TEST_USES} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE
      AIMA_SOURCE_DIR="${CMAKE_SOURCE_DIR}" AIMA_BINARY_DIR="${CMAKE_BINARY_DIR}")
    # What is tested is optimised as it is shipped; the tests themselves only cost compile time.
    target_compile_options(${name}_test PRIVATE -O0)
    sanitized(${name}_test)
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 120)
  endif()
endfunction()
