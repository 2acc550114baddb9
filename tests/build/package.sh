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

prints() { # TEXT COMMAND...: the command succeeds, and what it prints has this text; line breaks are spaces
    local text=$1 output result=0
    shift
    output=$("$@" 2>&1) || result=$?
    echo "$output"
    [[ $(tr -s ' \n' ' ' <<<"$output") == *"$text"* ]] || {
        echo "does not say:  $text"
        return 1
    }
    return $result
}
fails_with() { # TEXT COMMAND...: the same, but the command fails
    local text=$1
    shift
    if "$@"; then
        echo "succeeds, although it must not:  $*"
        return 1
    fi >output 2>&1
    prints "$text" cat output
}
configure() { # CMAKE-CODE [CMAKE ARGUMENTS]: configures a project of this code, in $source/build
    source=$(mktemp -d "$work/project.XXXX")
    printf 'cmake_minimum_required(VERSION 3.25)\n%s\n' "$1" >"$source/CMakeLists.txt"
    shift
    cmake -S "$source" -B "$source/build" "$@"
}

install_by_cmake() {
    cmake -S "$root" -B by_cmake -DFUNNEL_BUILD_{TESTS,BENCHES,EXAMPLES}=OFF
    cmake --install by_cmake --prefix "$work/cmake"
}
install_by_meson() {
    meson setup by_meson "$root" -D{tests,examples}=disabled --prefix "$work/meson"
    meson install -C by_meson
}
same_packages() { diff -r cmake meson; }
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
find_package(funnel REQUIRED COMPONENTS eigen OPTIONAL_COMPONENTS nonsense funnel)
if(NOT funnel_eigen_FOUND OR funnel_nonsense_FOUND OR funnel_funnel_FOUND)
    message(FATAL_ERROR "an optional component that does not exist counts")
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

version_requests() { # PREFIX
    local version
    for version in 0.1 0.1.0 "0.1.0 EXACT" 0.1...0.3 "0.0...<0.2 " 0.1...1 ""; do
        configure "project(c LANGUAGES NONE)
            find_package(funnel $version REQUIRED)" -DCMAKE_PREFIX_PATH="$1"
    done
    for version in 0.0 0.2 1 0.1.99 0.2...0.3 0.0...0.0.9 "0.0...<0.1.0"; do
        fails_with 'compatible with requested version' configure "project(c LANGUAGES NONE)
            find_package(funnel $version REQUIRED)" -DCMAKE_PREFIX_PATH="$1"
    done
}
step "find_package with versions and ranges" version_requests "$work/moved_cmake"

# Eigen 5 accepts requests for a version 5 only. No real Eigen is needed to find one.
eigen_of_version() { # VERSION: a package as Eigen installs it, for CMake and for pkg-config
    local prefix=$work/eigen_$1
    mkdir -p "$prefix"/share/{eigen3/cmake,pkgconfig} "$prefix/include/eigen3/Eigen"
    touch "$prefix/include/eigen3/Eigen/Core"
    cat >"$prefix/share/eigen3/cmake/Eigen3Config.cmake" <<'END'
if(NOT TARGET Eigen3::Eigen)
    add_library(Eigen3::Eigen INTERFACE IMPORTED)
    get_filename_component(_eigen "${CMAKE_CURRENT_LIST_DIR}/../../../include/eigen3" ABSOLUTE)
    set_target_properties(Eigen3::Eigen PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_eigen}")
endif()
END
    configure "project(version_file LANGUAGES NONE)
        include(CMakePackageConfigHelpers)
        write_basic_package_version_file($prefix/share/eigen3/cmake/Eigen3ConfigVersion.cmake VERSION $1
                                         COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)"
    printf 'Name: Eigen3\nDescription: a stub\nVersion: %s\nCflags: -I%s\n' "$1" "$prefix/include/eigen3" >"$prefix/share/pkgconfig/eigen3.pc"
}
eigen_versions() {
    local version project="project(c LANGUAGES NONE)
        find_package(funnel REQUIRED COMPONENTS eigen)
        get_target_property(found funnel::eigen INTERFACE_INCLUDE_DIRECTORIES)
        message(STATUS \"Eigen in \${found}\")"
    local installed=-DCMAKE_PREFIX_PATH=$work/moved_cmake
    for version in 3.4.0 3.4.90 5.0.1 6.0.0; do
        eigen_of_version $version
        prints "Eigen in $work/eigen_$version/include/eigen3" configure "$project" "$installed;$work/eigen_$version"
        PKG_CONFIG_PATH=$work/eigen_$version/share/pkgconfig prints "eigen3 found: YES $version" \
            meson setup "meson_eigen_$version" "$root" -D{tests,examples,benches}=disabled
    done
    PKG_CONFIG_LIBDIR=/nonexistent prints 'found: YES 5.0.1' \
        meson setup meson_eigen_by_cmake "$root" -D{tests,examples,benches}=disabled --cmake-prefix-path "$work/eigen_5.0.1"
    eigen_of_version 3.3.9
    fails_with "package Eigen3, version 3.4 or newer; found was 3.3.9 in $work/eigen_3.3.9" configure "$project" "$installed;$work/eigen_3.3.9"
    fails_with 'package Eigen3, version 3.4 or newer (Debian: libeigen3-dev), which was not found' \
        configure "$project" "$installed" -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON
    # A project may bring Eigen along as a target; its version is then the project's business.
    prints 'Eigen in /vendored/eigen' configure "project(c LANGUAGES NONE)
        add_library(Eigen3::Eigen INTERFACE IMPORTED)
        set_target_properties(Eigen3::Eigen PROPERTIES INTERFACE_INCLUDE_DIRECTORIES /vendored/eigen)
        ${project#*)}" "$installed" -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON
    fails_with 'include directories of the target Eigen3::Eigen, which has none' configure "project(c LANGUAGES NONE)
        add_library(Eigen3::Eigen INTERFACE IMPORTED)
        ${project#*)}" "$installed" -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON
}
step "Eigen 3.4 and newer, 5 too; older is refused by name" eigen_versions

missing_dependencies() { # of funnel's own build
    local needs='which was not found'
    fails_with "package Eigen3, version 3.4 or newer (Debian: libeigen3-dev), $needs" cmake -S "$root" -B no_eigen -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON
    fails_with "package doctest (Debian: doctest-dev), $needs" cmake -S "$root" -B no_doctest -DCMAKE_DISABLE_FIND_PACKAGE_doctest=ON
    prints "xsimd, version 8.1 or newer (Debian: libxsimd-dev), $needs" cmake -S "$root" -B no_xsimd -DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON
    fails_with "package xsimd, version 8.1 or newer (Debian: libxsimd-dev), $needs" configure "project(c LANGUAGES NONE)
        find_package(funnel REQUIRED COMPONENTS xsimd)" -DCMAKE_PREFIX_PATH="$work/moved_cmake" -DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON
    prints "Left out: funnel::eigen needs the package Eigen3, version 3.4" configure "project(c LANGUAGES CXX)
        add_subdirectory($root funnel)" -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON
}
step "what is missing is named with its version" missing_dependencies

# Two copies of the sources, the second in a folder whose name has a space and means something else in a regular expression.
mkdir -p "a copy (c++)"
cp -r "$root"/{CMakeLists.txt,cmake,include,meson.build,meson_options.txt,examples,tests,bench} "a copy (c++)"
tests_in_subproject() { # only configured: the tests are funnel's own
    configure "project(c LANGUAGES CXX)
        add_subdirectory(\"$work/a copy (c++)\" funnel)" -DFUNNEL_BUILD_{TESTS,EXAMPLES,BENCHES}=ON
    for program in core_tests cf_simd_tests bench_cf_cf funnel_demo; do
        ninja -C "$source/build" -t query $program
    done
}
step "funnel's own tests in a subproject in an odd folder" tests_in_subproject

consumer="add_executable(consumer $root/examples/consume_cmake/main.cpp)
    target_link_libraries(consumer PRIVATE funnel::eigen)"
twice() { # CMAKE-CODE [CMAKE ARGUMENTS]: code that brings funnel along in several ways; the program uses what it gets
    local source
    source=$(mktemp -d "$work/twice.XXXX")
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(twice LANGUAGES CXX)\n%s\n%s\n' "$1" "$consumer" >"$source/CMakeLists.txt"
    shift
    build_and_run "$source" "$@"
}
step "add_subdirectory of two copies" twice "add_subdirectory($root funnel)
    add_subdirectory(\"$work/a copy (c++)\" copy)"
step "add_subdirectory of a copy in an odd folder, twice" twice "add_subdirectory(\"$work/a copy (c++)\" one)
    add_subdirectory(\"$work/a copy (c++)\" two)"
step "find_package, then add_subdirectory" twice "find_package(funnel 0.1 REQUIRED)
    add_subdirectory($root funnel)" -DCMAKE_PREFIX_PATH="$work/moved_cmake"
step "add_subdirectory, then find_package" twice "add_subdirectory($root funnel)
    find_package(funnel 0.1 REQUIRED COMPONENTS eigen)" -DCMAKE_PREFIX_PATH="$work/moved_cmake"
step "find_package twice, in another folder too" twice "file(WRITE \${CMAKE_BINARY_DIR}/sub/CMakeLists.txt \"find_package(funnel REQUIRED COMPONENTS eigen)\")
    add_subdirectory(\${CMAKE_BINARY_DIR}/sub sub)
    find_package(funnel REQUIRED COMPONENTS eigen)
    find_package(funnel 0.1...0.3 REQUIRED COMPONENTS eigen)" -DCMAKE_PREFIX_PATH="$work/moved_cmake"
step "C++23" twice "add_subdirectory($root funnel)" -DCMAKE_CXX_STANDARD=23
different_versions() {
    sed -i 's/\(define FUNNEL_VERSION_MINOR\) .*/\1 99/' "a copy (c++)/include/funnel/core/config.hpp"
    prints 'funnel 0.99.0 in' configure "project(c LANGUAGES CXX)
        add_subdirectory($root funnel)
        add_subdirectory(\"$work/a copy (c++)\" copy)"
    prints 'this project already uses funnel 0.99.0' configure "project(c LANGUAGES CXX)
        add_subdirectory(\"$work/a copy (c++)\" copy)
        find_package(funnel REQUIRED)" -DCMAKE_PREFIX_PATH="$work/moved_cmake"
    cp "$root/include/funnel/core/config.hpp" "a copy (c++)/include/funnel/core"
}
step "of two versions the first is used, with a warning" different_versions

fetch_content="include(FetchContent)
    FetchContent_Declare(funnel SOURCE_DIR \"$work/a copy (c++)\""
step "FetchContent that finds an installed copy" twice "$fetch_content FIND_PACKAGE_ARGS 0.1 COMPONENTS eigen)
    FetchContent_MakeAvailable(funnel)
    if(NOT funnel_DIR)
        message(FATAL_ERROR \"the installed copy was not used\")
    endif()" -DCMAKE_PREFIX_PATH="$work/moved_cmake"
step "FetchContent that finds no installed copy" twice "$fetch_content FIND_PACKAGE_ARGS 0.1 COMPONENTS eigen)
    FetchContent_MakeAvailable(funnel)"
step "FetchContent in place of find_package" twice "$fetch_content OVERRIDE_FIND_PACKAGE)
    find_package(funnel 0.1 REQUIRED COMPONENTS eigen)"

# A library that vendors funnel, is installed, and is used from where it was installed, or from where it was built.
mkdir exporting importing
cat >exporting/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(exporting LANGUAGES CXX)
add_subdirectory("$work/a copy (c++)" funnel)
add_library(scoring STATIC scoring.cpp)
target_include_directories(scoring PUBLIC \$<BUILD_INTERFACE:\${PROJECT_SOURCE_DIR}> \$<INSTALL_INTERFACE:include>)
target_link_libraries(scoring PUBLIC funnel::funnel PRIVATE funnel::eigen)
add_library(only_headers INTERFACE)
target_link_libraries(only_headers INTERFACE funnel::funnel)
install(TARGETS scoring only_headers EXPORT exporting_targets)
install(FILES scoring.hpp TYPE INCLUDE)
install(EXPORT exporting_targets NAMESPACE exporting:: DESTINATION lib/cmake/exporting)
install(FILES exportingConfig.cmake DESTINATION lib/cmake/exporting)
export(EXPORT exporting_targets NAMESPACE exporting::)
END
cat >exporting/exportingConfig.cmake <<'END'
include(CMakeFindDependencyMacro)
find_dependency(funnel COMPONENTS eigen)
include(${CMAKE_CURRENT_LIST_DIR}/exporting_targets.cmake)
END
cat >exporting/scoring.hpp <<'END'
#include <funnel/core/scored.hpp>
float score_of(const funnel::Scored<>& scored);
END
cat >exporting/scoring.cpp <<'END'
#include "scoring.hpp"
#include <funnel/core/eigen.hpp>
float score_of(const funnel::Scored<>& scored) { return scored.score; }
END
cat >importing/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(importing LANGUAGES CXX)
find_package(exporting REQUIRED)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE exporting::scoring exporting::only_headers)
END
cat >importing/main.cpp <<'END'
#include <scoring.hpp>
int main() { return score_of({.id = 1, .score = 0}) == 0 ? 0 : 1; }
END
export_with_funnel() { # funnel goes along
    cmake -S exporting -B exporting/with -DFUNNEL_INSTALL=ON -DCMAKE_BUILD_TYPE=Release
    cmake --build exporting/with
    cmake --install exporting/with --prefix "$work/with funnel"
    build_and_run importing -DCMAKE_PREFIX_PATH="$work/with funnel"
}
export_without_funnel() { # which is installed already
    cmake -S exporting -B exporting/without -DCMAKE_BUILD_TYPE=Release
    cmake --build exporting/without
    cmake --install exporting/without --prefix "$work/without"
    [[ ! -e without/include/funnel && ! -e without/share ]]
    build_and_run importing -DCMAKE_PREFIX_PATH="$work/without;$work/moved_cmake"
    cp exporting/exportingConfig.cmake exporting/without
    build_and_run importing -Dexporting_DIR="$work/exporting/without" -DCMAKE_PREFIX_PATH="$work/moved_cmake"
}
export_in_one_set() { # INCLUDEDIR: the project puts the target into its own set
    rm -rf exporting_one
    cp -r exporting exporting_one
    sed -i 's/install(TARGETS scoring/& funnel/; s/PRIVATE funnel::eigen//' exporting_one/CMakeLists.txt
    sed -i '/core.eigen/d' exporting_one/scoring.cpp
    sed -i '/find_dependency/d' exporting_one/exportingConfig.cmake
    sed -i 's/INSTALL_INTERFACE:include/INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/' exporting_one/CMakeLists.txt
    cmake -S exporting_one -B exporting_one/build -DFUNNEL_INSTALL=ON -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_INCLUDEDIR="$1"
    cmake --build exporting_one/build
    cmake --install exporting_one/build --prefix "$work/one"
    build_and_run importing -DCMAKE_PREFIX_PATH="$work/one"
}
step "a library that vendors funnel is exported, funnel with it" export_with_funnel
step "a library that vendors funnel is exported, funnel is there" export_without_funnel
step "a library that vendors funnel is exported, in one set with it" export_in_one_set include
step "a library that vendors funnel is exported, in one set with it, absolute include folder" export_in_one_set "$work/one_include"

# Where files may go: prefixes with spaces, absolute folders as Debian and Nix have them, a data folder of some depth.
layout() { # BUILD-SYSTEM DATADIR INCLUDEDIR, each relative or absolute
    local by=$1 data=$2 prefix="$work/a layout/prefix"
    rm -rf "a layout" by_layout
    if [[ $by == cmake ]]; then
        cmake -S "$root" -B by_layout -DFUNNEL_BUILD_{TESTS,BENCHES,EXAMPLES}=OFF -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_DATADIR="$data" -DCMAKE_INSTALL_INCLUDEDIR="$3"
        cmake --install by_layout
    else
        meson setup by_layout "$root" -D{tests,examples,benches}=disabled --prefix "$prefix" --datadir "$data" --includedir "$3"
        meson install -C by_layout
    fi
    [[ $data == /* ]] || data=$prefix/$data
    configure 'project(c LANGUAGES NONE)
        find_package(funnel REQUIRED)' -Dfunnel_DIR="$data/cmake/funnel"
    export PKG_CONFIG_PATH=$data/pkgconfig
    eval "g++ -std=c++20 -fsyntax-only $(pkg-config --cflags funnel) '$root/examples/consume_cmake/main.cpp'"
}
for by in cmake meson; do
    step "install, $by: prefix with a space" layout $by share include
    step "install, $by: deep folders" layout $by share/of/funnel include/some/where
    step "install, $by: folders with dots" layout $by share/../data include/../headers
    step "install, $by: absolute include folder" layout $by share "$work/a layout/elsewhere/include"
    step "install, $by: absolute data folder" layout $by "$work/a layout/elsewhere/share" include
    step "install, $by: absolute folders" layout $by "$work/a layout/else/share" "$work/a layout/elsewhere/include"
done

use_pkg_config() {
    local by
    for by in cmake meson; do
        export PKG_CONFIG_PATH="$work/moved_$by/share/pkgconfig"
        # shellcheck disable=SC2046
        "${CXX:-g++}" -std=c++20 $(pkg-config --cflags funnel) "$root/examples/consume_cmake/main.cpp" -o pkg_config
        prints 'plain loops' ./pkg_config
        # shellcheck disable=SC2046
        "${CXX:-g++}" -std=c++20 -march=native $(pkg-config --cflags funnel-xsimd) "$root/examples/consume_cmake/main.cpp" -o pkg_config
        prints xsimd ./pkg_config
        [[ $(pkg-config --modversion funnel) == *.*.* ]]
    done
}
step "pkg-config" use_pkg_config

use_meson() { # NUMBER-OF-PROGRAMS [MESON ARGUMENTS]
    local source programs=$1
    shift
    source=$(mktemp -d "$work/meson.XXXX")
    cp "$root"/examples/consume_meson/* "$source"
    if [[ ${1:-} == subproject ]]; then
        shift
        mkdir "$source/subprojects"
        ln -s "$work/a copy (c++)" "$source/subprojects/funnel"
        # What a project with its own copy writes; one that downloads has [wrap-git] in place of the first line.
        printf '[wrap-file]\n[provide]\ndependency_names = funnel, funnel-xsimd\n' >"$source/subprojects/funnel.wrap"
    fi
    meson setup "$source/build" "$source" "$@"
    meson test -C "$source/build"
    [[ $(find "$source/build" -maxdepth 1 -type f -name 'consumer*' | wc -l) == "$programs" ]]
}
PKG_CONFIG_PATH="$work/moved_meson/share/pkgconfig" step "Meson dependency by pkg-config" use_meson 2
step "Meson dependency by CMake" use_meson 1 --cmake-prefix-path "$work/moved_cmake"
step "Meson subproject" use_meson 2 subproject

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
