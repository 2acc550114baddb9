# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Headers, and what find_package and pkg-config need. All of it is the same on every machine, so all of it goes under
# share/; meson.build installs the same files, and `./dev package` compares the two.
include(GNUInstallDirs)
set(is_in_sources FALSE)
foreach(folder IN ITEMS ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${PROJECT_SOURCE_DIR})
    cmake_path(IS_PREFIX folder "${CMAKE_INSTALL_INCLUDEDIR}" NORMALIZE is_below)
    if(is_below)  # an absolute one, which CMake refuses in an exported target
        set(is_in_sources TRUE)
    endif()
endforeach()
if(NOT is_in_sources)
    target_include_directories(funnel INTERFACE "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endif()

# A project that vendors funnel may export a library that links it, which then names funnel::funnel. For that CMake wants
# the target in an export set, here never installed: the package makes the target by itself, as Meson cannot export one.
install(TARGETS funnel EXPORT funnelTargets)
install(EXPORT funnelTargets NAMESPACE funnel:: DESTINATION ${CMAKE_INSTALL_DATADIR}/cmake/funnel EXCLUDE_FROM_ALL)
export(EXPORT funnelTargets NAMESPACE funnel:: FILE ${CMAKE_CURRENT_BINARY_DIR}/funnelTargets.cmake)

if(NOT FUNNEL_INSTALL)
    return()
endif()

# The whole folder: every header is public, and a list of them would be one more thing to forget.
install(DIRECTORY include/funnel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cuh")

# Package files name the headers relative to themselves, so that an installation can be moved. Where an option is an
# absolute path, as with Debian and Nix, or leads out of the prefix, the paths in them are absolute too.
set(FUNNEL_DESCRIPTION ${PROJECT_DESCRIPTION})
set(FUNNEL_VERSION ${PROJECT_VERSION})
if(IS_ABSOLUTE "${CMAKE_INSTALL_DATADIR}" OR CMAKE_INSTALL_DATADIR MATCHES "(^|/)\\.\\.(/|$)")
    set(prefix_of_pc "${CMAKE_INSTALL_PREFIX}")
    set(prefix_of_config "${CMAKE_INSTALL_PREFIX}")
else()
    file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_DATADIR}/pkgconfig" /prefix)
    string(REGEX REPLACE "/$" "" up "${up}")
    set(prefix_of_pc "\${pcfiledir}/${up}")
    set(prefix_of_config "\${CMAKE_CURRENT_LIST_DIR}/${up}/..")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(FUNNEL_PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
    set(FUNNEL_CONFIG_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
else()
    set(FUNNEL_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
    set(FUNNEL_CONFIG_INCLUDEDIR "${prefix_of_config}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
string(REPLACE " " "\\ " FUNNEL_PC_PREFIX "${prefix_of_pc}")
string(REPLACE " " "\\ " FUNNEL_PC_INCLUDEDIR "${FUNNEL_PC_INCLUDEDIR}")

foreach(file IN ITEMS funnelConfig.cmake funnelConfigVersion.cmake)
    configure_file(cmake/${file}.in ${file} @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/cmake/funnel)
endforeach()
install(FILES cmake/FunnelDependencies.cmake DESTINATION ${CMAKE_INSTALL_DATADIR}/cmake/funnel)
foreach(file IN ITEMS funnel.pc funnel-xsimd.pc)
    configure_file(cmake/${file}.in ${file} @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
endforeach()
