# Compiler and linker flags of every target: warnings are errors, binaries are hardened
# (PIE, full RELRO, FORTIFY, stack protector, CET), builds do not depend on the folder they run in.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(SR_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them; empty for none")
option(SR_COVERAGE "Count covered lines" OFF)
option(SR_FUZZ "Build the fuzzers (clang's libFuzzer)" OFF)

find_program(SR_CCACHE ccache)
if(SR_CCACHE AND NOT DEFINED ENV{SR_NO_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros ${SR_CCACHE})
endif()

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror
  -fstack-protector-strong -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
add_compile_definitions(BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_BEAST_SEPARATE_COMPILATION BOOST_ALL_NO_LIB)
add_link_options(-fuse-ld=mold -pie -Wl,-z,relro,-z,now,-z,noexecstack)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)  # for ccache: what stands in a precompiled header
  add_compile_options(-fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # A Result compared with a value: both readings of C++20's reversed operator end in the same one.
  add_compile_options(-Wno-ambiguous-reversed-operator)
endif()
if(SR_SANITIZE)
  # With clang (see the presets): under GCC 12 sanitizers take from symmetric transfer between
  # coroutines the tail call that keeps the stack from growing.
  add_compile_options(-fsanitize=${SR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SR_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if(SR_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")  # assertions stay on: SR_CHECK is always compiled
