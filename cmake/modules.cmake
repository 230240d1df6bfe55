# sr_library(NAME [SOURCES file...] [DEPS module...] [LIBS library...] [TESTS file...])
# declares module NAME ("cde/card" becomes sr_cde_card). DEPS are Strongroom modules; LIBS come from
# outside and stay private to the module. Each file in TESTS joins one test program of the module.
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)

function(sr_target_name module out)
  string(REPLACE "/" "_" flat ${module})
  set(${out} sr_${flat} PARENT_SCOPE)
endfunction()

function(sr_library module)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS;TESTS;TEST_LIBS" ${ARGN})
  sr_target_name(${module} target)
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE ${ARG_LIBS})
    target_precompile_headers(${target} REUSE_FROM standard_headers)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR}/src)
  foreach(dep IN LISTS ARG_DEPS)
    sr_target_name(${dep} dep_target)
    target_link_libraries(${target} ${scope} ${dep_target})
  endforeach()
  if(ARG_TESTS)
    sr_test(${target}_test SOURCES ${ARG_TESTS} DEPS ${module} LIBS ${ARG_TEST_LIBS})
  endif()
endfunction()

# sr_test(NAME SOURCES file... DEPS module... [LIBS library...]) declares one GoogleTest program.
function(sr_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS" ${ARGN})
  if(SR_FUZZ)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  foreach(dep IN LISTS ARG_DEPS)
    sr_target_name(${dep} dep_target)
    target_link_libraries(${name} PRIVATE ${dep_target})
  endforeach()
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE SR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  # Nobody waits for a test's own code, but everybody for its compilation. Coroutines need their
  # sibling calls, which -O2 brings: without, a chain of them grows the stack.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1 -foptimize-sibling-calls>)
  # Behind a precompiled header GCC 12 inlines the standard library otherwise, and warns of bounds
  # and values in it that it has lost sight of; clang's builds look there.
  target_compile_options(${name} PRIVATE -Wno-array-bounds
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
    -Wno-stringop-overread>)
  if(NOT name STREQUAL "sr_base_test")
    target_precompile_headers(${name} REUSE_FROM sr_base_test)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# sr_program(NAME SOURCES file... DEPS module... [LIBS library...]) declares one executable. All of
# them lie in one folder: strongroom finds the daemons beside itself.
function(sr_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  foreach(dep IN LISTS ARG_DEPS)
    sr_target_name(${dep} dep_target)
    target_link_libraries(${name} PRIVATE ${dep_target})
  endforeach()
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()
