# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Used by the build tree and by the installed package, so that both mean the same by funnel::xsimd.
#
# funnel_find_dependencies(<xsimd|eigen|thrust>...) looks for each and, where it is found, makes the target funnel::<name>:
# funnel::funnel with the dependency's headers. Only their include paths are taken, as system headers: an exported target
# of ours never names a target of somebody else, and what is wrong with theirs stays theirs (Debian's xsimd 8.1 links a
# library "xtl" that does not exist).
include_guard(DIRECTORY)

function(funnel_add_dependency name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "INCLUDES;DEFINITIONS")
    add_library(funnel::${name} INTERFACE IMPORTED GLOBAL)
    set_target_properties(funnel::${name} PROPERTIES  # imported, so its headers are system headers
        INTERFACE_LINK_LIBRARIES funnel::funnel
        INTERFACE_INCLUDE_DIRECTORIES "${arg_INCLUDES}"
        INTERFACE_COMPILE_DEFINITIONS "${arg_DEFINITIONS}")
endfunction()

function(funnel_find_dependencies)
    foreach(name IN LISTS ARGV)
        if(TARGET funnel::${name})
            continue()
        endif()
        set(includes "")
        set(definitions "")
        if(name STREQUAL "xsimd")
            # No version in the call: xsimd's version file accepts one major version only, and 8 to 14 will do.
            find_package(xsimd CONFIG QUIET)
            if(TARGET xsimd AND xsimd_VERSION VERSION_GREATER_EQUAL 8.1)
                get_target_property(includes xsimd INTERFACE_INCLUDE_DIRECTORIES)
                set(definitions FUNNEL_WITH_XSIMD=1)
            endif()
        elseif(name STREQUAL "eigen")
            find_package(Eigen3 3.4 CONFIG QUIET)
            if(TARGET Eigen3::Eigen)
                get_target_property(includes Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
            endif()
        elseif(name STREQUAL "thrust")
            # Headers only: the copy that comes with a CUDA toolkit, else a distribution's own, which runs on the host.
            find_path(FUNNEL_THRUST_INCLUDE_DIR thrust/version.h
                      HINTS ENV CUDA_PATH ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES include/cccl include)
            mark_as_advanced(FUNNEL_THRUST_INCLUDE_DIR)
            if(FUNNEL_THRUST_INCLUDE_DIR)
                set(includes ${FUNNEL_THRUST_INCLUDE_DIR})
            endif()
        endif()
        if(includes)
            funnel_add_dependency(${name} INCLUDES ${includes} DEFINITIONS ${definitions})
        endif()
    endforeach()
endfunction()
