# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Headers, and what find_package and pkg-config need. All of it is the same on every machine, so all of it goes under
# share/; meson.build installs the same files, and `./dev package` compares the two.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The whole folder: every header is public, and a list of them would be one more thing to forget.
install(DIRECTORY include/funnel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cuh")

set(FUNNEL_INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR})
set(FUNNEL_DESCRIPTION ${PROJECT_DESCRIPTION})
set(FUNNEL_VERSION ${PROJECT_VERSION})
set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/funnel)
configure_package_config_file(cmake/funnelConfig.cmake.in funnelConfig.cmake INSTALL_DESTINATION ${package_dir}
                              PATH_VARS FUNNEL_INCLUDEDIR NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# While the major version is 0, a minor version may break what the one before it promised.
write_basic_package_version_file(funnelConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/funnelConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/funnelConfigVersion.cmake
              cmake/FunnelDependencies.cmake
        DESTINATION ${package_dir})

configure_file(cmake/funnel.pc.in funnel.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/funnel.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
