# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Used by the build tree and by the installed package, so that both mean the same by funnel::xsimd.
#
# funnel_find_dependencies([GLOBAL] <xsimd|eigen|thrust>...) looks for each and, where it is found, makes the target
# funnel::<name>: funnel::funnel with the dependency's headers. Otherwise funnel_<name>_NOT_FOUND_MESSAGE says what is
# missing. Only include paths are taken, as system headers: an exported target of ours never names a target of somebody
# else, and what is wrong with theirs stays theirs (Debian's xsimd 8.1 links a library "xtl" that does not exist).

# Looks for a package by the target that it makes, which the calling project may have brought along. No version goes into
# find_package: the version files of xsimd and Eigen accept one major version only, and newer ones will do.
# Sets includes, or problem, for the caller.
function(funnel_find_package package target oldest debian)
    set(includes "" PARENT_SCOPE)
    if(NOT TARGET ${target})
        find_package(${package} CONFIG QUIET)
    endif()
    if(NOT TARGET ${target})
        set(problem "needs the package ${package}, version ${oldest} or newer (Debian: ${debian}), which was not found" PARENT_SCOPE)
    elseif(${package}_VERSION AND ${package}_VERSION VERSION_LESS ${oldest})
        set(problem "needs the package ${package}, version ${oldest} or newer; found was ${${package}_VERSION} in ${${package}_DIR}" PARENT_SCOPE)
    else()
        get_target_property(found ${target} INTERFACE_INCLUDE_DIRECTORIES)
        set(includes "${found}" PARENT_SCOPE)
        set(problem "needs include directories of the target ${target}, which has none of its own" PARENT_SCOPE)
    endif()
endfunction()

function(funnel_find_dependencies)
    cmake_parse_arguments(PARSE_ARGV 0 arg "GLOBAL" "" "")
    set(scope "")
    if(arg_GLOBAL)
        set(scope GLOBAL)
    endif()
    foreach(name IN LISTS arg_UNPARSED_ARGUMENTS)
        if(TARGET funnel::${name})
            continue()
        endif()
        set(includes "")
        set(definitions "")
        if(name STREQUAL "xsimd")
            funnel_find_package(xsimd xsimd 8.1 libxsimd-dev)
            set(definitions FUNNEL_WITH_XSIMD=1)
        elseif(name STREQUAL "eigen")
            funnel_find_package(Eigen3 Eigen3::Eigen 3.4 libeigen3-dev)
        elseif(name STREQUAL "thrust")
            # Headers only: the copy that comes with a CUDA toolkit, else a distribution's own, which runs on the host.
            find_path(FUNNEL_THRUST_INCLUDE_DIR thrust/version.h
                      HINTS ENV CUDA_PATH ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES include/cccl include)
            mark_as_advanced(FUNNEL_THRUST_INCLUDE_DIR)
            if(FUNNEL_THRUST_INCLUDE_DIR)
                set(includes ${FUNNEL_THRUST_INCLUDE_DIR})
            endif()
            set(problem "needs the headers of Thrust (a CUDA toolkit, or Debian's libthrust-dev), which were not found")
        endif()
        if(includes)
            add_library(funnel::${name} INTERFACE IMPORTED ${scope})
            set_target_properties(funnel::${name} PROPERTIES  # imported, so its headers are system headers
                INTERFACE_LINK_LIBRARIES funnel::funnel
                INTERFACE_INCLUDE_DIRECTORIES "${includes}"
                INTERFACE_COMPILE_DEFINITIONS "${definitions}")
        else()
            set(funnel_${name}_NOT_FOUND_MESSAGE "funnel::${name} ${problem}" PARENT_SCOPE)
        endif()
    endforeach()
endfunction()
