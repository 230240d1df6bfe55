# sr_fuzzer(NAME SOURCE [DEPS module...]) declares the fuzzer of one format, at the start of a line
# of fuzz/CMakeLists.txt: SOURCE defines LLVMFuzzerTestOneInput, fuzz/corpus/NAME holds its inputs.
# In the fuzz preset it becomes the program NAME_fuzz (libFuzzer, run by ./dev fuzz); in every other
# one the test NAME_corpus, which replays the corpus, so that what a fuzzer once found stays fixed.
function(sr_fuzzer name source)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  set(corpus ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
  if(SR_FUZZ)
    set(program ${name}_fuzz)
    add_executable(${program} ${source})
    target_link_options(${program} PRIVATE -fsanitize=fuzzer)
  else()
    set(program ${name}_corpus)
    add_executable(${program} ${source} ${CMAKE_SOURCE_DIR}/tests/replay_main.cc)
    add_test(NAME ${program} COMMAND ${program} ${corpus})
    set_tests_properties(${program} PROPERTIES TIMEOUT 300)
  endif()
  foreach(dep IN LISTS ARG_DEPS)
    sr_target_name(${dep} dep_target)
    target_link_libraries(${program} PRIVATE ${dep_target})
  endforeach()
endfunction()
