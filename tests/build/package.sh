#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Installs funnel in both ways, and uses it in all of the ways that the documentation names. `./dev package` calls this.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$root/build/package
rm -rf "$work"
mkdir -p "$work"
cd "$work"
export CMAKE_GENERATOR=Ninja
unset CMAKE_PREFIX_PATH PKG_CONFIG_PATH
passed=0

step() { # NAME COMMAND...
    local name=$1
    shift
    local result=0
    set +e  # a function called in a condition would not stop at its first error
    (set -e; "$@") >"$work/log" 2>&1 </dev/null
    result=$?
    set -e
    if [[ $result == 0 ]]; then
        echo "ok      $name"
        passed=$((passed + 1))
    else
        cat "$work/log"
        echo "FAILED  $name"
        exit 1
    fi
}
build_and_run() { # FOLDER [CMAKE ARGUMENTS]: every program that the project in this folder makes
    local source=$1 binary
    shift
    binary=$(mktemp -d "$work/consumer.XXXX")
    cmake -S "$source" -B "$binary" -DCMAKE_BUILD_TYPE=Release "$@"
    cmake --build "$binary"
    local program
    for program in "$binary"/consumer*; do
        "$program"
    done
}

install_by_cmake() {
    cmake -S "$root" -B by_cmake -DFUNNEL_BUILD_{TESTS,BENCHES,EXAMPLES}=OFF
    cmake --install by_cmake --prefix "$work/cmake"
}
install_by_meson() {
    meson setup by_meson "$root" -D{tests,examples}=disabled --prefix "$work/meson"
    meson install -C by_meson
}
same_packages() {
    # The two build systems write the general part of a package file in their own words.
    diff -r --exclude='*.cmake' cmake meson
    diff cmake/share/cmake/funnel/FunnelDependencies.cmake meson/share/cmake/funnel/FunnelDependencies.cmake
    diff <(cd cmake && find . | sort) <(cd meson && find . | sort)
}
step "install by CMake" install_by_cmake
step "install by Meson" install_by_meson
step "both install the same" same_packages

for by in cmake meson; do
    step "find_package, installed by $by" build_and_run "$root/examples/consume_cmake" -DCMAKE_PREFIX_PATH="$work/$by"
    mv $by "moved_$by"
    step "find_package, moved, installed by $by" build_and_run "$root/examples/consume_cmake" -DCMAKE_PREFIX_PATH="$work/moved_$by"
done

mkdir components
cat >components/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(components LANGUAGES CXX)
find_package(funnel REQUIRED COMPONENTS xsimd eigen thrust)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE funnel::xsimd funnel::eigen)
find_package(funnel QUIET COMPONENTS nonsense)
if(funnel_FOUND)
    message(FATAL_ERROR "a component that does not exist was found")
endif()
END
cat >components/main.cpp <<'END'
#include <funnel/core/eigen.hpp>
#include <funnel/kernels/dot.hpp>
static_assert(FUNNEL_WITH_XSIMD);
int main() {
    const Eigen::Vector3f ones = Eigen::Vector3f::Ones();
    return funnel::kernels::dot(std::span<const float>(ones.data(), 3), std::span<const float>(ones.data(), 3)) == 3 ? 0 : 1;
}
END
step "find_package with components" build_and_run components -DCMAKE_PREFIX_PATH="$work/moved_cmake"

step "FetchContent" build_and_run "$root/examples/consume_fetchcontent"

mkdir subdirectory
cat >subdirectory/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(subdirectory LANGUAGES CXX)
add_subdirectory($root funnel)
add_executable(consumer $root/examples/consume_cmake/main.cpp)
target_link_libraries(consumer PRIVATE funnel::funnel)
get_directory_property(tests DIRECTORY $root TESTS)
if(tests OR TARGET funnel_test_main OR CMAKE_BUILD_TYPE STREQUAL Debug OR CMAKE_EXPORT_COMPILE_COMMANDS)
    message(FATAL_ERROR "the subproject leaks")
endif()
END
step "add_subdirectory" build_and_run subdirectory

use_pkg_config() {
    local by
    for by in cmake meson; do
        export PKG_CONFIG_PATH="$work/moved_$by/share/pkgconfig"
        # shellcheck disable=SC2046
        "${CXX:-g++}" -std=c++20 $(pkg-config --cflags funnel) "$root/examples/consume_cmake/main.cpp" -o pkg_config
        ./pkg_config
        [[ $(pkg-config --modversion funnel) == *.*.* ]]
    done
}
step "pkg-config" use_pkg_config

use_meson() { # [MESON ARGUMENTS]
    local source
    source=$(mktemp -d "$work/meson.XXXX")
    cp "$root"/examples/consume_meson/* "$source"
    if [[ ${1:-} == subproject ]]; then
        mkdir "$source/subprojects"
        ln -s "$root" "$source/subprojects/funnel"
        sed -i "s/dependency('funnel'/&, fallback: 'funnel'/" "$source/meson.build"
        shift
    fi
    meson setup "$source/build" "$source" "$@"
    meson test -C "$source/build"
}
PKG_CONFIG_PATH="$work/moved_meson/share/pkgconfig" step "Meson dependency by pkg-config" use_meson
step "Meson dependency by CMake" use_meson --cmake-prefix-path "$work/moved_cmake"
step "Meson subproject" use_meson subproject

meson_builds() {
    meson setup by_meson_tests "$root"
    ninja -C by_meson_tests core_tests
    ./by_meson_tests/core_tests
}
step "Meson builds and runs the tests of core" meson_builds

single_header() {
    local header=$root/build/single_include/funnel.hpp
    python3 "$root/tests/build/amalgamate.py" "$header"
    sed 's|<funnel/.*>|"funnel.hpp"|' "$root/examples/consume_cmake/main.cpp" >single.cpp
    "${CXX:-g++}" -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$root/build/single_include" single.cpp -o single -pthread
    ./single
    "${CXX:-g++}" -std=c++20 -fsyntax-only -DFUNNEL_WITH_EIGEN=1 -isystem /usr/include/eigen3 -I"$root/build/single_include" single.cpp
}
step "single header" single_header

echo "package: $passed ok"
